"""Variances and effective sizes against closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from bench.stats.dependence import (
    COARSE,
    FINE,
    Series,
    Uncertainty,
    between,
    edges,
    effective_size,
    pooled_mean,
    series,
    uncertainty,
    within,
)
from bench.stats.distributions import normal_z, student_t
from tests.stats.series import autoregressive, independent


def cut(values: NDArray[np.float64]) -> Series:
    cuts = edges(len(values))
    return series(np.add.reduceat(values, cuts[:-1]), np.diff(cuts).astype(float))


def found_within(values: NDArray[np.float64]) -> float:
    one = within([cut(values)])
    assert one is not None
    return one.variance


def shares(*means: float, weight: float = 1000) -> list[Series]:
    return [Series(weight, mean, (np.full(COARSE, mean),)) for mean in means]


@pytest.mark.parametrize(("count", "stretches"), [(1, 1), (3, 1), (4, 2), (15, 7), (16, COARSE), (63, 8), (64, FINE)])
def test_stretches_cover_everything_once(count: int, stretches: int) -> None:
    cuts = edges(count)
    assert len(cuts) == stretches + 1
    assert (cuts[0], cuts[-1]) == (0, count)
    assert (np.diff(cuts) > 0).all()


def test_the_pooled_mean_weighs_processes_by_what_they_hold() -> None:
    assert pooled_mean([cut(np.full(10, 1.0)), cut(np.full(30, 2.0))]) == pytest.approx(1.75)


@pytest.mark.parametrize("phi", [0.0, 0.8, 0.95])
def test_batch_means_find_the_variance_of_an_autocorrelated_mean(phi: float) -> None:
    rng, count = np.random.default_rng(1), 4000
    draws = [found_within(autoregressive(rng, count, phi) if phi else independent(rng, count)) for _ in range(60)]
    exact = (1 + phi) / (1 - phi) / count
    assert 0.8 < np.mean(draws) / exact < 1.6


def test_a_slow_drift_is_seen_by_the_long_stretches() -> None:
    rng = np.random.default_rng(2)
    drifting = independent(rng, 4000) * 0.1 + np.linspace(0, 1, 4000)
    one = cut(drifting)
    fine, coarse = (np.var(means, ddof=1) / len(means) for means in one.stretches)
    assert coarse > 3 * fine
    assert found_within(drifting) == pytest.approx(coarse)


def test_short_stretches_count_where_they_differ_more() -> None:
    alternating = np.tile(np.repeat([0.0, 1.0], 125), 16)
    assert found_within(alternating) == pytest.approx(np.var([0, 1] * 16, ddof=1) / FINE)


def test_between_processes_it_is_the_variance_of_their_means() -> None:
    found = between(shares(1.0, 2.0, 4.0))
    assert found is not None
    assert found.variance == pytest.approx(np.var([1, 2, 4], ddof=1) / 3)
    assert found.df == 2
    assert between(shares(1.0)) is None


def test_the_larger_variance_counts() -> None:
    rng = np.random.default_rng(3)
    alike = [cut(autoregressive(rng, 2000, 0.9)) for _ in range(3)]
    unlike = [cut(independent(rng, 2000) + at) for at in (0, 5, 10)]
    inside, apart = within(alike), between(unlike)
    assert inside is not None
    assert apart is not None
    assert uncertainty(unlike) == apart
    likely = uncertainty(alike)
    assert likely is not None
    assert likely.variance >= inside.variance


def test_too_little_tells_nothing() -> None:
    assert uncertainty([cut(np.array([1.0, 2.0, 3.0]))]) is None
    assert effective_size([cut(np.array([1.0, 0.0, 1.0]))], None) == 1


@pytest.mark.parametrize("df", [2, 7, 1000])
def test_the_effective_size_is_the_count_over_design_effect_and_students_inflation(df: int) -> None:
    processes = shares(0.9, 0.9)
    independent_variance = 0.9 * 0.1 / 2000
    inflation = (student_t(df, 0.95) / normal_z(0.95)) ** 2
    assert effective_size(processes, Uncertainty(10 * independent_variance, df)) == int(200 / inflation)


def test_the_effective_size_is_never_more_than_the_count() -> None:
    assert effective_size(shares(0.5, 0.5), Uncertainty(1e-12, 10_000)) <= 2000
    assert effective_size(shares(1.0, 1.0), Uncertainty(0.0, 10_000)) <= 2000


def test_an_interval_of_a_mean_is_students() -> None:
    assert Uncertainty(4.0, 2).half_width() == pytest.approx(2 * 4.302652729749464)
