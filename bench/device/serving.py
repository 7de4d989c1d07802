"""The server scenario: an open loop, in which queries arrive by a schedule and wait where the model is not free.

One thread issues them in order of arrival to one session. Latency counts from the *scheduled* arrival, so
whatever holds a query up — the queries before it, a stall, a late issue — is in it, and nothing is omitted
because the system was too busy to be asked (Tene, "How NOT to measure latency", calls that coordinated omission).
"""

from __future__ import annotations

from time import perf_counter_ns
from typing import Any, List, NamedTuple, Optional

import numpy as np

from .arrivals import NS_PER_S, Offsets, Schedule, open_arrivals
from .lead import Lead, may_poll
from .loop import MAX_BLOCK, Span, open_block, wait_until
from .scenarios import BLOCK_NS, Block, Issuer

LOOK_BY_NS = 4 * BLOCK_NS
"""Longest between two looks at deadlines and records where there is no gap to look in."""
STEPS = 64
"""Buckets of lateness a doubling: 1.1 % wide."""


class ServedBlock(NamedTuple):
    """A block; how long the model was taken, and the most queries that were in the system at once."""

    block: Block
    busy_ns: int
    queue_max: int


class Lateness:
    """How late queries were issued, in buckets of 1.1 %: bounded, however long is measured."""

    def __init__(self) -> None:
        self.count = 0
        self._counts = np.zeros(64 * STEPS, np.int64)

    def add(self, late_ns: Any) -> None:
        """Take in an array of ns, none negative."""
        bucket = np.ceil(np.log2(late_ns + 1.0) * STEPS).astype(np.int64)
        self._counts += np.bincount(bucket, minlength=len(self._counts))
        self.count += len(late_ns)

    def percentile(self, q: float) -> Optional[int]:
        """The nearest rank's bucket, by its upper edge; None where nothing was added."""
        if not self.count:
            return None
        bucket = int(np.searchsorted(np.cumsum(self._counts), max(1, np.ceil(q * self.count))))
        return int(2 ** (bucket / STEPS) - 1)


class OpenLoop:
    """Issues the queries that arrive in ``window_ns``, at most ``most``, in blocks.

    A query that arrives while another runs waits for it. ``lateness`` is of those that found the model
    free: what the harness itself was late by (a wait in the queue is the model's). The schedule's zero
    is the first block's beginning. With a ``trace`` it is the recorded one, whose rate is ``rate_per_s``.
    ``lead`` is what another loop has learnt of sleeps here. ``between_ns`` is what the loop itself took from the end
    of one query to the issue of the next, where that had waited; None where a state moves on meanwhile.
    """

    def __init__(
        self,
        issuer: Issuer,
        kind: str,
        rate_per_s: float,
        seed: int,
        window_ns: int,
        most: int,
        trace: Optional[Offsets] = None,
        lead: Optional[Lead] = None,
    ) -> None:
        self.lateness, self.lead = Lateness(), lead or Lead(may_poll(threads=1))
        self.answered = 0
        self.between_ns: Optional[int] = None if issuer.advance else 0
        self._issuer = issuer
        self._timed = most * NS_PER_S / rate_per_s > window_ns
        self._coming = Schedule(open_arrivals(kind, rate_per_s, seed, trace), window_ns, most)
        self._counted = Schedule(open_arrivals(kind, rate_per_s, seed, trace), window_ns, most)
        self._arrived = 0
        self._size = min(MAX_BLOCK, 16 + int(rate_per_s * LOOK_BY_NS / NS_PER_S))
        self._start_ns, self._free_ns = 0, 0
        self._stopped = False

    def block(self) -> Optional[ServedBlock]:
        """The next block, its span from the last one's end; None when all that arrived is answered.

        Where nothing more arrives, the last block goes on to the window's end: that nothing came is
        part of the rate.
        """
        if not self._start_ns:
            self._start_ns = self._free_ns = perf_counter_ns()
        due = self._coming.peek(self._size) + self._start_ns
        if self._stopped or not len(due):
            return None
        issued, ended = self._issue(due.tolist())
        due = due[: len(ended)]
        self._coming.take(len(ended))
        before_ns = self._free_ns
        free = np.concatenate([[before_ns], ended[:-1]])
        waited = due <= free
        self.lateness.add((issued - due)[~waited])
        if self.between_ns is not None:
            self.between_ns += int((issued - free)[waited].sum())
        queue_max = self._most_in_system(ended)
        self.answered += len(ended)
        self._free_ns = int(ended[-1])
        if self._timed and not len(self._coming.peek(1)):
            wait_until(self._start_ns + self._coming.window_ns)
            self._free_ns = perf_counter_ns()
        block = Block((ended - due).tolist(), len(ended) * self._issuer.batch, self._span(before_ns))
        return ServedBlock(block, int((ended - np.where(waited, free, issued)).sum()), queue_max)

    def stop(self) -> None:
        """Issue nothing more: no further block."""
        self._stopped = True

    def unanswered(self) -> int:
        """Queries that have arrived by now and are not answered; nothing can be issued any more after this."""
        self._arrived += len(self._counted.until(perf_counter_ns() - self._start_ns))
        return self._arrived - self.answered

    def _issue(self, due_ns: List[int]) -> Any:
        issuer, at = self._issuer, self.answered % len(self._issuer.pool)
        pool = issuer.pool[at:] + issuer.pool[:at]
        staged = pool * (len(due_ns) // len(pool) + 1)
        issued: List[int] = []
        ended: List[int] = []
        now = perf_counter_ns()
        open_block(
            issuer.session.run,
            issuer.advance,
            staged,
            due_ns,
            now + BLOCK_NS,
            now + LOOK_BY_NS,
            issued,
            ended,
            self.lead,
        )
        return np.array(issued, np.int64), np.array(ended, np.int64)

    def _most_in_system(self, ended: Any) -> int:
        """The queue is longest just before a query ends: all that have arrived, less those that ended before."""
        offsets = ended - self._start_ns
        new = self._counted.until(int(offsets[-1]))
        arrived = self._arrived + np.searchsorted(new, offsets, side="right")
        self._arrived += len(new)
        return int((arrived - self.answered - np.arange(len(ended))).max())

    def _span(self, before_ns: int) -> Span:
        return Span(before_ns, self._free_ns - before_ns)
