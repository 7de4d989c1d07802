"""The sequential test of votes: its closed form, its error rate, how many votes it takes."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate
from scipy import stats as scipy_stats

from bench.stats.sequential import (
    PRIOR,
    can_be_decided,
    decide,
    evidence,
    fewest,
    interval,
    more_alike,
)

VOTES = st.lists(st.sampled_from([True, False, None]), max_size=40)
RATES = st.sampled_from([0.05, 0.01, 0.001])


@given(st.integers(0, 40), st.integers(0, 40))
@settings(max_examples=40, deadline=None)
def test_the_evidence_is_the_integral_that_it_says(agreeing: int, dissenting: int) -> None:
    beta = scipy_stats.beta(1, PRIOR)

    def ratio(p: float) -> float:
        log_ratio = dissenting * np.log(2 * p) + agreeing * np.log(2 * (1 - p))
        return float(np.exp(log_ratio) * beta.pdf(p))

    mixed, _ = integrate.quad(ratio, 1e-300, 0.5, epsabs=0, epsrel=1e-10, limit=200)
    assert float(evidence(agreeing, dissenting)) == pytest.approx(mixed / beta.cdf(0.5), rel=1e-8)


@given(st.integers(0, 60), st.integers(0, 60), st.fractions(0, Fraction(1, 2)))
@settings(max_examples=60, deadline=None)
def test_a_bet_never_grows_on_average_where_at_most_half_agree(agreeing: int, dissenting: int, share: Fraction) -> None:
    after = share * evidence(agreeing + 1, dissenting) + (1 - share) * evidence(agreeing, dissenting + 1)
    assert after <= evidence(agreeing, dissenting)


def test_a_bet_is_fair_at_one_half_and_starts_at_1() -> None:
    assert evidence(0, 0) == 1
    assert (evidence(6, 2) + evidence(5, 3)) / 2 == evidence(5, 2)


@pytest.mark.parametrize(("rate", "votes"), [(0.05, 6), (0.01, 8), (0.001, 12)])
def test_votes_that_are_all_alike_decide_after_as_many_as_the_error_rate_asks(rate: float, votes: int) -> None:
    assert fewest(rate) == votes
    for vote in (True, False):
        assert decide([vote] * (votes - 1), rate).keeps is None
        assert decide([vote] * votes, rate).keeps is vote
        assert decide([vote] * votes, rate).after == votes


def ever_wrong(votes: int, share: float, rate: float) -> float:
    """The exact chance that ``votes`` votes, each within with chance ``share``, ever decide for within."""
    open_at = {0: 1.0}  # votes within so far -> chance, where nothing is decided
    wrong = 0.0
    for number in range(1, votes + 1):
        following: dict[int, float] = {}
        for within, chance in open_at.items():
            for more, part in ((1, share), (0, 1 - share)):
                following[within + more] = following.get(within + more, 0.0) + chance * part
        open_at = {}
        for within, chance in following.items():
            reached = max(evidence(within, number - within), evidence(number - within, within)) >= 1 / Fraction(rate)
            if not reached:
                open_at[within] = chance
            elif within > number - within:
                wrong += chance
    return wrong


@pytest.mark.parametrize("rate", [0.05, 0.01])
@pytest.mark.parametrize("share", [0.3, 0.5])
def test_the_exact_error_rate_is_at_most_what_is_stated(share: float, rate: float) -> None:
    assert ever_wrong(100, share, rate) <= rate


def test_a_simulation_at_the_null_is_wrong_at_most_as_often_as_stated() -> None:
    """4 000 runs of up to 40 votes, half of all processes within: a limit at the very median."""
    rng, runs = np.random.default_rng(20260101), 4000
    found = [decide([bool(one) for one in rng.random(40) < 0.5]).keeps for _ in range(runs)]
    for answer in (True, False):
        wrong = found.count(answer)
        assert wrong / runs <= 0.01
        assert scipy_stats.beta.ppf(0.975, wrong + 1, runs - wrong) <= 0.025


@pytest.mark.parametrize(("share", "most"), [(1.0, 8), (0.95, 13), (0.9, 17)])
def test_votes_that_mostly_agree_decide_within_a_few_processes(share: float, most: int) -> None:
    rng = np.random.default_rng(7)
    found = [decide([bool(one) for one in rng.random(40) < share]) for _ in range(300)]
    after = sorted(one.after or 99 for one in found)
    assert after[150] <= most
    assert sum(one.keeps is False for one in found) == 0


@given(VOTES, RATES)
@settings(max_examples=80, deadline=None)
def test_an_answer_stands_from_the_moment_it_was_reached(votes: list[bool | None], rate: float) -> None:
    found = decide(votes, rate)
    assert (found.keeps is None) == (found.after is None)
    assert found.votes == len(votes)
    if found.after is not None:
        assert decide(votes[: found.after], rate).keeps is found.keeps
        assert decide(votes[: found.after - 1], rate).keeps is None
        assert decide([*votes, not found.keeps], rate).keeps is found.keeps


@given(VOTES, RATES)
@settings(max_examples=80, deadline=None)
def test_the_other_side_s_votes_give_the_other_answer(votes: list[bool | None], rate: float) -> None:
    turned = decide([None if one is None else not one for one in votes], rate)
    keeps = decide(votes, rate).keeps
    assert turned.keeps is (None if keeps is None else not keeps)


@given(VOTES)
@settings(max_examples=60, deadline=None)
def test_a_vote_that_cannot_be_told_decides_nothing_that_either_vote_would_not(votes: list[bool | None]) -> None:
    found = decide([*votes, None]).keeps
    if decide(votes).keeps is None:
        assert found is None


@given(st.lists(st.booleans(), max_size=30), st.booleans())
@settings(max_examples=60, deadline=None)
def test_what_it_would_take_is_exactly_what_it_takes(votes: list[bool], answer: bool) -> None:
    found = decide(votes)
    more = more_alike(found, answer)
    if found.keeps is None:
        assert decide([*votes, *[answer] * more]).keeps is answer
        assert decide([*votes, *[answer] * (more - 1)]).keeps is None
        assert not can_be_decided(found, 0)
        assert can_be_decided(found, more)
    else:
        assert more == 0


@given(st.lists(st.integers(1, 30), max_size=30), st.integers(0, 31))
@settings(max_examples=100, deadline=None)
def test_the_answer_is_where_the_limit_lies_to_the_interval(values: list[int], limit: int) -> None:
    low, high = interval([float(one) for one in values], [float(one) for one in values])
    keeps = decide([one <= limit for one in values]).keeps
    kept, missed = high is not None and high <= limit, low is not None and limit < low
    if not (kept and missed):
        assert keeps is (True if kept else False if missed else None)


def test_the_interval_of_few_processes_is_open_to_both_sides() -> None:
    values = [float(one) for one in range(1, 8)]
    assert interval(values, values) == (None, None)
    assert interval([1.0] * 8, [2.0] * 8) == (1.0, 2.0)
    assert interval([None] * 8, [2.0] * 8) == (None, 2.0)


@pytest.mark.parametrize("answer", [True, False])
def test_a_vote_that_cannot_be_told_puts_off_either_answer(answer: bool) -> None:
    assert decide([answer] * 8).keeps is answer
    assert decide([None, *[answer] * 8]).keeps is None
    assert decide([None, *[answer] * 12]).keeps is answer
    assert decide([None, *[answer] * 12]).after == decide([not answer, *[answer] * 12]).after == 13
