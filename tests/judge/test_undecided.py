"""Every open verdict says how far it got, the interval, and what it would take."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from bench.contract.model import Requirement, ScenarioSettings
from bench.judge.case import judge_case
from bench.judge.undecided import by_a_zone, how_many, interval_of
from bench.judge.verdict import verdict
from bench.results import Failure, Figure, Memory, Outcome, ProcessRun
from bench.stats.sequential import decide
from tests.judge.cases import CRASH, SPENT, case, contract, latencies, process, requirement

FAR, INTERVAL, REMEDY = (
    r"\d+ of \d+ (are within|processes)|of \d+ processes \d+ are|of 6,000 queries|processes were over|only \d",
    r"interval \S+ (\S+ )?to |no interval yet, processes from ",
    r"(measure|search) longer|processes: |--resume|measure again|lower `rate`|to its end|hardly tell",
)
METRICS = ("latency p50", "latency p99", "latency mean", "peak memory", "throughput")
SETTLED = {
    "fixed": ScenarioSettings("single-stream"),
    "adaptive": ScenarioSettings("single-stream", processes=40, least_processes=1),
    "pooled": ScenarioSettings("single-stream", processes=40, least_processes=1, pooled=True),
    "with a zone": ScenarioSettings("single-stream", processes=40, least_processes=1, indifference=1e-6),
}


def judged(limit: Requirement, settings: ScenarioSettings, runs: list[ProcessRun], folder: Path) -> tuple[Outcome, str]:
    _, (found,) = judge_case(replace(case(limit), scenario=settings), contract(folder), runs, latencies, None)
    return found.outcome, found.reason


def says_all(reason: str) -> None:
    for said in (FAR, INTERVAL, REMEDY):
        assert re.search(said, reason), (said, reason)


@pytest.mark.parametrize("settings", SETTLED)
@pytest.mark.parametrize("metric", METRICS)
def test_an_open_requirement_says_all_three(tmp_path: Path, metric: str, settings: str) -> None:
    """The limit is what three processes show themselves."""
    runs = [process(index) for index in range(3)]
    runs = [replace(run, blocks=tuple(replace(one, wall_ns=10**8 + run.index) for one in run.blocks)) for run in runs]
    limit = requirement("single-stream", metric, 1.0)
    figures, _ = judge_case(case(limit), contract(tmp_path), runs, latencies, None)
    (own,) = [one.processes[1] for one in figures if one.metric == metric]
    assert own is not None
    outcome, reason = judged(replace(limit, limit=own), SETTLED[settings], runs, tmp_path)
    assert outcome is Outcome.UNDECIDED, reason
    says_all(reason)


@pytest.mark.parametrize("failure", [CRASH, SPENT])
def test_what_would_be_met_but_for_a_failure_says_all_three(tmp_path: Path, failure: Failure) -> None:
    runs = [process(0), replace(process(1), failure=failure), replace(process(2), failure=SPENT)]
    outcome, reason = judged(requirement("single-stream", "latency p50", 9e6), SETTLED["fixed"], runs, tmp_path)
    assert outcome is Outcome.UNDECIDED
    says_all(reason)


def test_a_start_and_a_rate_and_a_growth_say_all_three() -> None:
    for block, metric, unit in (("cold-start", "load time", "ns"), ("server", "dropped", "ratio")):
        figure = Figure(metric, unit, 0.2, 0.1, 0.3, (0.1, 0.2, 0.3), 3)
        says_all(verdict(requirement(block, metric, 0.15), figure).reason)
    highest = requirement("server", "max rate under p99 10 ms", 500.0)
    rate = Figure(highest.metric, "per_s", 520.0, 480.0, 560.0, (510.0, 520.0, 530.0), 9000)
    reason = verdict(highest, rate).reason
    assert reason.startswith(
        "the limit lies inside the interval (3 of 3 processes are within it; interval 480/s to 560/s"
    )
    assert reason.endswith(
        "search longer (`search time`), or in more processes (`processes`): about 4 times as much in all"
    )
    growth = Figure("memory growth", "bytes_per_h", 1e6, 5e5, 2e6, (1e6,), 1)
    grown = verdict(requirement("soak", "memory growth", 1.5e6), growth).reason
    assert "interval 488 KiB/h to 1.91 MiB/h" in grown and grown.endswith(
        "(`time` in the contract): about 4 times as long"
    )


def test_how_much_longer_is_the_square_of_how_much_narrower() -> None:
    limit = requirement("single-stream", "latency p50", 110.0)
    for high, times in ((112.0, "1.4"), (120.0, "4"), (150.0, "25")):
        assert verdict(limit, Figure("latency p50", "ns", 100.0, 90.0, high, (), 9)).reason.endswith(
            f"about {times} times as long"
        )
    at_it = verdict(limit, Figure("latency p50", "ns", 110.0, 90.0, 120.0, (), 9)).reason
    assert at_it.endswith("hardly tell: say how near no answer is needed (`indifference: 2 %`)")
    far = verdict(limit, Figure("latency p50", "ns", 60.0, 1e-3, 1e9, (50.0, 70.0), 9)).reason
    assert "near" not in far and "far too wide to tell: measure longer" in far


def test_processes_that_differ_are_sent_to_the_way_that_can_decide_them() -> None:
    divided = Figure("latency p50", "ns", 100.0, 80.0, 120.0, (90.0, 105.0), 9)
    assert "(`processes: adaptive`)" in verdict(requirement("single-stream", "latency p50", 100.0), divided).reason
    soaked = verdict(requirement("soak", "latency p50", 100.0), divided).reason
    assert "adaptive" not in soaked


def test_more_processes_are_asked_for_where_they_are_allowed_and_time_where_they_were() -> None:
    settings = ScenarioSettings("single-stream", processes=40, least_processes=8)
    assert how_many(20, 10, settings).endswith(
        "(each measures for 2 s at most): go on with --resume, or give a larger --time-budget"
    )
    assert how_many(38, 10, settings).endswith("allow more of them (`processes: 8..80`)")
    assert how_many(400, 550, replace(settings, processes=400)).endswith("(`processes: 8..1000`)")
    never = how_many(900, 200, replace(settings, processes=900))
    assert "more than 1000 are never started" in never and "`indifference: 2 %`" in never
    assert "indifference" not in how_many(900, 200, replace(settings, processes=900, indifference=0.01))


def test_a_start_that_takes_long_is_told_beside_what_further_processes_measure() -> None:
    settings = ScenarioSettings("single-stream", processes=40, least_processes=1)
    slow = how_many(20, 10, settings, 21e9)
    assert "(each measures for 2 s at most, and takes 21 s to start)" in slow
    assert "to start" not in how_many(20, 10, settings, 0.2e9)


@pytest.mark.parametrize(
    ("own", "limit", "zone"),
    [
        ((0.99, 1.005) * 5, 1.0, "`indifference: 1 %`"),
        ((0.96, 1.06) * 5, 1.0, "`indifference: 5 %`"),
        ((0.92, 1.2) * 5, 1.0, "`indifference: 10 %`"),
        ((0.5, 2.0) * 5, 1.0, ""),
        ((0.99,) * 5, 1.0, ""),
        ((0.99,) * 9 + (1.2,), 1.0, ""),
        ((0.0, 0.1) * 5, 0.0, ""),
    ],
)
def test_a_zone_is_advised_where_one_would_soon_decide_what_few_more_processes_do_not(
    own: tuple[float, ...], limit: float, zone: str
) -> None:
    figure, settings = Figure("latency p50", "ns", 1.0, processes=own), SETTLED["adaptive"]
    said = by_a_zone(figure, requirement("single-stream", "latency p50", limit), settings)
    assert (zone in said) if zone else not said
    at_least = requirement("single-stream", "throughput", limit)
    mirrored = replace(figure, processes=tuple(2 * limit - one for one in own))
    assert by_a_zone(mirrored, at_least, settings) == said
    assert not by_a_zone(figure, requirement("single-stream", "latency p50", limit), SETTLED["with a zone"])


@given(st.lists(st.floats(0.8, 1.25), min_size=8, max_size=20))
@hypothesis_settings(deadline=None, max_examples=60)
def test_the_zone_that_is_advised_would_decide_these_very_processes_within_twice_as_many(own: list[float]) -> None:
    limit, scenario = requirement("single-stream", "latency p50", 1.0), SETTLED["adaptive"]
    said = by_a_zone(Figure("latency p50", "ns", 1.0, processes=tuple(own)), limit, scenario)
    if not said:
        return
    zone = float(said.partition("indifference: ")[2].partition(" %")[0]) / 100
    votes = [[one <= edge for one in own * 2] for edge in (1.0, 1 + zone, 1 - zone)]
    assert decide(votes[0], looser=votes[1], stricter=votes[2]).keeps is not None


def test_what_is_exact_has_no_interval_and_what_has_none_yet_says_how_far_the_processes_reach() -> None:
    assert interval_of(Figure("top-1", "ratio", 0.9)) == ""
    assert (
        interval_of(Figure("x", "ns", 2e6, processes=(1e6, None, 3e6)))
        == "no interval yet, processes from 1 ms to 3 ms"
    )
    assert interval_of(Figure("x", "ns", 2e6, 1e6, 3e6)) == "interval 1 ms to 3 ms"


def test_memory_of_an_open_case_names_its_lowest_and_highest_process(tmp_path: Path) -> None:
    runs = [replace(process(index), memory=Memory(0, 0, 1000 * (index + 1), "VmHWM")) for index in range(3)]
    _, reason = judged(requirement("single-stream", "peak memory", 1500), SETTLED["fixed"], runs, tmp_path)
    assert "(1 of 3 are within it; interval 1 000 B to 2.93 KiB)" in reason
