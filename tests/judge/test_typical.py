"""Adaptive cases: what each process votes, what the votes decide, and when it is enough."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from bench.contract.model import Requirement, ScenarioSettings
from bench.device.records import CALLS_PER_TIMING
from bench.judge.ballot import Ballot
from bench.judge.case import judge_case
from bench.judge.readings import Reading, reading, vote
from bench.judge.stop import FOUNDED, StopRule
from bench.judge.typical import exceptions
from bench.plan import Case
from bench.results import Block, Crew, Failure, Memory, Outcome, ProcessRun, Serving, Verdict
from bench.stats.pool import Pool, needed
from tests.judge.cases import CRASH, INVALID, SPENT, case, contract, process, requirement
from tests.stats.series import autoregressive, independent

P50, P99 = "latency p50", "latency p99"
Latencies = Callable[[ProcessRun], NDArray[np.uint64]]


def adaptive(*requirements: Requirement, scenario: str = "single-stream", most: int = 40) -> Case:
    fixed = case(*requirements, scenario=scenario)
    return replace(fixed, scenario=ScenarioSettings(scenario, processes=most, least_processes=1))


def processes(scales: Sequence[float], sigma: float = 0.05, count: int = 2000) -> tuple[list[ProcessRun], Latencies]:
    """Process runs whose medians are ``scales`` ms."""

    def latencies(run: ProcessRun) -> NDArray[np.uint64]:
        rng = np.random.default_rng(run.index)
        return np.asarray(rng.lognormal(np.log(scales[run.index] * 1e6), sigma, count), dtype=np.uint64)

    return [process(index) for index in range(len(scales))], latencies


def judged(one: Case, scales: Sequence[float], folder: Path, *failures: Failure | None) -> dict[str, Verdict]:
    runs, latencies = processes(scales)
    runs = [replace(run, failure=failure) for run, failure in zip(runs, failures, strict=False)] or runs
    _, verdicts = judge_case(one, contract(folder), runs, latencies, None)
    return {verdict.metric: verdict for verdict in verdicts}


def at(metric: str, limit: float) -> Requirement:
    return requirement("single-stream", metric, limit)


def test_eight_processes_that_agree_decide_and_the_reason_says_what_was_judged(tmp_path: Path) -> None:
    found = judged(adaptive(at(P99, 2e6)), [1.0] * 7 + [1.2], tmp_path)[P99]
    assert found.outcome is Outcome.MET
    worst = found.reason.partition("the worst: ")[2]
    assert found.reason.startswith("the typical fresh process keeps its p99 (8 of 8 processes kept it, error rate 1 %;")
    assert worst.startswith("1.3")
    assert judged(adaptive(at(P99, 2e6)), [1.0] * 7, tmp_path)[P99].outcome is Outcome.UNDECIDED


def test_queries_timed_in_groups_near_the_clocks_cost_vote_and_those_answered_together_do_not() -> None:
    """Both have more samples than timings; a group that was timed together was still answered one by one."""
    whole, latencies = process(0), np.full(2000, 10**6, dtype=np.uint64)
    four = replace(whole, blocks=tuple(replace(one, samples=4 * one.count) for one in whole.blocks))
    timed_together = replace(four, facts={**four.facts, CALLS_PER_TIMING: 4})
    for metric in (P50, P99, "latency mean"):
        assert reading(metric, timed_together, latencies).value == 10**6
        assert reading(metric, four, latencies) == Reading()


def test_the_typical_process_is_judged_and_not_the_pool(tmp_path: Path) -> None:
    """One process in seven is slow: more than 1 % of all calls are over, and yet the typical process keeps its p99."""
    scales = [1.0, 1.0, 1.0, 3.0, 1.0, 1.0, 1.0] * 3
    limit = at(P99, 2e6)
    assert judged(adaptive(limit), scales, tmp_path)[P99].outcome is Outcome.MET
    assert judged(case(limit, processes=21), scales, tmp_path)[P99].outcome is not Outcome.MET


def test_the_figure_is_the_middle_process_with_every_one_beside_it(tmp_path: Path) -> None:
    runs, latencies = processes([1.0, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6, 1.7, 1.8])
    figures, _ = judge_case(adaptive(at(P50, 9e6)), contract(tmp_path), runs, latencies, None)
    (figure,) = [one for one in figures if one.metric == P50]
    assert figure.value is not None
    assert figure.value == pytest.approx(1.4e6, rel=0.01)
    assert len(figure.processes) == 9
    assert figure.low is not None
    assert figure.high is not None
    assert figure.low < figure.value < figure.high


@given(st.lists(st.floats(0.8, 1.25), min_size=1, max_size=20), st.sampled_from([P50, "latency mean"]))
@settings(max_examples=25, deadline=None)
def test_a_verdict_is_where_the_limit_lies_to_the_figure_s_interval(
    tmp_path_factory: pytest.TempPathFactory, scales: list[float], metric: str
) -> None:
    found = judged(adaptive(at(metric, 1e6)), scales, tmp_path_factory.getbasetemp())[metric]
    low, high = found.figure.low, found.figure.high
    if low is None or high is None:
        return
    inside = found.outcome is Outcome.MET if high <= 1e6 else found.outcome is Outcome.MISSED if low > 1e6 else None
    assert inside if inside is not None else found.outcome is Outcome.UNDECIDED


@pytest.mark.parametrize(("count", "outcome"), [(50, Outcome.UNDECIDED), (300, Outcome.MET)])
def test_processes_too_short_for_a_percentile_are_judged_as_far_as_they_can_tell(
    tmp_path: Path, count: int, outcome: Outcome
) -> None:
    runs, latencies = processes([1.0] * 10, count=count)
    _, (found,) = judge_case(adaptive(at(P99, 9e6)), contract(tmp_path), runs, latencies, None)
    assert found.outcome is outcome
    if outcome is Outcome.UNDECIDED:
        assert "10 could not tell, error rate 1 %; no process has one of its own" in found.reason
        assert "processes of 50 calls are too short to tell, a p99 takes 69 independent ones of each" in found.reason
        assert found.reason.endswith("at least: measure longer (`time: 6 s`)")


def test_what_a_time_budget_cut_short_is_told_to_get_a_larger_one(tmp_path: Path) -> None:
    """A longer `time` would change nothing: the budget left less than the time that there is."""
    runs, latencies = processes([1.0] * 10, count=50)
    runs = [replace(one, budget_ns=200_000_000) for one in runs]
    _, (found,) = judge_case(adaptive(at(P99, 9e6)), contract(tmp_path), runs, latencies, None)
    assert "measure longer" not in found.reason
    assert found.reason.endswith("measure anew with a larger `--time-budget`, which left a process 200 ms of 2 s")


def test_throughput_votes_by_its_own_direction(tmp_path: Path) -> None:
    for limit, outcome in ((50.0, Outcome.MET), (5000.0, Outcome.MISSED)):
        assert judged(adaptive(at("throughput", limit)), [1.0] * 8, tmp_path)["throughput"].outcome is outcome


def test_each_process_votes_on_its_own_memory_and_the_worst_one_is_named(tmp_path: Path) -> None:
    found = judged(adaptive(at("peak memory", 100_006)), [1.0] * 14, tmp_path)["peak memory"]
    assert found.outcome is Outcome.UNDECIDED
    assert "(7 of 14 processes, error rate 1 %; the worst: 97.7 KiB; interval 97.7 KiB to" in found.reason
    found = judged(adaptive(at("added memory", 40_007)), [1.0] * 8, tmp_path)["added memory"]
    assert (found.outcome, found.figure.value, found.figure.processes[-1]) == (Outcome.MET, 40_003.5, 40_007)
    assert found.reason.startswith("the typical fresh process keeps its added memory (8 of 8 processes kept it")
    assert judged(adaptive(at("peak memory", 99_999)), [1.0] * 8, tmp_path)["peak memory"].outcome is Outcome.MISSED


def test_one_process_of_many_that_holds_too_much_does_not_make_the_typical_one_miss(tmp_path: Path) -> None:
    runs, latencies = processes([1.0] * 13)
    runs[4] = replace(runs[4], memory=Memory(60_000, 70_000, 900_000, "VmHWM"))
    _, (found,) = judge_case(adaptive(at("peak memory", 2e5)), contract(tmp_path), runs, latencies, None)
    assert found.outcome is Outcome.MET
    assert "12 of 13 processes kept it, error rate 1 %; the worst: 879 KiB" in found.reason
    noted = "peak memory is met, but 1 of 13 processes are beyond its limit: the worst 879 KiB"
    assert exceptions([found], adaptive(at(P50, 1.0)).scenario) == (noted,)
    assert exceptions([found], case(at(P50, 1.0)).scenario) == ()
    assert exceptions([replace(found, limit=1e6)], adaptive(at(P50, 1.0)).scenario) == ()


def test_each_process_votes_on_its_own_start_and_on_what_it_lost(tmp_path: Path) -> None:
    start = requirement("cold-start", "load time", 3_000_007)
    assert judged(adaptive(start, scenario="cold-start"), [1.0] * 8, tmp_path)["load time"].outcome is Outcome.MET
    runs, latencies = processes([1.0] * 9)
    runs = [
        replace(run, serving=Serving(100.0, "poisson", 1, 0, 10, 1, 1, Crew(answered=2000, dropped=run.index // 8)))
        for run in runs
    ]
    lost = requirement("server", "dropped", 0.0)
    _, (found,) = judge_case(adaptive(lost, scenario="server"), contract(tmp_path), runs, latencies, None)
    assert found.outcome is Outcome.MET
    assert "8 of 9 processes kept it" in found.reason


def test_a_process_that_tells_no_memory_counts_for_neither_side() -> None:
    assert reading("peak memory", replace(process(0), memory=None), None) == Reading()
    assert reading("peak memory", replace(process(0), failure=CRASH), None) == Reading()


def test_a_crash_forbids_met_and_is_no_vote(tmp_path: Path) -> None:
    found = judged(adaptive(at(P50, 9e6)), [1.0] * 14, tmp_path, *[None] * 13, CRASH)[P50]
    assert found.outcome is Outcome.UNDECIDED
    assert "1 of 14 processes failed" in found.reason


def test_a_process_that_was_never_started_is_no_vote_against_anything(tmp_path: Path) -> None:
    assert judged(adaptive(at(P50, 9e6)), [1.0] * 9, tmp_path, *[None] * 8, SPENT)[P50].outcome is Outcome.MET


def test_an_undecided_case_says_how_far_it_got_and_what_it_would_take(tmp_path: Path) -> None:
    found = judged(adaptive(at(P50, 1e6)), [0.9, 1.1] * 4, tmp_path)[P50]
    assert found.outcome is Outcome.UNDECIDED
    assert "(4 of 8 processes, error rate 1 %; the worst: 1.1 ms; interval 89" in found.reason
    assert "at least 16 more processes would have to agree (each measures for 2 s at most)" in found.reason


def test_a_percentile_of_too_few_timings_counts_for_neither_side() -> None:
    rng = np.random.default_rng(3)
    few = np.asarray(rng.lognormal(np.log(1e6), 0.1, 60), dtype=np.uint64)
    found = reading(P99, process(0), few)
    assert found.value is None
    assert found.high is None  # the largest of 60 says nothing of what p99 is below
    assert vote(at(P99, 9e6), found) is None
    assert vote(at(P99, 1e3), found) is False


def test_the_vote_of_an_uncertain_percentile_is_told_only_where_both_ends_agree() -> None:
    limit, floor = at(P50, 10.0), at("throughput", 10.0)
    assert [vote(limit, Reading(1, low, high)) for low, high in ((1, 10), (1, 11), (11, 12))] == [True, None, False]
    assert [vote(floor, Reading(1, low, high)) for low, high in ((10, 11), (9, 11), (8, 9))] == [True, None, False]
    assert vote(limit, Reading()) is None


@pytest.mark.parametrize("metric", [P50, "latency mean", "throughput"])
def test_a_process_does_not_vote_on_a_limit_next_to_its_own_value(metric: str) -> None:
    rng = np.random.default_rng(5)
    latencies = np.asarray(rng.lognormal(np.log(1e6), 0.3, 2000), dtype=np.uint64)
    parts = latencies.reshape(20, 100)
    blocks = tuple(Block(100, 100, 0, int(one.sum()), 0) for one in parts)
    one = reading(metric, replace(process(0), blocks=blocks), latencies)
    assert one.value is not None
    limits = [at(metric, factor * one.value) for factor in (0.97, 1.0, 1.03)]
    way = 1 if limits[0].direction == "at most" else -1
    assert [vote(limit, one) for limit in limits][::way] == [False, None, True]


def test_a_process_whose_calls_are_all_alike_votes_on_every_limit() -> None:
    one = reading("latency mean", process(0), np.full(2000, 10**6, np.uint64))
    assert [vote(at("latency mean", limit), one) for limit in (999_999, 1e6)] == [False, True]


@pytest.mark.parametrize("q", [0.5, 0.9, 0.99])
@pytest.mark.parametrize("draw", [independent, autoregressive])
def test_a_vote_at_the_truth_goes_either_way_at_most_half_the_time(
    q: float, draw: Callable[..., NDArray[np.float64]]
) -> None:
    rng, truth = np.random.default_rng(11), float(np.quantile(np.random.default_rng(0).normal(size=400_000), q))
    within = outside = 0
    tries = 300
    for _ in range(tries):
        values = np.asarray((draw(rng, 1500) + 10) * 1e6, dtype=np.uint64)
        low, high, _ = Pool([values]).even_odds(q)
        limit = (truth + 10) * 1e6
        within += high is not None and high <= limit
        outside += low is not None and low > limit
    noise = 2.6 * (0.25 / tries) ** 0.5
    assert within / tries <= 0.5 + noise
    assert outside / tries <= 0.5 + noise


def run_until_closed(one: Case, scales: Sequence[float], *failures: Failure) -> int:
    runs, latencies = processes(scales)
    ballot = Ballot(one)
    for run in runs:
        failure = failures[run.index] if run.index < len(failures) else None
        ballot.add(replace(run, failure=failure), latencies(run))
        if ballot.closed:
            return run.index + 1
    return len(runs)


def test_processes_are_started_until_every_timed_requirement_is_decided() -> None:
    far, near = at(P50, 9e6), at("latency mean", 1.05e6)
    scales = [1.0, 1.2, *[1.0] * 38]
    assert run_until_closed(adaptive(far), scales) == 8
    assert run_until_closed(adaptive(far, near), scales) == 13


def test_no_further_process_is_started_once_those_left_could_not_decide() -> None:
    assert run_until_closed(adaptive(at(P50, 1e6), most=16), [0.9, 1.1] * 8) == 4


@pytest.mark.parametrize(("metric", "count", "after"), [(P99, 68, 3), (P99, 69, 10), (P50, 68, 8)])
def test_processes_that_make_too_few_calls_for_a_percentile_are_soon_given_up(
    metric: str, count: int, after: int
) -> None:
    ballot, (runs, latencies) = Ballot(adaptive(at(metric, 9e6))), processes([1.0] * 40, count=count)
    for run in runs:
        ballot.add(run, latencies(run))
        if ballot.closed:
            break
    assert run.index + 1 == after


def test_a_percentile_that_no_process_makes_calls_enough_for_says_how_long_would_do(tmp_path: Path) -> None:
    runs, latencies = processes([1.0] * 3, count=40)
    _, (found,) = judge_case(adaptive(at(P99, 9e6)), contract(tmp_path), runs, latencies, None)
    assert found.outcome is Outcome.NOT_MEASURED
    assert found.reason == (
        "processes of 40 calls are too short to tell, a p99 takes 69 independent ones of each at least: measure longer"
        " (`time: 7 s`)"
    )


def test_processes_that_make_too_few_calls_may_still_show_a_miss() -> None:
    ballot, (runs, latencies) = Ballot(adaptive(at(P99, 1e3))), processes([1.0] * 8, count=30)
    for run in runs:
        assert not ballot.closed
        ballot.add(run, latencies(run))
    assert ballot.closed and ballot.decision(at(P99, 1e3)).keeps is False


def test_a_failure_of_the_audit_or_three_of_any_kind_end_the_case() -> None:
    limit = adaptive(at(P50, 9e6))
    assert run_until_closed(limit, [1.0] * 40, INVALID) == 1
    assert run_until_closed(limit, [1.0] * 40, CRASH, CRASH, CRASH) == 3


def test_a_case_without_anything_to_vote_on_takes_three_processes() -> None:
    assert run_until_closed(adaptive(requirement("", "artifact size", 1e9)), [1.0] * 40) == 3


def test_no_case_waits_for_accuracy_which_is_exact_from_the_first_process_on() -> None:
    top = requirement("accuracy", "top-1", 0.97)
    assert run_until_closed(adaptive(at(P50, 9e6), top), [1.0] * 40) == 8
    assert run_until_closed(adaptive(top), [1.0] * 40) == 3


def test_the_votes_that_were_counted_while_measuring_give_the_same_verdicts(tmp_path: Path) -> None:
    one = adaptive(at(P50, 9e6), at(P99, 1.1e6), at("peak memory", 1e9))
    runs, latencies = processes([1.0] * 9)
    ballot = Ballot(one)
    for run in runs:
        ballot.add(run, latencies(run))
    again = judge_case(one, contract(tmp_path), runs, latencies, None, ballot=ballot)
    assert again == judge_case(one, contract(tmp_path), runs, latencies, None)


def blocks_until_stop(rule: StopRule, values: NDArray[np.float64]) -> int | None:
    latencies = np.asarray(np.exp(np.log(1e6) + 0.1 * values), dtype=np.uint64).reshape(-1, 50)
    for index, some in enumerate(latencies, start=1):
        if rule.block(Block(50, 50, 0, int(some.sum()), 0), some):
            return index
    return None


def test_a_process_ends_once_its_vote_is_founded_by_effective_timings_whatever_it_is() -> None:
    rng, near = np.random.default_rng(5), at(P99, 1.26e6)
    plain = independent(rng, 20_000)
    dependent = autoregressive(rng, 20_000)
    assert blocks_until_stop(StopRule([near]), plain) is None
    founded, later = (blocks_until_stop(StopRule([near], votes=True), one) for one in (plain, dependent))
    assert founded is not None
    assert founded * 50 >= FOUNDED * needed(0.99)
    assert later is None or later > 2 * founded


def test_an_adaptive_run_at_the_very_median_is_rarely_decided_and_at_5_percent_off_soon() -> None:
    """Processes differ by 2 %; 150 runs of up to 40 processes with a limit at the median of all processes."""
    rng = np.random.default_rng(20260101)
    runs = {1.0: 0, 1.05: 0, 0.95: 0}
    after: list[int] = []
    for factor in runs:
        limit = at(P50, factor * 1e6)
        for _ in range(150):
            medians = 1e6 * np.exp(0.02 * rng.normal(size=40))
            ballot = Ballot(adaptive(limit))
            ballot.readings[limit] = [Reading(one, one, one) for one in medians]
            found = ballot.decision(limit)
            runs[factor] += found.keeps is not None
            after += [found.after] if factor != 1.0 and found.after else []
    assert runs[1.0] / 150 <= 0.02
    assert runs[1.05] == runs[0.95] == 150
    assert sorted(after)[len(after) // 2] == 8
