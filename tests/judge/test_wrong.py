"""*Met* and *missed* are wrong at most as often as they say: on simulated processes, and on recorded ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
from scipy import stats as scipy_stats

from bench.contract.model import ScenarioSettings
from bench.contract.scenario_words import ADAPTIVE
from bench.judge.ballot import Ballot
from bench.judge.readings import reading
from bench.stats.sequential import ERROR_RATE, decide
from tests.judge import recorded
from tests.judge.cases import case, process, requirement
from tests.judge.ended import Ended
from tests.judge.populations import HARSH, KINDS, Population, memories, simulated
from tests.judge.wrong import (
    AVERAGES,
    FACTORS,
    METRICS,
    Answers,
    Tally,
    Truth,
    at_the_truth,
    bound,
    drawn,
    in_order,
    tallies,
    truth,
    truth_of,
    worst,
    wrong_at_even_odds,
)

SEED, RUNS, AT_THE_LIMIT = 20260101, 400, 4000
"""Where the limit is the truth itself, every answer is wrong, and chance alone gives half of 1 %: so many runs tell."""
RECORDED = Path(__file__).with_name("recorded-tiny.npz")
AT_MOST, BOUND = ERROR_RATE, 0.025


@lru_cache(maxsize=len(KINDS) + len(HARSH))
def population_of(name: str) -> Population:
    return simulated(name, processes=200, calls=2000, seed=SEED)


@lru_cache(maxsize=len(KINDS))
def of_kind(name: str) -> list[Tally]:
    return tallies(population_of(name), drawn(200, RUNS, SEED), whole=True)


@lru_cache(maxsize=1)
def of_recording() -> list[Tally]:
    population, _ = recorded.read(RECORDED)
    return tallies(population, drawn(len(population.runs), RUNS, SEED))


def hold(found: Sequence[Tally]) -> None:
    """Each wrong answer at most as often as stated, at every limit, and what that leaves possible as well."""
    assert [one.metric for one in found] == list(METRICS)
    for tally in found:
        hold_each(tally.metric, tally.votes)


def hold_each(metric: str, answers: Sequence[Answers]) -> None:
    for answer, (wrong, runs) in worst(answers).items():
        assert wrong / runs <= AT_MOST, (metric, answer, wrong)
        assert bound(wrong, runs) <= BOUND


@pytest.mark.parametrize("name", KINDS)
def test_votes_on_simulated_processes_are_wrong_at_most_as_often_as_stated(name: str) -> None:
    hold(tallies(population_of(name), drawn(200, AT_THE_LIMIT, SEED), factors=(1.0,), whole=True))


def test_votes_on_recorded_processes_are_wrong_at_most_as_often_as_stated() -> None:
    population, _ = recorded.read(RECORDED)
    hold(tallies(population, drawn(len(population.runs), AT_THE_LIMIT, SEED), factors=(1.0,)))


@pytest.mark.parametrize("name", [*KINDS, *HARSH])
def test_votes_on_a_mean_and_a_throughput_are_wrong_at_most_as_often_as_stated(name: str) -> None:
    """Though processes end early, and are held to what the median one shows of all its calls."""
    population = population_of(name)
    for metric, answers in at_the_truth(population, AVERAGES, drawn(200, AT_THE_LIMIT, SEED)).items():
        hold_each(metric, [answers])


@pytest.mark.parametrize("name", HARSH)
def test_votes_on_percentiles_are_wrong_as_seldom_however_much_a_burst_weighs(name: str) -> None:
    for metric, answers in at_the_truth(population_of(name), METRICS, drawn(200, AT_THE_LIMIT, SEED)).items():
        hold_each(metric, [answers])


def test_votes_on_memory_are_wrong_at_most_as_often_as_stated() -> None:
    population = memories(AT_THE_LIMIT // 2, SEED)
    (answers,) = at_the_truth(population, ["peak memory"], drawn(len(population.runs), AT_THE_LIMIT, SEED)).values()
    hold_each("peak memory", [answers])
    assert answers.met + answers.missed > 0


@pytest.mark.parametrize(
    ("own", "direction", "expected"),
    [
        ([1, 2, 3, 4], "at most", Truth(2.5, 2.5)),
        ([1, 3, 3, 4], "at most", Truth(np.nextafter(3, 0), 3)),
        ([1, 3, 3, 4], "at least", Truth(np.nextafter(3, 9), 3)),
        ([1, 2, 3], "at most", Truth(np.nextafter(2, 0), 2)),
    ],
)
def test_where_more_than_half_of_all_processes_keep_the_median_itself_met_is_right_there(
    own: Sequence[float], direction: str, expected: Truth
) -> None:
    """So *met* is counted of the next limit, that at most half of them keep, and *missed* of one that half keep."""
    found = truth_of(own, direction)
    assert found == expected
    sign = 1 if direction == "at most" else -1
    kept = [sum(sign * (limit - one) >= 0 for one in own) for limit in (found.met, found.missed)]
    assert 2 * kept[0] <= len(own) <= 2 * kept[1]


def test_the_truth_about_a_throughput_is_the_median_process_s_own() -> None:
    population = population_of("independent, σ 0.1")
    own = [1e9 * len(one) / float(one.sum()) for one in population.timings]
    assert truth(population, "throughput").missed == pytest.approx(float(np.median(own)))


@pytest.mark.parametrize("name", KINDS)
def test_votes_never_gave_a_wrong_answer_about_a_limit_5_percent_off(name: str) -> None:
    for tally in of_kind(name):
        beside = [one for one in tally.votes if one.factor != 1]
        assert sum(one.wrong_met + one.wrong_missed for one in beside) == 0


@pytest.mark.parametrize("name", [name for name, kind in KINDS.items() if kind.effect == 0])
def test_independent_timings_are_decided_by_the_fewest_votes_5_percent_off(name: str) -> None:
    for tally in of_kind(name):
        for one in tally.votes:
            if one.factor != 1 and (tally.metric != "latency p99" or abs(one.factor - 1) > 0.06):
                assert one.decided == 1, (tally.metric, one.factor)
                assert one.processes == 8


def test_a_limit_far_off_is_decided_on_recorded_processes_too() -> None:
    for tally in of_recording()[:2]:
        assert [one.decided for one in tally.votes if abs(one.factor - 1) > 0.19] == [1, 1]


def test_rules_that_count_calls_are_wrong_far_more_often_on_recorded_processes() -> None:
    """Held to what they promise, 1 % each way about the percentile of the whole pool."""
    for tally in of_recording():
        for answers in (tally.calls, tally.early):
            assert max(wrong / runs for wrong, runs in worst(answers).values()) > 10 * ERROR_RATE


def test_independent_calls_may_be_counted() -> None:
    """Where calls are independent the same rules keep their word, so what they get wrong elsewhere is dependence."""
    for tally in of_kind("independent, σ 0.1"):
        for answers in (tally.calls, tally.early):
            assert all(wrong / runs <= 2.5 * ERROR_RATE for wrong, runs in worst(answers).values())


def test_what_is_tallied_is_what_a_ballot_decides() -> None:
    population, _ = recorded.read(RECORDED)
    row = drawn(len(population.runs), 1, seed=3)
    settings = ScenarioSettings("single-stream", processes=ADAPTIVE.high, least_processes=ADAPTIVE.low)
    for tally in tallies(population, row):
        for factor, answers in zip(FACTORS, tally.votes, strict=True):
            limit = requirement("single-stream", tally.metric, factor * tally.typical_ns)
            ballot = Ballot(replace(case(limit), scenario=settings))
            for one in row[0]:
                run, made = population.runs[one], population.timings[one]
                ballot.add(run, made[: Ended(run, made, run.blocks).after(limit)])
            found = ballot.decision(limit)
            assert (answers.met, answers.missed) == (found.keeps is True, found.keeps is False)
            assert answers.processes == found.after


def test_the_truth_of_processes_that_are_known_is_known() -> None:
    timings = tuple(np.arange(1, 101, dtype=np.uint64) * scale for scale in (1, 2, 30))
    population = Population("known", tuple(process(index) for index in range(3)), timings)
    assert population.typical_ns(0.9) == 180
    assert population.pool_ns(0.9) == np.sort(np.concatenate(timings))[270 - 1]


def test_runs_in_order_meet_each_process_with_those_after_it() -> None:
    rows = in_order(60)
    assert rows.shape == (60, ADAPTIVE.high)
    assert rows[59].tolist() == [59, *range(ADAPTIVE.high - 1)]


def test_votes_that_are_split_evenly_are_wrong_less_often_than_stated_and_more_often_the_more_they_lean() -> None:
    """Against 5000 runs drawn vote by vote."""
    rng, runs = np.random.default_rng(SEED), 5_000
    for share in (0.5, 0.55):
        votes = rng.random((runs, ADAPTIVE.high)) < share
        met = sum(decide(row.tolist()).keeps is True for row in votes) / runs
        exact = wrong_at_even_odds(ADAPTIVE.high, share)
        assert met == pytest.approx(exact, abs=4 * (exact / runs) ** 0.5)
    assert wrong_at_even_odds(ADAPTIVE.high) < ERROR_RATE < wrong_at_even_odds(ADAPTIVE.high, 0.53)


@pytest.mark.parametrize(("wrong", "runs"), [(0, 400), (4, 400), (20, 1000)])
def test_the_bound_is_the_share_that_would_show_so_few_one_time_in_20(wrong: int, runs: int) -> None:
    assert scipy_stats.binom.cdf(wrong, runs, bound(wrong, runs)) == pytest.approx(0.05)
    assert bound(3, 3) == 1


def test_a_recording_reads_back_as_it_was_written(tmp_path: Path) -> None:
    population, at = recorded.read(RECORDED)
    assert len(population.runs) == 60
    assert RECORDED.stat().st_size < 1 << 20
    recorded.write(tmp_path / "again.npz", at, population)
    again, same = recorded.read(tmp_path / "again.npz")
    assert (again.name, again.runs, same) == (population.name, population.runs, at)
    assert all(np.array_equal(one, other) for one, other in zip(again.timings, population.timings, strict=True))
    assert reading("latency p50", again.runs[0], again.timings[0]).value is not None
