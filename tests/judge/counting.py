"""Three ways to decide about one limit, on simulated processes: votes, calls counted as independent, MLPerf's rule.

Timings are log-normal (sigma 0.1), each correlated with the one before by 0.95, and processes differ by 2 %. The
limit is the typical process's own p90, or so much off it, so at the truth each answer is wrong.
"""

from __future__ import annotations

from functools import lru_cache
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

from bench.judge.readings import Reading, reading, vote
from bench.results import ProcessRun
from bench.stats.sequential import Decision, can_be_decided, decide
from tests.judge.cases import process, requirement
from tests.judge.rules import by_calls, by_early_stopping
from tests.stats.series import MEDIAN_NS, NOISE, timings

Q, CALLS, PHI, EFFECT, MOST, RUNS = 0.9, 2000, 0.95, 0.02, 40, 200
TRUTH_NS = float(np.exp(np.log(MEDIAN_NS) + NOISE * NormalDist().inv_cdf(Q)))


@lru_cache(maxsize=1)
def runs() -> list[list[NDArray[np.uint64]]]:
    """Every run's processes' timings."""
    rng, scale = np.random.default_rng(20260101), np.sqrt(1 - PHI**2)
    noise = rng.normal(size=(RUNS, MOST, CALLS + 200))
    values = lfilter([scale], [1, -PHI], noise, axis=-1)[:, :, 200:]
    return [[timings(one, EFFECT * rng.normal()) for one in run] for run in values]


@lru_cache(maxsize=1)
def readings() -> list[list[Reading]]:
    """Every process's own p90 and what it may vote with."""
    blank: ProcessRun = process(0)
    return [[reading("latency p90", blank, one) for one in run] for run in runs()]


def voted(factor: float) -> list[Decision]:
    """Each run's decision about a limit ``factor`` times the truth."""
    limit = requirement("single-stream", "latency p90", factor * TRUTH_NS)
    found = []
    for run in readings():
        votes: list[bool | None] = []
        while len(votes) < MOST and (now := decide(votes)).keeps is None and can_be_decided(now, MOST - len(votes)):
            votes.append(vote(limit, run[len(votes)]))
        found.append(decide(votes))
    return found


def counted(processes: int) -> int:
    """Runs in which a 98 % interval of calls taken as independent lies clear of the truth: 1 % each way."""
    wrong = 0
    for run in runs():
        pool = np.sort(np.concatenate(run[:processes]))
        low, high = by_calls(pool, Q)
        wrong += low > TRUTH_NS or high <= TRUTH_NS
    return wrong


def mlperf(processes: int) -> int:
    """Runs in which MLPerf's estimate, which claims to be below the truth 1 % of the time, is."""
    wrong = 0
    for run in runs():
        pool = np.sort(np.concatenate(run[:processes]))
        wrong += by_early_stopping(pool, Q) < TRUTH_NS
    return wrong
