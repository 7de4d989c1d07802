"""Bets on the share of calls over a limit: never wrong more often than promised, whatever the shares look like."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from bench.stats.betting import decide, fewest, more_alike

Draw = Callable[[np.random.Generator, int], NDArray[np.float64]]
RUNS, MOST = 400, 100


def beta(mean: float, size: float) -> Draw:
    return lambda random, count: random.beta(mean * size, (1 - mean) * size, count)


def rare_disaster(mean: float) -> Draw:
    """Most processes are perfect, some have nothing but slow calls."""
    return lambda random, count: (random.random(count) < mean).astype(float)


@pytest.mark.parametrize("mean", [0.5, 0.1, 0.01])
@pytest.mark.parametrize("shape", ["spread", "narrow", "disaster"])
def test_where_the_mean_is_the_limit_itself_both_answers_are_rarely_given(mean: float, shape: str) -> None:
    draw = {"spread": beta(mean, 2.0), "narrow": beta(mean, 200.0), "disaster": rare_disaster(mean)}[shape]
    random = np.random.default_rng(7)
    answers = [decide(list(draw(random, MOST)), mean).keeps for _ in range(RUNS)]
    assert answers.count(True) <= 0.025 * RUNS
    assert answers.count(False) <= 0.025 * RUNS


def test_a_pool_that_plainly_keeps_or_misses_is_found_to() -> None:
    random = np.random.default_rng(1)
    assert all(decide(list(beta(0.02, 50.0)(random, MOST)), 0.1).keeps is True for _ in range(100))
    assert all(decide(list(beta(0.3, 50.0)(random, MOST)), 0.1).keeps is False for _ in range(100))


@pytest.mark.parametrize(("most", "processes"), [(0.5, 9), (0.1, 56), (0.01, 587)])
def test_it_takes_as_many_perfect_processes_as_the_docs_say(most: float, processes: int) -> None:
    assert decide([0.0] * processes, most).after == processes
    assert decide([0.0] * (processes - 1), most).keeps is None


@pytest.mark.parametrize("q", [0.5, 0.9, 0.95, 0.99])
@pytest.mark.parametrize("error_rate", [0.05, 0.01, 0.001])
def test_the_fewest_processes_are_those_that_decide_if_none_has_a_slow_call(q: float, error_rate: float) -> None:
    least, most = fewest(q, error_rate), round(1 - q, 9)
    assert decide([0.0] * least, most, error_rate).after == least
    assert decide([0.0] * (least - 1), most, error_rate).keeps is None


def test_an_answer_stands_from_the_moment_it_was_reached() -> None:
    found = decide([1.0] * 10 + [0.0] * 900, 0.1)
    assert (found.keeps, found.after) == (False, 3)


def test_a_process_that_told_nothing_counts_against_both() -> None:
    assert decide([None] * 50, 0.5).keeps is None
    assert decide([0.0] * 6 + [None], 0.5).wealth < decide([0.0] * 6, 0.5).wealth
    assert decide([1.0] * 6 + [None], 0.5).wealth[1] < decide([1.0] * 6, 0.5).wealth[1]
    assert decide([None, 0.2], 0.5).share == pytest.approx(0.2)


shares = st.lists(st.floats(0, 1), max_size=30)


@given(shares, st.sampled_from([0.5, 0.1, 0.01]))
@settings(deadline=None, max_examples=100)
def test_wealth_is_never_negative_and_a_slower_process_never_helps(found: list[float], most: float) -> None:
    wealth = decide(found, most).wealth
    assert min(wealth) >= 0
    if found:
        worse = decide([*found[:-1], 1.0], most).wealth
        assert worse[0] <= wealth[0] + 1e-9
        assert worse[1] >= wealth[1] - 1e-9


@given(st.lists(st.floats(0, 1), max_size=8), st.sampled_from([0.5, 0.1, 0.05]), st.booleans())
@settings(deadline=None, max_examples=100)
def test_as_many_processes_as_are_said_to_be_needed_decide_and_no_fewer(
    found: list[float], most: float, keeps: bool
) -> None:
    so_far = decide(found, most)
    more = more_alike(so_far, most, keeps)
    if so_far.keeps is None:
        alike = [0.0 if keeps else 1.0]
        assert decide([*found, *alike * (more - 1)], most).keeps is None
        assert decide([*found, *alike * more], most).keeps is keeps
    else:
        assert more == 0
