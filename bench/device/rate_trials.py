"""The trials of a search for the highest rate: real queries at each rate that is asked for next."""

from __future__ import annotations

from time import perf_counter_ns
from typing import Any, Callable, Dict, List, Optional, Tuple, Union

import numpy as np

from .arrivals import NS_PER_S, Schedule, open_arrivals
from .bracket import Bracket
from .crew import Crew
from .lead import Lead, may_poll
from .line import Line, Rules
from .rate_search import LEAST_QUERIES, TRIALS, Aim, RateSearch
from .records import Job
from .scenarios import Issuer
from .serving import OpenLoop

OVER = 4.0
"""Queries beyond the limit that a trial near the answer is long enough for: of a p99 four of 400."""
SEEDS_APART = 1_000_003
"""Between the seeds of two trials: those of processes lie next to each other."""
Begin = Callable[[float, int, int], Union[OpenLoop, Crew]]
"""What serves the arrivals of a rate and a seed in a window (ns), from now on."""


def one_thread(issuer: Issuer, job: Job) -> Begin:
    """This thread alone, query by query."""

    lead = Lead(may_poll(threads=1))

    def begin(rate_per_s: float, seed: int, window_ns: int) -> OpenLoop:
        most = _most(rate_per_s, window_ns)
        return OpenLoop(issuer, job.arrivals, rate_per_s, seed, window_ns, most, lead=lead)

    return begin


def with_crew(crew: Crew, job: Job) -> Begin:
    """The crew, which stays at its stations from trial to trial."""

    def begin(rate_per_s: float, seed: int, window_ns: int) -> Crew:
        coming = Schedule(open_arrivals(job.arrivals, rate_per_s, seed), window_ns, _most(rate_per_s, window_ns))
        crew.follow(Line(coming, Rules(job.max_batch, job.max_wait_ns)))
        return crew

    return begin


def _most(rate_per_s: float, window_ns: int) -> int:
    return int(2 * rate_per_s * window_ns / NS_PER_S) + 1000


def search_rates(begin: Begin, job: Job, service_ns: int) -> Dict[str, Any]:
    """Search for as long as ``window_of`` says, ``TRIALS`` times; the fields of the record that says what was seen.

    ``service_ns`` is one query's time, roughly. No trial has fewer than ``LEAST_QUERIES``: where the model is too slow
    for that, the search ends without an answer.
    """
    window_ns, tried = window_of(job, service_ns), []  # type: int, List[List[float]]
    end = perf_counter_ns() + TRIALS * window_ns
    search, late_ns = _search_of(job, service_ns), []  # type: Union[RateSearch, Bracket], List[int]
    lowest = LEAST_QUERIES * NS_PER_S / window_ns
    while end - perf_counter_ns() > window_ns // 2:
        rate, seed = max(search.next_rate(), lowest), job.arrivals_seed + SEEDS_APART * (len(tried) + 1)
        latencies, late = _trial(begin(rate, seed, window_ns), window_ns)
        if len(latencies) < LEAST_QUERIES // 2:
            break
        p50, p90, p99 = np.percentile(latencies, (50, 90, 99), method="inverted_cdf")
        tried.append([rate, len(latencies), int(p50), int(p90), int(p99)])
        late_ns += [] if late is None else [late]
        search.observe(rate, open_arrivals(job.arrivals, rate, seed).next(len(latencies)), latencies)
    if tried:
        search.finish()
    late_p50_ns = sorted(late_ns)[len(late_ns) // 2] if late_ns else None
    seen = {"aims": job.aims, "trials": search.trials, "curves": search.curves, "tried": tried}
    return dict(seen, late_p50_ns=late_p50_ns)


def window_of(job: Job, service_ns: int) -> int:
    """How long one trial takes (ns): until ``OVER`` queries are beyond each limit where the model is all but busy.

    Between a tenth of ``job.min_search_ns`` and one of ``job.search_ns``. Trials that alone must tell (``max batch``)
    take the longest.
    """
    most = job.search_ns // TRIALS
    if job.max_batch > 1:
        return most
    least = (job.min_search_ns or job.search_ns) // TRIALS
    queries = max(5.0 * LEAST_QUERIES, *(OVER / (1 - q) for q, _ in job.aims))
    return min(most, max(least, int(queries * service_ns / job.workers)))


def _search_of(job: Job, service_ns: int) -> Union[RateSearch, Bracket]:
    aims = [Aim(q, int(limit)) for q, limit in job.aims]
    if job.max_batch > 1:
        return Bracket(aims, service_ns, job.workers)
    return RateSearch(aims, service_ns, job.arrivals, job.arrivals_seed, job.workers)


def _trial(loop: Union[OpenLoop, Crew], window_ns: int) -> Tuple[Any, Optional[int]]:
    """The latencies of all queries that arrive in the window, in order, and the median lateness of their issue.

    At most as long again to answer them.
    """
    latencies: List[int] = []
    until = perf_counter_ns() + 2 * window_ns
    while perf_counter_ns() < until:
        served = loop.block()
        if served is None:
            break
        latencies.extend(served.block.latencies_ns)
    return np.array(latencies, np.int64), loop.lateness.percentile(0.5)
