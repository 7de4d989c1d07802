"""The page on deciding says what the code does: every number on it is computed here."""

from __future__ import annotations

import math
import re
from pathlib import Path

import numpy as np
import pytest

from bench.contract.model import ScenarioSettings
from bench.contract.scenario_words import ADAPTIVE, COUNTED_MIN_NS, MIN_SEARCH_NS, SEARCH_NS
from bench.judge.ballot import MOST_FAILURES
from bench.judge.independent import LEAST, LEAST_CALLS, VOTES_SHARE
from bench.judge.independent import MOST as MOST_COUNTED
from bench.judge.readings import CLEAR
from bench.judge.stop import CLOSE, FAR, FIRST_VOTE_NS, FOUNDED, MARGIN, SEEN, SEEN_BURSTS
from bench.judge.undecided import ZONES
from bench.progress import SILENT_NS
from bench.propose.limits import PROCESSES, SLOW_START_NS
from bench.stats import CONFIDENCE
from bench.stats.calls import COUNTED_AS, Count
from bench.stats.calls import decide as decide_calls
from bench.stats.distributions import binomial_ranks
from bench.stats.early_stopping import fewest_single_stream, needed_within
from bench.stats.pool import needed
from bench.stats.sequential import ERROR_RATE, decide, fewest
from bench.sweep.grid import FEW
from tests.judge import counting
from tests.judge.counting import EFFECT, MOST, PHI, RUNS, mlperf, voted
from tests.judge.limits_of_votes import LINES, outcomes
from tests.judge.wrong import answers_at

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "how-it-decides.md").read_text(encoding="utf-8")
PAGE = " ".join(TEXT.split())
ONCE_IN = 40 * 100
"""Calls between bursts of 40 that make 1 of 100 calls slow."""


def rows(head: str) -> list[list[str]]:
    """The cells of the table whose first line begins so."""
    lines = TEXT[TEXT.index(f"| {head}") :].split("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def counted(q: float) -> int:
    """Calls within the limit that decide, if none is over it."""
    return next(calls for calls in range(1, 10**4) if decide_calls(Count(calls), round(1 - q, 9)) is not None)


@pytest.mark.parametrize(
    "sentence",
    [
        f"Each scenario of each target takes at least {fewest()} fresh processes",
        "Where a zone of {:.0%}, {:.0%}, {:.0%} or {:.0%} would".format(*ZONES).replace("%", "", 3).replace("%", " %"),
        f"`benchpact sweep` measures each configuration in {FEW} processes unless the contract says how many",
        f"a log gets a line for the next process where it was told nothing for {SILENT_NS // 10**9} s",
        f"where a process takes {SLOW_START_NS // 10**9} s or more to start",
        f"**`error rate: 5 %`** is decided by {fewest(0.05)} processes that agree instead of {fewest()}",
        f"by default {MIN_SEARCH_NS // 10**9} s long of a model of 1 ms and up to {SEARCH_NS // 10**9} s of a slower",
        f"the limits that `init` proposes come from {('no', 'one', 'two')[PROCESSES]} short ones",
        f"from {fewest()} on, until it is decided, {ADAPTIVE.high} at most",
        f"a {CONFIDENCE * 100:.0f} % interval: about {(1 - CONFIDENCE) * 50:.1f} % each way if processes are alike",
        f"{ERROR_RATE * 100:.0f} % each way, however often one looks",
        f"correlation {PHI}), and processes differ by {EFFECT * 100:.0f} %",
        f"any answer is a mistake, {RUNS} times",
        f"{needed_within(0, 0.99)} queries without an overrun",
        f"at least {fewest_single_stream(0.9)} queries for a p90, {fewest_single_stream(0.99)} for a p99",
        f"{fewest()} heads in a row come up once in {2 ** fewest()} tries",
        f"If the first {fewest()} processes all vote the same way",
        f"*ever* gets to {1 / ERROR_RATE:.0f} is at most 1 in {1 / ERROR_RATE:.0f}",
        f"its percentiles have {FOUNDED} times the effective timings that they need",
        f"beyond a {FAR * 100:.0f} % interval with {MARGIN * 100:.0f} % of the value on top",
        f"on {SEEN} times those that it needs; and",
        f"its means an interval of {CLOSE * 100:.0f} % to either side",
        f"is founded on {SEEN_BURSTS:,} calls at least",
        f"an interval of {CLEAR * 100:.0f} % confidence within which no vote is given",
        f"is just broken by one such burst in {ONCE_IN:,} calls, and 2,000 calls",
        f"have none of it in {100 * math.exp(-2000 / ONCE_IN):.0f} of 100 runs",
        f"in 99 of 100 runs takes {round(-math.log(0.01) * ONCE_IN, -2):,.0f} calls of all processes together",
        f"more than the {fewest()} × {SEEN_BURSTS:,} that we ask for",
        f"however far its limit, before it made {SEEN_BURSTS:,} calls, or {FOUNDED} times those that it needs",
        f"no process may say so before it made {FOUNDED * needed(0.99):,} calls",
        f"At 1 ms a call, {fewest()} such processes measure for {fewest() * FOUNDED * needed(0.99) / 1000:.0f} s",
        f"a p50 20 % off, is decided in {fewest() * FIRST_VOTE_NS / 1e9:.1f} s",
        f"Above {2000 / (FOUNDED * needed(0.99)):.1f} ms a call 2 s have fewer calls than that",
        f"There is none before {fewest()} processes",
        f"a p50 is decided after {counted(0.5)} calls, a p90 after {counted(0.9)}, a p99 after {counted(0.99)}",
        f"never before {LEAST} processes have made {LEAST_CALLS} each",
        f"after {COUNTED_MIN_NS // 10**6} ms at the least (`min time`)",
        f"What {MOST_COUNTED} processes leave open is for the votes",
        f"each call counts for {COUNTED_AS} of one, so a dependence that makes a mean vary {1 / COUNTED_AS:.1f} times",
        f"takes {fewest(ERROR_RATE * VOTES_SHARE)} that agree instead of {fewest()}",
        f"- {MOST_FAILURES} processes failed",
        f"in no process of {ScenarioSettings('single-stream').max_ns // 10**9} s",
    ],
)
def test_every_constant_on_the_page_is_the_codes_own(sentence: str) -> None:
    assert sentence in PAGE


def test_the_effective_timings_it_takes_to_be_within_are_the_ranks_own() -> None:
    least = [next(n for n in range(1, 10**4) if binomial_ranks(n, q, 0.0)[1] <= n) for q in (0.99, 0.999)]
    assert (
        "at least {} effective timings to say that a p99 is within a limit, and {} for a p99.9".format(*least) in PAGE
    )


def test_the_votes_it_takes_are_the_tests_own() -> None:
    found = rows("votes on the other side")
    assert len(found) == 5
    for against, after in found:
        votes = [False] * int(against) + [True] * (int(after) - int(against))
        assert decide(votes).after == int(after)


def test_the_error_rates_are_the_tests_own() -> None:
    found = rows("`error rate`")
    assert len(found) == 3
    for rate, stake, processes in found:
        share = float(rate.removesuffix(" %")) / 100
        assert int(stake) == round(1 / share)
        assert int(processes) == fewest(share)


def decided(share: float) -> list[float]:
    """Exact: the chance to be decided at vote 1, 2 … 40, where so many of all processes are within."""
    return [met + missed for met, missed in answers_at(share)]


def test_how_soon_a_case_is_decided_is_exact() -> None:
    found = rows("of all processes")
    assert len(found) == 6
    for share, within, after in found:
        chances = decided(float(share.removesuffix(" %")) / 100)
        assert f"{sum(chances) * 100:.0f} %" == within, share
        if after:
            half = next(n for n in range(1, 41) if sum(chances[:n]) >= sum(chances) / 2)
            assert half == int(after), share


def test_a_limit_at_the_very_median_is_decided_as_soon_as_the_page_says() -> None:
    assert "is decided after 8 or 9 if processes differ by 2 % and the zone is 5 %" in PAGE
    rng = np.random.default_rng(20260101)
    found = []
    for _ in range(400):
        own = np.exp(0.02 * rng.normal(size=ADAPTIVE.high)).tolist()
        votes, looser, stricter = ([one <= limit for one in own] for limit in (1.0, 1.05, 0.95))
        found.append((decide(votes, looser=looser, stricter=stricter).after, decide(votes).after))
    assert sorted(zoned or 99 for zoned, _ in found)[200] in (8, 9)
    assert sum(plain is not None for _, plain in found) / 400 <= 0.02


def test_the_three_rules_were_wrong_as_often_as_the_page_says() -> None:
    calls, queries, votes = (int(re.split(r" of ", row[2])[0]) for row in rows("rule"))
    assert counting.counted(3) == calls
    assert mlperf(3) == queries
    assert sum(one.keeps is not None for one in voted(1.0)) == votes


def test_what_votes_do_not_see_is_as_the_page_says() -> None:
    found = rows("processes | limit")
    assert [row[0] for row in found] == list(LINES)
    for name, limit, mean, *counts in found:
        assert limit == f"{LINES[name].limit_ms:g} ms"
        assert mean == f"{LINES[name].mean_ms:.1f} ms"
        assert tuple(map(int, counts)) == outcomes(name), name


def test_a_limit_5_percent_off_is_decided_as_the_page_says() -> None:
    assert (
        f"a limit 5 % off the truth was decided in all of {RUNS} runs, half of them after {fewest()} processes" in PAGE
    )
    for factor, keeps in ((0.95, False), (1.05, True)):
        found = voted(factor)
        assert all(one.keeps is keeps for one in found)
        assert sorted(one.votes for one in found)[RUNS // 2] == fewest()
    assert ADAPTIVE.high == MOST
