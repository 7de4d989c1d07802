"""Percentiles and means of a pool: the value, and when there is none."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from bench.stats import CONFIDENCE
from bench.stats.distributions import binomial_ranks
from bench.stats.pool import Pool, needed, rank, told_from
from tests.stats.series import independent, timings

PROCESSES = st.lists(st.lists(st.integers(0, 2**40), min_size=1, max_size=60), min_size=1, max_size=4)
QUANTILES = st.sampled_from([0.1, 0.5, 0.75, 0.9, 0.95, 0.99])


def pool_of(lists: list[list[int]]) -> Pool:
    return Pool([np.array(one, dtype=np.uint64) for one in lists])


@settings(deadline=None, max_examples=200)
@given(lists=PROCESSES, q=QUANTILES)
def test_a_percentile_is_the_nearest_rank_of_everything_sorted(lists: list[list[int]], q: float) -> None:
    everything = sorted(itertools.chain(*lists))
    estimate = pool_of(lists).percentile(q)
    if len(everything) < needed(q):
        assert estimate is None
        return
    assert estimate is not None
    assert estimate.low is not None
    assert estimate.high is not None
    exact = math.ceil(Fraction(str(q)) * len(everything))
    assert estimate.value == everything[exact - 1]
    assert estimate.low <= estimate.value <= estimate.high
    assert estimate.count == len(everything)
    for own, values in zip(estimate.processes, lists, strict=True):
        if len(values) < needed(q):
            assert own is None
        else:
            assert own == sorted(values)[math.ceil(Fraction(str(q)) * len(values)) - 1]
            assert estimate.low <= own <= estimate.high


@settings(deadline=None, max_examples=100)
@given(lists=PROCESSES, index=st.integers(1, 240))
def test_every_rank_is_found_whatever_the_processes(lists: list[list[int]], index: int) -> None:
    everything = sorted(itertools.chain(*lists))
    assert pool_of(lists).at(index) == everything[min(index, len(everything)) - 1]


@settings(deadline=None, max_examples=50)
@given(lists=PROCESSES, q=QUANTILES, seed=st.integers(0, 1000))
def test_the_order_of_the_processes_changes_nothing(lists: list[list[int]], q: float, seed: int) -> None:
    mixed = [lists[place] for place in np.random.default_rng(seed).permutation(len(lists))]
    one, other = pool_of(lists), pool_of(mixed)
    first, second = one.percentile(q), other.percentile(q)
    if first is not None:
        assert second is not None
        assert (first.value, first.low, first.high) == pytest.approx((second.value, second.low, second.high))
    means = one.mean(), other.mean()
    assert means[0] is not None
    assert means[1] is not None
    assert means[0].value == pytest.approx(means[1].value)


@settings(deadline=None, max_examples=50)
@given(lists=PROCESSES)
def test_a_higher_percentile_is_never_smaller(lists: list[list[int]]) -> None:
    pool = pool_of(lists)
    told = [one.value for one in map(pool.percentile, (0.1, 0.5, 0.9, 0.95, 0.99)) if one is not None]
    assert told == sorted(told)


@pytest.mark.parametrize(("q", "n", "expected"), [(0.07, 100, 7), (0.29, 100, 29), (0.57, 100, 57), (0.999, 1000, 999)])
def test_the_rank_does_not_suffer_from_binary_fractions(q: float, n: int, expected: int) -> None:
    assert rank(q, n) == expected


@pytest.mark.parametrize("q", [0.5, 0.9, 0.95, 0.99, 0.999, 0.9999])
def test_the_count_needed_is_the_first_that_has_an_upper_limit(q: float) -> None:
    assert q ** needed(q) <= 0.025 < q ** (needed(q) - 1)


def test_a_percentile_is_told_from_the_first_supporting_timing_on() -> None:
    values = list(range(1, 369))
    assert pool_of([values[:-1]]).percentile(0.99) is None
    assert pool_of([values]).percentile(0.99) is not None


def test_no_timings_give_no_figures() -> None:
    assert Pool([]).percentile(0.5) is None
    assert Pool([np.array([], dtype=np.uint64)]).mean() is None


def test_timings_beyond_32_bits_are_exact() -> None:
    values = [2**33 + 7 * index for index in range(100)]
    estimate = pool_of([values[:50], values[50:]]).percentile(0.5)
    assert estimate is not None
    assert estimate.value == values[49]


def test_equal_timings_have_an_interval_of_one_point() -> None:
    pool = pool_of([[60] * 500, [60] * 500])
    for estimate in (pool.percentile(0.5), pool.percentile(0.99), pool.mean()):
        assert estimate is not None
        assert (estimate.low, estimate.value, estimate.high) == (60, 60, 60)


def test_a_coarse_clock_leaves_the_interval_on_its_ticks() -> None:
    rng = np.random.default_rng(1)
    ticks = [(rng.choice([50, 60, 70], 5000, p=[0.2, 0.7, 0.1])).astype(np.uint64) for _ in range(3)]
    estimate = Pool(ticks).percentile(0.5)
    assert estimate is not None
    assert (estimate.low, estimate.value, estimate.high) == (60, 60, 60)


def test_ties_at_the_largest_timing_do_not_hide_how_unsteady_the_share_below_is() -> None:
    """9 % of the timings are 200 in one long stretch: p95 is 200, and all are at or below it."""
    burst = np.full(2000, 100, dtype=np.uint64)
    burst[:180] = 200
    spread = np.full(2000, 100, dtype=np.uint64)
    spread[::11] = 200
    unsteady, steady = Pool([burst]).percentile(0.95), Pool([spread]).percentile(0.95)
    assert unsteady is not None
    assert steady is not None
    assert (unsteady.low, unsteady.value) == (100, 200)
    assert (steady.low, steady.value) == (200, 200)


def test_the_mean_interval_of_independent_processes_is_students_of_its_logarithm() -> None:
    rng = np.random.default_rng(5)
    runs = [timings(independent(rng, 3200), effect) for effect in (-0.03, 0.0, 0.03)]
    estimate, own = Pool(runs).mean(), [float(np.mean(run)) for run in runs]
    assert estimate is not None
    assert estimate.processes == pytest.approx(own)
    mean = np.mean(own)
    expected = np.exp(stats.t.interval(0.95, 2, loc=np.log(mean), scale=stats.sem(own) / mean))
    assert (estimate.low, estimate.high) == pytest.approx(tuple(expected))


@settings(deadline=None, max_examples=40)
@given(
    levels=st.sampled_from([2, 3, 5]).flatmap(lambda many: st.lists(st.floats(1, 30), min_size=many, max_size=many)),
    confidence=st.sampled_from([0.8, 0.95, 0.999]),
)
def test_processes_that_differ_have_students_interval_of_their_logarithms(
    levels: list[float], confidence: float
) -> None:
    """Each is steady at its own level, the percentile well inside one: only their difference makes the interval."""
    runs = [np.full(256, round(math.exp(level) * 1000), dtype=np.uint64) for level in levels]
    estimate = Pool(runs).percentile(0.75 if len(levels) == 2 else 0.5, confidence)
    assert estimate is not None and estimate.low is not None and estimate.high is not None
    logs, middle = np.log([float(run[0]) for run in runs]), math.log(estimate.value)
    low, high = (middle, middle) if np.ptp(logs) == 0 else student(confidence, logs, middle)
    assert math.log(estimate.low) == pytest.approx(min(low, *logs))
    assert math.log(estimate.high) == pytest.approx(max(high, *logs))


def student(confidence: float, logs: NDArray[np.float64], middle: float) -> tuple[float, float]:
    half = min(300.0, float(stats.t.interval(confidence, len(logs) - 1, scale=stats.sem(logs))[1]))
    return middle - half, middle + half


@settings(deadline=None, max_examples=60)
@given(first=st.integers(1, 2**40), second=st.integers(1, 2**40), q=QUANTILES)
def test_an_interval_of_times_never_reaches_0(first: int, second: int, q: float) -> None:
    pool = Pool([np.full(400, one, dtype=np.uint64) for one in (first, second)])
    for estimate in (pool.percentile(q), pool.mean()):
        assert estimate is not None and estimate.low is not None and estimate.high is not None
        assert 0 < estimate.low <= min(first, second) <= max(first, second) <= estimate.high < math.inf


@pytest.mark.parametrize("ratio", [1.4, 2.5])
def test_a_limit_of_a_thousandth_is_missed_by_two_processes_however_they_differ(ratio: float) -> None:
    """Student's interval of the times themselves reached below 0 here, so that no limit at all was missed."""
    rng = np.random.default_rng(11)
    estimate = Pool([timings(independent(rng, 500)), timings(independent(rng, 500), math.log(ratio))]).percentile(0.5)
    assert estimate is not None and estimate.low is not None
    assert estimate.low > estimate.value / 1000


def test_the_interval_of_independent_timings_is_near_to_the_binomial_one() -> None:
    rng = np.random.default_rng(2)
    values = timings(independent(rng, 20_000))
    estimate = Pool([values]).percentile(0.9)
    assert estimate is not None
    assert estimate.low is not None
    assert estimate.high is not None
    ordered = np.sort(values)
    exact = [float(ordered[int(stats.binom.ppf(p, 20_000, 0.9))]) for p in (0.025, 0.975)]
    assert 0.8 < (estimate.high - estimate.low) / (exact[1] - exact[0]) < 2.5


@pytest.mark.parametrize("worth", [1, 4])
def test_the_intervals_ends_are_the_order_statistics_of_as_many_independent_timings(
    worth: int,
) -> None:
    """Where ``worth`` timings tell as much as one, an end takes in all of its ``worth``, and not one more."""
    timings = np.arange(1, 4001, dtype=np.uint64)
    size = len(timings) // worth
    first, last = binomial_ranks(size, 0.9, CONFIDENCE)
    found = Pool([timings[:2000], timings[2000:]])
    low, high = found._order_statistics(0.9, size, CONFIDENCE)
    assert (low, high) == ((first - 1) * worth + 1, last * worth)


@pytest.mark.parametrize(("q", "count"), [(0.5, 1), (0.9, 7), (0.99, 69), (0.999, 693), (0.01, 69)])
def test_as_many_timings_as_are_told_from_have_a_second_one_at_even_odds(q: float, count: int) -> None:
    assert told_from(q) == count
    (first, last), (least, most) = (binomial_ranks(one, q, 0.0) for one in (count, count - 1))
    assert first >= 1 and last <= count
    assert count == 1 or least < 1 or most > count - 1


@pytest.mark.parametrize("confidence", [0.0, 0.7, 0.95])
def test_what_a_percentile_lies_between_is_wider_the_surer_one_wants_to_be(confidence: float) -> None:
    pool = Pool([timings(independent(np.random.default_rng(7), 600))])
    low, high, size = pool.between(0.9, confidence)
    wider = pool.between(0.9, 0.99)
    assert low is not None and high is not None and wider[0] is not None and wider[1] is not None
    assert wider[0] <= low <= high <= wider[1]
    assert size == wider[2] == pool.even_odds(0.9)[2]
    assert pool.between(0.9, 0.0) == pool.even_odds(0.9)
