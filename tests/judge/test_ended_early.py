"""Processes that end where the rule ends them vote as longer ones would, and end soon where their limit is far."""

from __future__ import annotations

from functools import lru_cache
from statistics import median

import numpy as np
import pytest
from numpy.typing import NDArray

from bench.contract.model import Requirement
from bench.judge.stop import FOUNDED, SEEN, SEEN_BURSTS
from bench.stats.pool import needed
from tests.judge.cases import process, requirement
from tests.judge.ended import Ended
from tests.judge.populations import HARSH, KINDS, Population, simulated
from tests.judge.wrong import AVERAGES, METRICS, Voted, truth, voted

PROCESSES, MANY, CALLS = 60, 600, 2000
BURSTS = "bursts of 40 calls"
Timings = NDArray[np.uint64]


@lru_cache(maxsize=len(KINDS))
def population_of(name: str) -> Population:
    return simulated(name, PROCESSES, CALLS, seed=20260101)


def limit_at(name: str, metric: str, factor: float) -> Requirement:
    return requirement("single-stream", metric, factor * truth(population_of(name), metric).missed)


@lru_cache(maxsize=len(KINDS) * len(METRICS) * 4)
def voted_at(name: str, metric: str, factor: float) -> Voted:
    limit = limit_at(name, metric, factor)
    return voted(population_of(name), [limit])[limit]


def ended_after(limit: Requirement, timings: Timings) -> int:
    return Ended(process(0), timings).after(limit)


def shares(name: str, metric: str, factor: float) -> tuple[float, float]:
    """The shares of the processes that vote within the limit, and that vote outside."""
    votes = list(voted_at(name, metric, factor).votes)
    return votes.count(True) / PROCESSES, votes.count(False) / PROCESSES


@pytest.mark.parametrize("name", [*KINDS, *HARSH])
@pytest.mark.parametrize("metric", [*METRICS, *AVERAGES])
def test_at_the_truth_neither_side_has_more_than_half_of_the_votes(name: str, metric: str) -> None:
    """All that the votes' error rate asks for. A vote after a part of the calls is chance, so many processes tell."""
    population = simulated(name, MANY, CALLS, seed=20260101)
    limit = requirement("single-stream", metric, truth(population, metric).missed)
    votes = list(voted(population, [limit])[limit].votes)
    assert max(votes.count(True), votes.count(False)) <= 0.5 * MANY + 2.6 * (0.25 * MANY) ** 0.5


@pytest.mark.parametrize("name", [BURSTS, "AR(1), correlation 0.95"])
@pytest.mark.parametrize("metric", METRICS)
def test_a_limit_5_percent_too_low_has_no_more_than_a_few_votes(metric: str, name: str) -> None:
    """Two bursts come in 1,600 calls: a process that ended before one came would vote that all is well."""
    assert shares(name, metric, 0.95)[0] <= 0.3


@pytest.mark.parametrize(("name", "metric"), [*zip(HARSH, ["latency mean", "latency p90"], strict=True)])
def test_a_limit_10_percent_too_low_has_the_fewer_votes_however_much_a_burst_weighs(name: str, metric: str) -> None:
    """Ended after 150 calls, before a burst came, nearly all would vote that it is kept."""
    population = simulated(name, MANY, CALLS, seed=20260101)
    limit = requirement("single-stream", metric, 0.9 * truth(population, metric).missed)
    votes = list(voted(population, [limit])[limit].votes)
    assert votes.count(True) < min(votes.count(False), 0.45 * MANY)


@pytest.mark.parametrize(("factor", "side"), [(0.8, 1), (1.2, 0)])
@pytest.mark.parametrize("name", KINDS)
def test_a_vote_on_a_far_limit_is_hardly_ever_wrong(name: str, factor: float, side: int) -> None:
    for metric in METRICS:
        found = shares(name, metric, factor)
        assert found[side] >= 0.5 and found[1 - side] <= 0.2, (metric, found)


@pytest.mark.parametrize("metric", METRICS)
def test_a_far_limit_ends_a_process_sooner_than_one_that_is_near(metric: str) -> None:
    name = "AR(1), correlation 0.95"
    near, low = (median(voted_at(name, metric, factor).after) for factor in (1.0, 0.8))
    assert low <= (near if metric == METRICS[0] else near / 4)
    assert low <= 150


def test_a_percentile_is_not_called_met_before_bursts_had_the_time_to_come() -> None:
    steady = np.full(CALLS, 10**6, np.uint64)
    fewest = {metric: ended_after(requirement("single-stream", metric, 9e6), steady) for metric in METRICS}
    assert fewest["latency p50"] == 100
    assert fewest["latency p90"] == 1475 >= SEEN_BURSTS
    assert fewest["latency p99"] == 1475 >= FOUNDED * needed(0.99)
    assert ended_after(requirement("single-stream", "latency mean", 9e6), steady) == 1475
    near = {metric: ended_after(requirement("single-stream", metric, 1e6), steady) for metric in METRICS}
    assert near["latency p50"] >= SEEN_BURSTS
    assert ended_after(requirement("single-stream", "latency mean", 1e6), steady) >= SEEN_BURSTS
    assert near["latency p90"] >= SEEN * needed(0.9)
