"""The two distributions, against scipy."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special, stats

from bench.stats.distributions import binomial_ranks, normal_z, student_t


@pytest.mark.parametrize("confidence", [0.5, 0.9, 0.95, 0.999])
@pytest.mark.parametrize("df", [1, 2, 3, 4, 5, 8, 21, 93, 199, 200, 201, 2000])
def test_student_t_is_scipys(df: int, confidence: float) -> None:
    assert student_t(df, confidence) == pytest.approx(stats.t.ppf((1 + confidence) / 2, df), rel=1e-7)


def test_student_t_needs_a_degree_of_freedom() -> None:
    with pytest.raises(ValueError, match="at least one degree of freedom"):
        student_t(0, 0.95)


def test_normal_z_is_scipys() -> None:
    assert normal_z(0.95) == pytest.approx(stats.norm.ppf(0.975))


@settings(deadline=None, max_examples=200)
@given(
    n=st.integers(1, 200_000),
    q=st.sampled_from([0.01, 0.25, 0.5, 0.9, 0.95, 0.99, 0.999, 0.99999]),
    confidence=st.sampled_from([0.9, 0.95, 0.999]),
)
def test_ranks_are_the_tightest_that_miss_on_each_side_rarely_enough(n: int, q: float, confidence: float) -> None:
    low, high = binomial_ranks(n, q, confidence)
    tail, slack = (1 - confidence) / 2, 1e-9

    def below(k: int) -> float:
        return float(special.bdtr(k, n, q)) if k >= 0 else 0.0

    assert low == 0 or below(low - 1) <= tail + slack
    assert below(low) > tail - slack
    assert high == n + 1 or below(high - 1) >= 1 - tail - slack
    assert below(high - 2) < 1 - tail + slack
    assert 0 <= low < high <= n + 1


def test_ranks_of_ten_million_are_found() -> None:
    low, high = binomial_ranks(10_000_000, 0.99, 0.95)
    assert (low, high) == (stats.binom.ppf(0.025, 10_000_000, 0.99), stats.binom.ppf(0.975, 10_000_000, 0.99) + 1)
