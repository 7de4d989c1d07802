"""How queries are issued, in MLPerf's words: single-stream one after the other, offline in batches.

Both are one loop over blocks; between blocks, and only there, deadlines, progress and the host's
``stop`` are looked at.
"""

from __future__ import annotations

from time import perf_counter_ns
from typing import Any, Callable, Iterator, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from .adapter import Session
from .library import SampleLibrary
from .loop import MAX_BLOCK, LoopCost, Span, timed_block, timed_block_with_state
from .warmup import is_steady

BLOCK_NS = 25_000_000
WARM_UP_BLOCK_NS = 10_000_000
AUDIT_NS = 50_000_000
AUDIT_TRIES = 3
AUDIT_MOST_NS = 300_000_000
"""Further tries of the audit, beyond ``AUDIT_TRIES``, begin before this."""
CLOSED = 0.9
"""The least ratio of the closure audit: below it the clock stopped before the work did."""
POOL_COUNT = 64
POOL_BYTES = 32 << 20
BEST_BATCH_MAX = 256
BEST_BATCH_NS = 100_000_000
OVERLAPPED = (8, 32)
"""Fewest and most batches handed at once to a session that overlaps its work."""
OVERLAPPED_NS = 100_000_000
"""About how long those take one by one, between the two bounds."""


class Block(NamedTuple):
    """One block of the timed loop."""

    latencies_ns: List[int]
    samples: int
    span: Span


class Closure(NamedTuple):
    """The closure audit's figures: see ``audit``."""

    queries: int
    latency_ns: int
    wall_ns: int
    loop_ns: int
    ratio: float


class Issuer:
    """Issues queries of ``batch`` samples to one open session, in blocks.

    The staged pool cycles through the library, bounded in count and bytes. A session with state gets
    the samples in order and one at a time.
    """

    def __init__(self, session: Session, library: SampleLibrary, batch: int, overlapped: bool) -> None:
        self.session = session
        self.batch = batch
        self.advance: Optional[Callable[[Any], None]] = getattr(session, "advance", None)
        self.run_all: Optional[Callable[[Sequence[Any]], None]] = (
            getattr(session, "run_all", None) if overlapped and self.advance is None else None
        )
        self.pool = [session.stage(library.query(first, batch)) for first in _firsts(library, batch)]
        self._queue: List[Any] = []
        self._together: List[Any] = []

    def drained_ns(self) -> int:
        """One query from issue to outputs read on the host: no session can pretend this is shorter."""
        start = perf_counter_ns()
        outputs = self.session.run(self.pool[0])
        self.session.read(outputs)
        if self.advance is not None:
            self.advance(outputs)
        return perf_counter_ns() - start

    def block(self, queries: int) -> Block:
        """Issue at least one query and at most ``queries``; their latencies in order of issue."""
        if self.run_all is not None:
            return self._overlapped_block(self.run_all, queries)
        queries = max(1, min(queries, MAX_BLOCK))
        if len(self._queue) != queries:
            self._queue = (self.pool * (queries // len(self.pool) + 1))[:queries]
        latencies: List[int] = []
        if self.advance is None:
            span = timed_block(self.session.run, self._queue, latencies)
        else:
            span = timed_block_with_state(self.session.run, self.advance, self._queue, latencies)
        return Block(latencies, queries * self.batch, span)

    def _overlapped_block(self, run_all: Callable[[Sequence[Any]], None], queries: int) -> Block:
        """One timing for a group of batches in flight together.

        The group's size is found once: timings of groups of several sizes could not be compared.
        """
        if not self._together:
            fewest, most = OVERLAPPED
            size = max(fewest, min(OVERLAPPED_NS // max(1, self.drained_ns()), most))
            self._together = (self.pool * (size // len(self.pool) + 1))[:size]
        size = len(self._together)
        groups = max(1, min(queries, MAX_BLOCK) // size)
        latencies: List[int] = []
        span = timed_block(run_all, [self._together] * groups, latencies)
        return Block(latencies, groups * size * self.batch, span)


def _firsts(library: SampleLibrary, batch: int) -> range:
    size = max(1, library.query_bytes() * batch)
    distinct = max(1, library.count // batch)
    return range(0, max(1, min(distinct, POOL_COUNT, POOL_BYTES // size)) * batch, batch)


def warm_up(issuer: Issuer, drained_ns: int, max_ns: int) -> Iterator[Tuple[int, int, bool]]:
    """Issue blocks until they are steady or ``max_ns`` is spent.

    Yields (queries so far, ns so far, settled) after each block. Each block is drained, and bounded by
    the drained query, so that a session which only enqueues cannot pile up work here.
    """
    start, queries, per_query_ns = perf_counter_ns(), 0, max(1, drained_ns)
    medians: List[float] = []
    while True:
        block = issuer.block(WARM_UP_BLOCK_NS // per_query_ns)
        count = block.samples // issuer.batch
        per_query_ns = max(1, block.span.wall_ns // count, issuer.drained_ns() // (count + 1))
        medians.append(float(np.median(block.latencies_ns)))
        queries += count + 1
        elapsed, settled = perf_counter_ns() - start, is_steady(medians)
        yield queries, elapsed, settled
        if settled or elapsed >= max_ns:
            return


def audit(issuer: Issuer, drained_ns: int, cost: LoopCost) -> Closure:
    """The closure audit: do the recorded latencies account for the time the work really took?

    A single-stream burst of one staged query, ended by reading the outputs on the host, an idle read's
    time taken off. The sum of the latencies over the burst's wall time, less the loop's own cost, must
    come near 1; an asynchronous session whose ``run`` returns early stays far below, however often it
    is tried. So the best of several is kept against the machine's own disturbances: half of an empty
    call's time lies between two latencies, and other work may take the processor there.
    """
    until = perf_counter_ns() + AUDIT_MOST_NS
    best, tries = _burst(issuer.session, issuer.pool[0], drained_ns, cost), 1
    while best.ratio < CLOSED and (tries < AUDIT_TRIES or perf_counter_ns() < until):
        again = _burst(issuer.session, issuer.pool[0], drained_ns, cost)
        best, tries = max(best, again, key=lambda closure: closure.ratio), tries + 1
    return best


def _burst(session: Session, staged: Any, drained_ns: int, cost: LoopCost) -> Closure:
    queries = max(2, min(AUDIT_NS // max(1, drained_ns), MAX_BLOCK))
    latencies: List[int] = []
    outputs = session.run(staged)
    session.read(outputs)
    idle_read_ns = min(_read_ns(session, outputs), _read_ns(session, outputs))
    begin = perf_counter_ns()
    timed_block(session.run, [staged] * (queries - 1), latencies)
    issue = perf_counter_ns()
    outputs = session.run(staged)
    latencies.append(perf_counter_ns() - issue)
    session.read(outputs)
    wall = max(1, perf_counter_ns() - begin - idle_read_ns)
    loop_ns = int(cost.outside_ns * queries)
    return Closure(queries, sum(latencies), wall, loop_ns, sum(latencies) / max(1, wall - loop_ns))


def _read_ns(session: Session, outputs: Any) -> int:
    begin = perf_counter_ns()
    session.read(outputs)
    return perf_counter_ns() - begin


def best_batch(
    session: Session, library: SampleLibrary, overlapped: bool, stopped: Callable[[], bool]
) -> Tuple[int, List[Tuple[int, float]]]:
    """The power of two with the highest throughput, and every (batch size, samples a second) tried.

    Sizes double until throughput has fallen twice in a row or ``BEST_BATCH_MAX`` is reached.
    """
    tried: List[Tuple[int, float]] = []
    size = 1
    while size <= BEST_BATCH_MAX and not stopped():
        issuer = Issuer(session, library, size, overlapped)
        issuer.drained_ns()
        per_query = max(1, issuer.drained_ns())
        block = issuer.block(max(1, BEST_BATCH_NS // per_query))
        tried.append((size, block.samples * 1e9 / block.span.wall_ns))
        if len(tried) > 2 and max(rate for _, rate in tried[-2:]) < max(rate for _, rate in tried[:-2]):
            break
        size *= 2
    return max(tried, key=lambda pair: pair[1])[0] if tried else 1, tried
