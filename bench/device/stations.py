"""Where the workers of a crew run: on one session that serves several threads, or each on a session of its own."""

from __future__ import annotations

import os
from contextlib import contextmanager
from time import perf_counter_ns
from typing import Any, Callable, ContextManager, Dict, Iterator, List, Optional, Sequence

from .adapter import Session
from .crew import Station
from .lead import punctual
from .library import SampleLibrary
from .scenarios import POOL_COUNT, firsts

WARM_NS = 100_000_000
"""How long a worker runs queries before the schedule begins, beyond the warm-up of the first session."""


def station_of(session: Session, library: SampleLibrary, batch: int, max_batch: int) -> Station:
    """A warm station of ``session``, its queries staged by the thread that will run them.

    For batches of several queries of ``batch`` samples, as many are staged of each size as hold ``POOL_COUNT``
    queries in all.
    """
    staged: Dict[int, Sequence[Any]] = {}
    for size in range(1, max_batch + 1):
        starts = firsts(library, batch * size)[: max(1, POOL_COUNT // size)]
        staged[size] = [session.stage(library.query(first, batch * size)) for first in starts]
    station = Station(session.run, getattr(session, "advance", None), staged, batch)
    _warm(station)
    return station


def _warm(station: Station) -> None:
    """Every size once, then all of them in turn for a while."""
    until, first = perf_counter_ns() + WARM_NS, True
    while first or perf_counter_ns() < until:
        for pool in station.staged.values():
            outputs = station.run(pool[0])
            if station.advance is not None:
                station.advance(outputs)
            if not first and perf_counter_ns() >= until:
                break
        first = False


@contextmanager
def pinned(core: Optional[int]) -> Iterator[None]:
    """This thread on that core alone, and afterwards where it may run now; None: wherever."""
    if core is None:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def cores_for(workers: int, threads: int) -> List[int]:
    """A core for each worker, where the system can pin threads and there are enough; else nothing.

    Only where a query runs in its worker's own thread: a framework's own threads go where they like.
    """
    if workers == 1 or threads > 1 or not hasattr(os, "sched_setaffinity"):
        return []
    usable = sorted(os.sched_getaffinity(0))
    return usable[:workers] if len(usable) >= workers else []


def others(
    opened: Callable[[], ContextManager[Session]], set_up: Callable[[Session], Station], cores: Sequence[Optional[int]]
) -> List[Callable[[], ContextManager[Station]]]:
    """What opens the station of each further worker in its own thread: pinned first, so that its session is too.

    Some frameworks keep per thread how many threads they may use, and whether they record gradients.
    """

    def opener(core: Optional[int]) -> Callable[[], ContextManager[Station]]:
        @contextmanager
        def station() -> Iterator[Station]:
            with pinned(core), opened() as session, punctual():
                yield set_up(session)

        return station

    return [opener(core) for core in cores]
