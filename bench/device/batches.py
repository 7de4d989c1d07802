"""``batch: best``: the smallest batch whose throughput nothing beats by more than noise, found in rounds.

One block a size tells little: a moment of other work makes its size look bad, for good. So all sizes
are tried in turn, several times, and the best of each is compared: other work only ever slows a try down.
"""

from __future__ import annotations

from time import perf_counter_ns
from typing import Callable, Iterator, List, Sequence, Tuple

from .adapter import Session
from .library import SampleLibrary
from .scenarios import Issuer

BEST_BATCH_MAX = 256
ROUNDS = 7
"""Times that each size is tried, at most; the first time is on the way up, when it is new."""
TRY_NS = 30_000_000
"""About how long one try of one size takes, one query at least."""
SEARCH_NS = 5_000_000_000
"""No try begins that would end after this, as far as can be foreseen."""
FALLEN = 0.7
IN_A_ROW = 3
"""So many sizes in a row, each below ``FALLEN`` of the best so far, end the way up."""
ABOUT_BEST = 0.95
"""The smallest size with this share of the best throughput is taken: it answers sooner and needs less memory."""


class _Size:
    """One batch size, ready to be tried: the best throughput of its tries, and how long the last one took."""

    def __init__(self, session: Session, library: SampleLibrary, batch: int, overlapped: bool) -> None:
        self._issuer = Issuer(session, library, batch, overlapped)
        self._issuer.drained_ns()
        self._queries = max(1, TRY_NS // max(1, self._issuer.drained_ns()))
        self.rate = 0.0
        self.took_ns = 0

    def attempt(self) -> None:
        block = self._issuer.block(self._queries)
        self.took_ns = block.span.wall_ns
        self.rate = max(self.rate, block.samples * 1e9 / max(1, block.span.wall_ns))


def best_batch(
    session: Session, library: SampleLibrary, overlapped: bool, stopped: Callable[[], bool]
) -> Tuple[int, List[Tuple[int, float]]]:
    """The best power of two, and every batch size tried with its best throughput in samples a second."""
    until = perf_counter_ns() + SEARCH_NS

    def ended(took_ns: int) -> bool:
        return stopped() or perf_counter_ns() + took_ns > until

    sizes = dict(_way_up(session, library, overlapped, ended))
    _rounds(list(sizes.values()), ended)
    tried = [(batch, size.rate) for batch, size in sizes.items()]
    best = max((rate for _, rate in tried), default=0.0)
    return next((batch for batch, rate in tried if rate >= ABOUT_BEST * best), 1), tried


def _way_up(
    session: Session, library: SampleLibrary, overlapped: bool, ended: Callable[[int], bool]
) -> Iterator[Tuple[int, _Size]]:
    """Each size once, doubling, until ``IN_A_ROW`` have fallen."""
    best, batch, fallen, took_ns = 0.0, 1, 0, 0
    while batch <= BEST_BATCH_MAX and fallen < IN_A_ROW and not ended(2 * took_ns):
        begin = perf_counter_ns()
        size = _Size(session, library, batch, overlapped)
        size.attempt()
        took_ns = perf_counter_ns() - begin
        fallen = fallen + 1 if size.rate < FALLEN * best else 0
        best = max(best, size.rate)
        yield batch, size
        batch *= 2


def _rounds(sizes: Sequence[_Size], ended: Callable[[int], bool]) -> None:
    for _ in range(ROUNDS - 1):
        for size in sizes:
            if ended(size.took_ns):
                return
            size.attempt()
