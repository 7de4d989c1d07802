"""What one fresh process says of each metric, and how it votes on a limit.

What is made of many timings (a percentile, a mean, a throughput) is the process's own only as well as these tell: a
limit that is nearer to it than that counts for neither answer. All else is one number a process.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.contract.model import Requirement
from bench.device.records import NEVER_NS
from bench.judge.max_rate import highest
from bench.judge.metered import metered
from bench.judge.serving import lost_figure
from bench.judge.swamped import least_ns
from bench.judge.timing import is_timed, overlapped, rates
from bench.judge.verdict import keeps
from bench.metrics import LOST, MEMORY, METERED, START_PHASES, THROUGHPUT, max_rate_of, percentile_of
from bench.results import ProcessRun
from bench.stats.pool import Estimate, Pool, mean, mean_of, needed, rank

Timings = Callable[[ProcessRun], NDArray[np.uint64] | None]
"""The raw latencies (ns) of a process run, in order of issue."""
_PHASE_OF = {"start time": "start", "import time": "import", "load time": "load", "first query time": "first-query"}
_STARTS, _MEMORY, _LOST = (frozenset(metric.name for metric in some) for some in (START_PHASES, MEMORY, LOST))
_METERED = frozenset(metric.name for metric in METERED)
_OF_ONE = _STARTS | _MEMORY | _LOST | _METERED
"""Metrics of which each process tells one number."""
CLEAR = 0.2
"""Confidence of the interval beyond which a limit on a mean, a throughput or a median must lie for a vote.

At even odds (0) a process that ended early votes on a limit next to its own value by chance, and a burst that came a
little too rarely, or a few such processes of a small population, make one side's share 52 or 53 % at the very truth:
then votes are wrong in 1.1 to 1.3 % of runs. So near, votes are not told, and neither side comes near to a half. Above
the median even odds are far enough apart, because there are few timings: more would only cost answers.
"""


@dataclass(frozen=True)
class Reading:
    """One process's own value of a metric, and between what it lies, as surely as a vote takes (``CLEAR``).

    Each None where it cannot tell.
    """

    value: float | None = None
    low: float | None = None
    high: float | None = None


def is_voted(metric: str) -> bool:
    """Whether an adaptive case decides the metric by votes: all that each process has of its own."""
    return is_timed(metric) or metric in _OF_ONE or max_rate_of(metric) is not None


def reading(metric: str, run: ProcessRun, latencies: NDArray[np.uint64] | None) -> Reading:
    """The process's own figure; nothing for one that failed before all was measured."""
    if not run.is_whole:
        return Reading()
    if metric in _STARTS:
        return _exactly(start_ns(metric, run))
    if metric in _MEMORY:
        return _exactly(memory_bytes(metric, run))
    if metric in _METERED:
        return _exactly(metered(metric, run))
    if metric in _LOST:
        lost = lost_figure(metric, [run])
        return Reading() if lost is None else Reading(lost.value, lost.low, lost.high)
    if metric == THROUGHPUT.name:
        rate = rates(run.blocks)
        return Reading() if rate is None else _between(mean_of([rate], len(run.blocks), CLEAR))
    if max_rate_of(metric):
        found = highest(run, metric)
        return _exactly(None if found is None else found.rate_per_s)
    if latencies is None or not len(latencies) or overlapped(run):
        return Reading()
    q = percentile_of(metric)
    if q is not None:
        return _at_least(least_ns(metric, run, latencies), _percentile(q, latencies))
    own = None if latencies.max() >= NEVER_NS else mean([latencies], CLEAR)
    return Reading() if own is None else _between(own)


def start_ns(metric: str, run: ProcessRun) -> int | None:
    """The cold start or one of its phases, as the process told it."""
    if metric not in _PHASE_OF:
        return run.cold_start_ns
    return next((one.duration_ns for one in run.phases if one.name == _PHASE_OF[metric]), None)


def memory_bytes(metric: str, run: ProcessRun) -> int | None:
    """What the process held at most; ``added memory``: beyond what it held once its framework was imported."""
    memory = run.memory
    if memory is None or memory.peak_bytes is None or metric == MEMORY[0].name:
        return None if memory is None else memory.peak_bytes
    return None if memory.import_bytes is None else max(0, memory.peak_bytes - memory.import_bytes)


def _exactly(value: float | None) -> Reading:
    return Reading(value, value, value)


def _between(one: Estimate) -> Reading:
    """A mean and its interval; the mean alone where it has none, of fewer than 4 timings or blocks."""
    if one.low is None or one.high is None:
        return _exactly(one.value)
    return Reading(one.value, one.low, one.high)


def _percentile(q: float, latencies: NDArray[np.uint64]) -> Reading:
    """Where so few timings have no end that is as sure as ``CLEAR``, the one at even odds stands for it."""
    pool = Pool([latencies])
    low, high, _ = pool.even_odds(q)
    told = pool.count >= needed(q) or (low is not None and high is not None)
    if q <= 0.5:
        surer_low, surer_high, _ = pool.between(q, CLEAR)
        low, high = low if surer_low is None else surer_low, high if surer_high is None else surer_high
    return Reading(float(pool.at(rank(q, pool.count))) if told else None, low, high)


def _at_least(least: float | None, one: Reading) -> Reading:
    """The reading of a process whose queue grew: what it has already, its percentile is at least."""
    if least is None:
        return one
    return Reading(one.value, least, None if one.high is None else max(least, one.high))


def vote(requirement: Requirement, one: Reading) -> bool | None:
    """Whether the process keeps the limit; None where both is as likely, or nothing was measured."""
    sides = [None if end is None else keeps(requirement, end) for end in (one.low, one.high)]
    worst, best = (sides[1], sides[0]) if requirement.direction == "at most" else (sides[0], sides[1])
    if worst:
        return True
    return None if best is None or best else False
