"""MLPerf's early stopping equals LoadGen's own figures, published in its logs."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from bench.stats.early_stopping import CONFIDENCE, discarded, fewest_single_stream, needed_within


def test_a_p99_needs_459_queries_without_an_overrun() -> None:
    assert needed_within(0, 0.99) == 459


@pytest.mark.parametrize(("percentile", "queries"), [(0.9, 64), (0.99, 662)])
def test_single_stream_needs_as_many_queries_as_loadgen_asks_for(percentile: float, queries: int) -> None:
    assert fewest_single_stream(percentile) == queries
    assert discarded(queries - 1, percentile) is None
    assert discarded(queries, percentile) == 0


@pytest.mark.parametrize(("queries", "dropped"), [(100, 2), (201, 9), (79_944, 7_796)])
def test_as_many_are_discarded_as_in_loadgen_s_published_logs(queries: int, dropped: int) -> None:
    assert discarded(queries, 0.9) == dropped


@given(st.integers(0, 300), st.sampled_from([0.5, 0.9, 0.97, 0.99, 0.999]))
@settings(max_examples=60, deadline=None)
def test_the_queries_needed_are_the_binomial_s_own(overruns: int, percentile: float) -> None:
    needed = needed_within(overruns, percentile)

    def chance(within: int) -> float:
        return float(scipy_stats.binom.cdf(overruns, within + overruns, 1 - percentile))

    assert chance(needed) <= (1 - CONFIDENCE) * (1 + 1e-9)
    assert chance(needed - 1) > (1 - CONFIDENCE) * (1 - 1e-9)
