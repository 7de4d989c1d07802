"""The promise of the pool is wrong at most as often as it says: on simulated processes, and on recorded ones."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

import numpy as np
import pytest

from bench.stats.betting import decide
from tests.judge import recorded
from tests.judge.by_pool import MOST, Shares, at_the_truth, decided, shares
from tests.judge.cases import process, requirement
from tests.judge.populations import HARSH, KINDS, Population, simulated
from tests.judge.test_wrong import AT_MOST, BOUND, RECORDED
from tests.judge.wrong import METRICS, bound, drawn

SEED, RUNS, PROCESSES = 20260101, 2000, 200


@lru_cache(maxsize=len(KINDS) + len(HARSH) + 1)
def population_of(name: str) -> Population:
    if name == "recorded":
        return recorded.read(RECORDED)[0]
    return simulated(name, PROCESSES, 2000, SEED)


@pytest.mark.parametrize("name", [*KINDS, *HARSH, "recorded"])
@pytest.mark.parametrize("metric", METRICS)
def test_bets_on_the_pool_are_wrong_at_most_as_often_as_stated(name: str, metric: str) -> None:
    population = population_of(name)
    draws = drawn(len(population.runs), RUNS, SEED, MOST[metric])
    found = at_the_truth(population, metric, draws)
    for wrong in (found.met, found.missed):
        assert wrong / RUNS <= AT_MOST
        assert bound(wrong, RUNS) <= BOUND


SOME: Mapping[str, Shares] = {
    "half of them slow": np.array([0.0, 1.0]),
    "near the truth": np.array([0.06, 0.14, 0.1, 0.02]),
    "plainly kept": np.array([0.0, 0.01]),
}


@pytest.mark.parametrize("name", SOME)
@pytest.mark.parametrize("most", [0.5, 0.1])
def test_runs_that_are_decided_together_are_decided_as_each_alone(name: str, most: float) -> None:
    draws = drawn(len(SOME[name]), 30, SEED, 80)
    met, missed = decided(SOME[name], draws, most)
    alone = [decide(SOME[name][row].tolist(), most).keeps for row in draws]
    assert [True if one else False if other else None for one, other in zip(met, missed, strict=True)] == alone


def test_a_share_is_of_all_calls_that_a_process_makes() -> None:
    """Its first calls were slow, or its last ones: the pool has all of them."""
    calls = np.repeat(np.array([3_000_000, 1_000_000], np.uint64), 500)
    both = Population("known", (process(0), process(1)), (calls, calls[::-1]))
    assert shares(both, requirement("single-stream", "latency p50", 2e6)).tolist() == [0.5, 0.5]
