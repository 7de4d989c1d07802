"""Counting calls: the mixture is scipy's, it gains nothing at the limit, and it decides as soon as it can."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import integrate, special
from scipy import stats as scipy_stats

from bench.stats.calls import COUNTED_AS, Count, decide, log_wealth, wrong_at_most
from bench.stats.sequential import ERROR_RATE

MOST = (0.5, 0.1, 0.01, 0.001)


def kept(over: float, within: float, most: float) -> float:
    """By scipy's incomplete beta function, as a logarithm."""
    a, b = over + 0.5, within + 0.5
    beta = special.betaln(a, b) + math.log(special.betainc(a, b, most))
    prior = special.betaln(0.5, 0.5) + math.log(special.betainc(0.5, 0.5, most))
    return float(beta - prior - over * math.log(most) - within * math.log1p(-most))


@pytest.mark.parametrize("most", MOST)
def test_the_wealth_is_that_of_scipys_incomplete_beta_function(most: float) -> None:
    for over, within in product((0, 1, 3.6, 20), (1, 7.2, 90, 2000)):
        ours = log_wealth(over, within, most)
        if special.betainc(over + 0.5, within + 0.5, most) > 1e-250:
            assert ours[0] == pytest.approx(kept(over, within, most), rel=1e-8, abs=1e-8)
        if special.betainc(within + 0.5, over + 0.5, 1 - most) > 1e-250:
            assert ours[1] == pytest.approx(kept(within, over, 1 - most), rel=1e-8, abs=1e-8)


def test_the_wealth_is_the_integral_that_it_says() -> None:
    over, within, most = 3, 40, 0.1
    weight = scipy_stats.beta(0.5, 0.5)
    ratio = lambda p: (p / most) ** over * ((1 - p) / (1 - most)) ** within * weight.pdf(p)  # noqa: E731
    value = integrate.quad(ratio, 0, most)[0] / weight.cdf(most)
    assert math.exp(log_wealth(over, within, most)[0]) == pytest.approx(value, rel=1e-6)


@given(st.integers(0, 200_000), st.integers(0, 200_000), st.sampled_from(MOST))
def test_the_wealth_is_finite_for_any_count(over: int, within: int, most: float) -> None:
    assert all(math.isfinite(one) for one in log_wealth(over, within, most))


@pytest.mark.parametrize("most", MOST)
def test_no_bet_gains_on_average_where_what_it_bets_against_is_true(most: float) -> None:
    """Exact over all sequences of 12 calls: the mean wealth at the limit is 1, and not above it on the wrong side."""
    for chance, bet in ((most, 0), (most, 1), (min(1.0, 2 * most), 0), (most / 2, 1)):
        for part in (1.0, COUNTED_AS):
            wealth = [math.exp(log_wealth(part * k, part * (12 - k), most)[bet]) for k in range(13)]
            mean = math.fsum(
                w * p for w, p in zip(wealth, list(scipy_stats.binom(12, chance).pmf(np.arange(13))), strict=True)
            )
            assert mean <= 1 + 1e-9
            assert part != 1 or chance != most or mean == pytest.approx(1)


@pytest.mark.parametrize(("q", "calls"), [(0.5, 8), (0.9, 53), (0.99, 556), (0.999, 5585)])
def test_calls_that_are_all_within_decide_after_so_many(q: float, calls: int) -> None:
    most = round(1 - q, 9)
    assert decide(Count(calls), most, counted_as=1) is True
    assert decide(Count(calls - 1), most, counted_as=1) is None
    ours = next(n for n in range(calls, 3 * calls) if decide(Count(n), most) is not None)
    assert math.ceil((calls - 1) / COUNTED_AS) <= ours <= math.ceil(calls / COUNTED_AS)


def test_a_zone_of_indifference_asks_each_bet_about_its_own_edge() -> None:
    assert decide(Count(1000, 50, 110), 0.1) is True
    assert decide(Count(1000, 90, 165), 0.1) is False
    assert decide(Count(1000, 100, 100), 0.1) is None
    assert Count(10, 1, 2) + Count(5, 0, 1) == Count(15, 1, 3)


def test_calls_as_if_there_were_more_like_them_are_those_calls() -> None:
    assert decide(Count(100, 3, 3), 0.1, times=4) == decide(Count(400, 12, 12), 0.1)
    assert decide(Count(100, 3, 3), 0.1) is None


def test_independent_calls_are_wrong_far_less_often_than_stated() -> None:
    assert wrong_at_most() < ERROR_RATE / 5


@pytest.mark.parametrize("sigma", [0.1, 0.3])
@pytest.mark.parametrize("q", [0.5, 0.9, 0.99])
def test_independent_calls_are_wrong_as_seldom_as_stated_and_decided_soon(q: float, sigma: float) -> None:
    """400 runs a limit, looked at ever more rarely; at the truth every answer is wrong."""
    rng, z = np.random.default_rng(20260101), scipy_stats.norm.ppf(q)
    looks = np.unique(np.geomspace(10, 3000, 40).astype(int))
    for factor in (0.8, 0.9, 0.95, 1.0, 1.05, 1.1, 1.2):
        over = rng.normal(size=(400, 3000)) > z + math.log(factor) / sigma
        counts = np.cumsum(over, axis=1)[:, looks - 1]
        answers = [first(row, looks, round(1 - q, 9)) for row in counts]
        wrong = sum((said is True and factor <= 1) or (said is False and factor >= 1) for said, _ in answers)
        assert wrong <= 4
        if abs(factor - 1) > 0.15 and sigma == 0.1:
            assert all(said is (factor > 1) for said, _ in answers)
            assert np.median([after for _, after in answers]) <= (650 if q == 0.99 else 220)


def first(counts: NDArray[np.intp], looks: NDArray[np.intp], most: float) -> tuple[bool | None, int]:
    """The first answer of the test that counts each call in full, and after how many."""
    for over, calls in zip(counts.tolist(), looks.tolist(), strict=True):
        said = decide(Count(calls, over, over), most, counted_as=1)
        if said is not None:
            return said, calls
    return None, int(looks[-1])
