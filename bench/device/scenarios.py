"""How queries are issued, in MLPerf's words: single-stream one after the other, offline in batches.

Both are one loop over blocks; between blocks, and only there, deadlines, progress and the host's
``stop`` are looked at.
"""

from __future__ import annotations

from math import gcd
from time import perf_counter_ns
from typing import Any, Callable, Iterator, List, NamedTuple, Optional, Sequence

import numpy as np

from .adapter import Arrays, Session
from .library import SampleLibrary
from .loop import MAX_BLOCK, Span, timed_block, timed_block_with_state, timed_groups
from .warmup import Settling

BLOCK_NS = 25_000_000
WARM_UP_BLOCK_NS = 2_500_000
LOOKED_AT = 3
"""Queries whose outputs are looked at before and after what is timed."""
POOL_COUNT = 64
POOL_BYTES = 32 << 20
OVERLAPPED = (8, 32)
"""Fewest and most batches handed at once to a session that overlaps its work."""
OVERLAPPED_NS = 100_000_000
"""About how long those take one by one, between the two bounds."""


class Block(NamedTuple):
    """One block of the timed loop."""

    latencies_ns: List[int]
    samples: int
    span: Span


class Issuer:
    """Issues queries of ``batch`` samples to one open session, in blocks.

    The staged pool cycles through the library, bounded in count and bytes. A session with state gets
    the samples in order and one at a time. ``calls`` is how many queries one timing holds.
    """

    def __init__(self, session: Session, library: SampleLibrary, batch: int, overlapped: bool) -> None:
        self.session = session
        self.batch = batch
        self.calls = 1
        self.advance: Optional[Callable[[Any], None]] = getattr(session, "advance", None)
        self.run_all: Optional[Callable[[Sequence[Any]], None]] = (
            getattr(session, "run_all", None) if overlapped and self.advance is None else None
        )
        self.pool = [session.stage(library.query(first, batch)) for first in firsts(library, batch)]
        self._queue: List[Any] = []
        self._groups: List[List[Any]] = []
        self._together: List[Any] = []

    def answers(self) -> Iterator[Arrays]:
        """The outputs of a few queries, one after the other, to be looked at; state moves on as always."""
        for staged in self.pool[:LOOKED_AT]:
            outputs = self.session.run(staged)
            yield self.session.read(outputs)
            if self.advance is not None:
                self.advance(outputs)

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
        if self.calls > 1:
            return self._grouped_block(queries // self.calls)
        queries = max(1, min(queries, MAX_BLOCK))
        if len(self._queue) != queries:
            self._queue = (self.pool * (queries // len(self.pool) + 1))[:queries]
        latencies: List[int] = []
        if self.advance is None:
            span = timed_block(self.session.run, self._queue, latencies)
        else:
            span = timed_block_with_state(self.session.run, self.advance, self._queue, latencies)
        return Block(latencies, queries * self.batch, span)

    def _grouped_block(self, groups: int) -> Block:
        """One timing for ``calls`` queries: their mean, to the nearest ns; the pool goes round as ever."""
        calls, groups = self.calls, max(1, min(groups, MAX_BLOCK))
        if len(self._groups) != groups or len(self._groups[0]) != calls:
            distinct = len(self.pool) // gcd(len(self.pool), calls)
            around = self.pool * (distinct * calls // len(self.pool))
            parts = [around[first : first + calls] for first in range(0, len(around), calls)]
            self._groups = (parts * (groups // distinct + 1))[:groups]
        together: List[int] = []
        span = timed_groups(self.session.run, self._groups, together)
        return Block([(ns + calls // 2) // calls for ns in together], groups * calls * self.batch, span)

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


def firsts(library: SampleLibrary, batch: int) -> range:
    """Where the staged queries of ``batch`` samples begin in the library: bounded in count and bytes."""
    size = max(1, library.query_bytes() * batch)
    distinct = max(1, library.count // batch)
    return range(0, max(1, min(distinct, POOL_COUNT, POOL_BYTES // size)) * batch, batch)


class WarmUp(NamedTuple):
    """A warm-up so far; ``unsteady_queries`` are those before the timings were steady, None while they are not."""

    queries: int
    duration_ns: int
    unsteady_queries: Optional[int]

    @property
    def settled(self) -> bool:
        """Whether the timings became steady."""
        return self.unsteady_queries is not None


def warm_up(issuer: Issuer, drained_ns: int, max_ns: int) -> Iterator[WarmUp]:
    """Issue blocks until they are steady or ``max_ns`` is spent; how it stands after each block.

    Each block is drained, and bounded by the drained query, so that a session which only enqueues cannot
    pile up work here.
    """
    start, queries, per_query_ns = perf_counter_ns(), 0, max(1, drained_ns)
    settling = Settling()
    while True:
        block = issuer.block(WARM_UP_BLOCK_NS // per_query_ns)
        count = block.samples // issuer.batch
        per_query_ns = max(1, block.span.wall_ns // count, issuer.drained_ns() // (count + 1))
        settling.add(float(np.median(block.latencies_ns)), block.span.wall_ns, count + 1)
        queries += count + 1
        so_far = WarmUp(queries, perf_counter_ns() - start, settling.unsteady_queries())
        yield so_far
        if so_far.settled or so_far.duration_ns >= max_ns:
            return
