"""The one clock. Nothing else in the project times a query.

The loops are written out, one a kind of session, so that a session without state pays nothing for
those that have it, and nothing stands between the two readings of the clock but the call.
"""

from __future__ import annotations

import gc
from contextlib import contextmanager
from time import perf_counter_ns
from typing import Any, Callable, Iterator, List, NamedTuple, Sequence

MAX_BLOCK = 1 << 16
"""Most queries in a block: bounds the worker's memory and the time between two looks at the deadline."""


class Span(NamedTuple):
    """Where a block lies on the process's monotonic clock."""

    start_ns: int
    wall_ns: int


class LoopCost(NamedTuple):
    """What the loop itself costs, measured on a call that does nothing, in ns an iteration."""

    iteration_ns: float
    recorded_ns: float

    @property
    def outside_ns(self) -> float:
        """The part that lies between two recorded latencies."""
        return max(0.0, self.iteration_ns - self.recorded_ns)


@contextmanager
def quiet() -> Iterator[None]:
    """No garbage collection while timing: collected before, off inside, as it was after."""
    was_on = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def timed_block(run: Callable[[Any], Any], staged: Sequence[Any], latencies_ns: List[int]) -> Span:
    """Issue the staged queries one after the other; ``latencies_ns`` becomes their latencies, in order.

    Appending is 7 % of an empty iteration cheaper than counting and storing by index; where the list grows,
    it grows outside the clock.
    """
    clock = perf_counter_ns
    latencies_ns.clear()
    append = latencies_ns.append
    start = clock()
    for query in staged:
        begin = clock()
        run(query)
        append(clock() - begin)
    return Span(start, clock() - start)


def timed_block_with_state(
    run: Callable[[Any], Any], advance: Callable[[Any], None], staged: Sequence[Any], latencies_ns: List[int]
) -> Span:
    """The same for a session with state: ``advance`` moves it on between queries, outside the clock."""
    clock = perf_counter_ns
    latencies_ns.clear()
    append = latencies_ns.append
    start = clock()
    for query in staged:
        begin = clock()
        outputs = run(query)
        append(clock() - begin)
        advance(outputs)
    return Span(start, clock() - start)


class _Nothing:
    def run(self, staged: Any) -> Any:
        return staged


def loop_cost(blocks: int = 5, queries: int = 4000) -> LoopCost:
    """The loop's own cost: the median block of a call that does nothing (about 3 ms in all)."""
    run = _Nothing().run
    staged: List[None] = [None] * queries
    out: List[int] = []
    costs = []
    for _ in range(blocks):
        span = timed_block(run, staged, out)
        costs.append((span.wall_ns / queries, sum(out) / queries))
    iteration, recorded = sorted(costs)[blocks // 2]
    return LoopCost(iteration, recorded)
