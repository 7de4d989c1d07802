"""The one clock. Nothing else in the project times a query.

The loops are written out, one a kind of session, so that a session without state pays nothing for
those that have it, and nothing stands between the two readings of the clock but the call.
"""

from __future__ import annotations

import gc
from contextlib import contextmanager
from time import perf_counter_ns, sleep
from typing import Any, Callable, Iterator, List, NamedTuple, Optional, Sequence

from .lead import Lead

MAX_BLOCK = 1 << 16
"""Most queries in a block: bounds the worker's memory and the time between two looks at the deadline."""

IDLE_NS = 1_000_000
"""A gap before the next arrival in which a look at deadlines and records delays no query."""


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
    """No garbage collection while timing: off inside, as it was after.

    Nothing is collected before, either: that walks all that a framework has imported (0.1 s of torch) for nothing.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


@contextmanager
def as_in_service() -> Iterator[None]:
    """Within ``quiet``: garbage is collected as a service collects it, or what it would free looked like a leak.

    What is there already is left out of each collection, so that one is short.
    """
    gc.freeze()
    gc.enable()
    try:
        yield
    finally:
        gc.disable()
        gc.unfreeze()


def timed_block(run: Callable[[Any], Any], staged: Sequence[Any], latencies_ns: List[int]) -> Span:
    """Issue the staged queries one after the other; ``latencies_ns`` becomes their latencies, in order.

    Appending is 7 % of an empty iteration cheaper than counting and storing by index; where the list grows,
    it grows outside the clock. A comprehension, both readings stored and subtracted later, a generator, ``append``
    looked up each time: none is 3 % cheaper on Python 3.11, and all are dearer on another of 3.10 to 3.13.
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


def timed_groups(run: Callable[[Any], Any], groups: Sequence[Sequence[Any]], latencies_ns: List[int]) -> Span:
    """The same for calls near the clock's own cost: one timing a group, of all its queries together."""
    clock = perf_counter_ns
    latencies_ns.clear()
    append = latencies_ns.append
    start = clock()
    for group in groups:
        begin = clock()
        for query in group:
            run(query)
        append(clock() - begin)
    return Span(start, clock() - start)


def open_block(
    run: Callable[[Any], Any],
    advance: Optional[Callable[[Any], None]],
    staged: Sequence[Any],
    due_ns: Sequence[int],
    look_ns: int,
    look_by_ns: int,
    issued_ns: List[int],
    ended_ns: List[int],
    lead: Lead,
) -> None:
    """Issue each query when it is due, or at once where it is overdue; note when each was issued and ended.

    All on the one clock. Issues one query at least; from ``look_ns`` on the block ends in the first gap of
    ``IDLE_NS``, at ``look_by_ns`` it ends anyway. Until an arrival it sleeps, and polls the clock from
    ``lead`` before it on. State moves on between two queries: where the next is due already, that is part of its wait.
    """
    clock = perf_counter_ns
    for query, due in zip(staged, due_ns):  # noqa: B905 - Python 3.8 knows no strict
        begin = clock()
        if begin >= look_ns and issued_ns and (due - begin > IDLE_NS or begin >= look_by_ns):
            return
        if due - begin > lead.ns:
            wake = due - lead.ns
            sleep((wake - begin) / 1e9)
            lead.learn(clock() - wake)
        while begin < due:
            begin = clock()
        outputs = run(query)
        ended_ns.append(clock())
        issued_ns.append(begin)
        if advance is not None:
            advance(outputs)


def wait_until(due_ns: int) -> None:
    """Sleep until the clock has reached ``due_ns``, at least."""
    while (ahead := due_ns - perf_counter_ns()) > 0:
        sleep(ahead / 1e9)


class _Nothing:
    def run(self, staged: Any) -> Any:
        return staged


def loop_cost(blocks: int = 9, queries: int = 1000) -> LoopCost:
    """The loop's own cost: the median block of a call that does nothing (about 2 ms in all; 40 ms on a slow board).

    Blocks of a quarter of a millisecond: other work seldom comes into one, and into most of them next to never.
    """
    run = _Nothing().run
    staged: List[None] = [None] * queries
    out: List[int] = []
    costs = []
    for _ in range(blocks):
        span = timed_block(run, staged, out)
        costs.append((span.wall_ns / queries, sum(out) / queries))
    iteration, recorded = sorted(costs)[blocks // 2]
    return LoopCost(iteration, recorded)
