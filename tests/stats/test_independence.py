"""The check of independence: it lets independent calls pass, and finds what makes them depend on each other."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats as scipy_stats

from bench.stats.independence import PLAIN, Independence, _centred_ranks, _normal, _stretches, independence
from tests.stats.series import Rng, autoregressive, bursty, independent, timings

Series = Callable[[Rng, int], NDArray[np.float64]]


def checked(
    series: Series, count: int, processes: int = 6, q: float = 0.9, effect: float = 0.0, seed: int = 1
) -> Independence:
    rng = np.random.default_rng([20260101, seed])
    made = [timings(series(rng, count), effect * rng.normal()) for _ in range(processes)]
    limit = np.quantile(np.concatenate(made), q)
    return independence(made, [one > limit for one in made])


def passed(series: Series, count: int, effect: float = 0.0, runs: int = 200) -> float:
    return sum(checked(series, count, effect=effect, seed=seed).holds for seed in range(runs)) / runs


@pytest.mark.parametrize("count", [8, 40, 400])
def test_independent_calls_mostly_pass_and_are_never_plainly_dependent(count: int) -> None:
    assert passed(independent, count) >= 0.75
    assert not any(checked(independent, count, seed=seed).is_refuted for seed in range(200))


@pytest.mark.parametrize("count", [8, 40, 400])
def test_calls_that_depend_on_the_one_before_never_pass(count: int) -> None:
    assert passed(autoregressive, count) == 0


def test_a_weak_dependence_needs_more_calls_to_be_seen() -> None:
    def weak(rng: Rng, count: int) -> NDArray[np.float64]:
        return autoregressive(rng, count, phi=0.3)

    assert 0 < passed(weak, 20) < 0.7
    assert passed(weak, 150) <= 0.01


def test_processes_that_differ_are_seen_as_soon_as_it_matters() -> None:
    """By 2 %, where the calls of one vary by 10 %: 25 calls cannot tell, and 400 cannot but tell."""
    assert passed(independent, 25, effect=0.02) > 0.2
    assert passed(independent, 400, effect=0.02) <= 0.01


def test_bursts_are_seen_where_there_are_any() -> None:
    assert passed(bursty, 1500) <= 0.01


def test_a_slow_drift_is_seen_in_the_stretches() -> None:
    def drifting(rng: Rng, count: int) -> NDArray[np.float64]:
        return rng.normal(size=count) + np.linspace(-0.5, 0.5, count)

    found = checked(drifting, 400)
    assert not found.holds
    assert dict(found.stretches)[4] > PLAIN > dict(found.stretches)[1]


def test_rare_calls_over_the_limit_that_come_in_pairs_are_seen() -> None:
    made, over = [np.arange(500, dtype=np.uint64)] * 6, [np.zeros(500, dtype=bool) for _ in range(6)]
    for one in over[:3]:
        one[[100, 101]] = True
    assert independence(made, over).pairs
    for one in over:
        one[:] = False
        one[[100, 300]] = True
    assert not independence(made, over).pairs


def test_calls_that_all_take_the_same_time_say_nothing() -> None:
    found = independence([np.full(50, 7, dtype=np.uint64)] * 6, [np.zeros(50, dtype=bool)] * 6)
    assert (found.holds, found.effective) == (True, 1.0)


def test_the_effective_share_falls_with_the_dependence() -> None:
    plain, dependent = checked(independent, 400), checked(autoregressive, 400)
    assert plain.effective > 0.5
    assert dependent.effective < 0.1


def test_ranks_and_the_statistic_are_scipys() -> None:
    rng = np.random.default_rng(5)
    groups = [rng.integers(0, 50, 30).astype(np.uint64) for _ in range(4)]
    ranks = _centred_ranks(np.concatenate(groups))
    assert ranks == pytest.approx(scipy_stats.rankdata(np.concatenate(groups)) - 121 / 2)
    chi_square, df = _stretches(np.split(ranks, 4), 1, float(np.mean(ranks**2)))
    assert df == 3
    assert chi_square == pytest.approx(scipy_stats.kruskal(*groups).statistic)


@pytest.mark.parametrize("df", [3, 23, 95])
@pytest.mark.parametrize("z", [-1.0, 1.3, 2.0])
def test_the_chi_square_made_normal_is_as_rare(df: int, z: float) -> None:
    assert _normal(float(scipy_stats.chi2.isf(scipy_stats.norm.sf(z), df)), df) == pytest.approx(z, abs=0.04)
