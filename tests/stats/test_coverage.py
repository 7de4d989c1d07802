"""How often an interval holds the truth, on series whose truth is known. Seeds are fixed."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from bench.stats.distributions import binomial_ranks
from bench.stats.pool import Pool, rank
from tests.stats.series import Rng, autoregressive, bursty, independent, timings

Draw = Callable[[Rng, int], NDArray[np.float64]]
TRIES, COUNT = 120, 1500


def truth(draw: Draw, q: float | None, effect: float) -> float:
    """The percentile (or mean) of everything such processes could give."""
    rng = np.random.default_rng(99)
    many = np.concatenate([timings(draw(rng, 20_000), effect * rng.normal()) for _ in range(60)])
    return float(many.mean() if q is None else np.sort(many)[rank(q, len(many)) - 1])


def naive(runs: list[NDArray[np.uint64]], q: float) -> tuple[float, float]:
    """The interval that takes every timing as independent."""
    ordered = np.sort(np.concatenate(runs))
    low, high = binomial_ranks(len(ordered), q, 0.95)
    return float(ordered[max(low, 1) - 1]), float(ordered[min(high, len(ordered)) - 1])


def coverage(draw: Draw, q: float | None, effect: float, processes: int = 3, count: int = COUNT) -> tuple[float, float]:
    """Share of tries in which our interval, and the naive one, hold the truth."""
    rng, true = np.random.default_rng(7), truth(draw, q, effect)
    ours = theirs = 0
    for _ in range(TRIES):
        runs = [timings(draw(rng, count), effect * rng.normal()) for _ in range(processes)]
        estimate = Pool(runs).mean() if q is None else Pool(runs).percentile(q)
        assert estimate is not None
        assert estimate.low is not None
        assert estimate.high is not None
        ours += estimate.low <= true <= estimate.high
        low, high = (true, true) if q is None else naive(runs, q)
        theirs += low <= true <= high
    return ours / TRIES, theirs / TRIES


@pytest.mark.parametrize("q", [0.5, 0.9, 0.99, None])
def test_the_interval_of_independent_timings_holds_the_truth_as_often_as_it_says(q: float | None) -> None:
    assert coverage(independent, q, 0.0)[0] >= 0.93


@pytest.mark.parametrize("q", [0.5, 0.9, 0.99])
def test_autocorrelated_timings_are_not_taken_for_independent_ones(q: float) -> None:
    ours, theirs = coverage(autoregressive, q, 0.0)
    assert ours >= 0.9
    assert theirs < 0.75


def test_bursts_are_not_taken_for_independent_timings() -> None:
    ours, theirs = coverage(bursty, 0.95, 0.0)
    assert ours >= 0.85
    assert theirs < 0.6


@pytest.mark.parametrize("effect", [0.01, 0.05])
@pytest.mark.parametrize("q", [0.5, 0.95])
def test_processes_that_differ_are_seen(q: float, effect: float) -> None:
    ours, theirs = coverage(independent, q, effect)
    assert ours >= 0.88
    assert theirs < 0.7


@pytest.mark.parametrize("q", [0.5, 0.9])
def test_a_single_process_that_is_autocorrelated_is_not_over_confident(q: float) -> None:
    ours, theirs = coverage(autoregressive, q, 0.0, processes=1)
    assert ours >= 0.85
    assert theirs < 0.6


@pytest.mark.parametrize(("q", "processes"), [(0.5, 2), (0.5, 5), (None, 3)])
def test_processes_that_differ_by_factors_are_seen(q: float | None, processes: int) -> None:
    """By half, or as much again, from one to the next: the mean of times themselves would be far from Student's."""
    assert coverage(independent, q, 0.5, processes, count=300)[0] >= 0.9


def test_processes_too_short_for_a_percentile_of_their_own_still_differ() -> None:
    ours, theirs = coverage(independent, 0.99, 0.05, count=300)
    assert ours >= 0.9
    assert theirs < 0.7


def test_the_mean_of_processes_that_differ_is_not_over_confident() -> None:
    assert coverage(independent, None, 0.05)[0] >= 0.9
