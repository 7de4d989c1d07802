"""How often the promise of the pool is wrong: the project's own bets on each process's share of calls over a limit.

The truth is the percentile of all calls of all processes. At it *met* is counted of a limit that fewer calls keep than
was promised, and *missed* of the next one, that enough of them keep: timings are whole ns, and many are equal.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bench.contract.model import Requirement
from bench.judge.pooled import shares_over
from bench.stats.betting import FRACTIONS, grown
from bench.stats.sequential import ERROR_RATE
from tests.judge.cases import requirement
from tests.judge.ended import Ended
from tests.judge.populations import Population
from tests.judge.wrong import QUANTILES, Answers, Draws

Shares = NDArray[np.float64]
MOST = {"latency p50": 100, "latency p90": 400, "latency p99": 1000}
"""Processes of a run: several times as many as show the percentile kept if not one call is over the limit."""


def at_the_truth(population: Population, metric: str, draws: Draws) -> Answers:
    """What the bets say of each run, about limits at the pool's own percentile."""
    q = QUANTILES[metric]
    value, most = population.pool_ns(q), round(1 - q, 9)
    over = np.mean([np.mean(one > value) for one in population.timings])
    below = value if over >= most else value - 1
    by_limit = {
        limit: decided(shares(population, requirement("single-stream", metric, limit)), draws, most)
        for limit in {below, value}
    }
    met, missed = by_limit[below][0], by_limit[value][1]
    return Answers(1.0, len(draws), int(met.sum()), int(missed.sum()))


def shares(population: Population, limit: Requirement) -> Shares:
    """Each process's share of calls over the limit, once the rule of that promise has ended it."""
    found = []
    for run, own in zip(population.runs, population.timings, strict=True):
        made = own[: Ended(run, own, run.blocks, pooled=True).after(limit)]
        share = shares_over(limit, run, made).looser
        assert share is not None
        found.append(share)
    return np.array(found)


def decided(
    shares: Shares, draws: Draws, most: float, error_rate: float = ERROR_RATE
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which runs say *met*, and which *missed*: ``stats.betting.decide`` of all runs at once."""
    runs = len(draws)
    kept, lost = ([np.ones(runs) for _ in FRACTIONS] for _ in range(2))
    met, missed = np.zeros(runs, bool), np.zeros(runs, bool)
    for drawn_now in draws.T:
        share = shares[drawn_now]
        kept, lost = grown(kept, most, share), grown(lost, 1 - most, 1 - share)
        for_kept, for_lost = np.mean(kept, axis=0), np.mean(lost, axis=0)
        now = ~(met | missed) & (np.maximum(for_kept, for_lost) * error_rate >= 1)
        met, missed = met | (now & (for_kept >= for_lost)), missed | (now & (for_kept < for_lost))
    return met, missed
