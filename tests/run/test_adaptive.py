"""``processes: adaptive``: fresh processes until the typical one is judged, and no more."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from bench.contract.load import load
from bench.judge.case import judge_case
from bench.judge.independent import LEAST
from bench.plan import plan
from bench.results import CaseResult, Outcome, StoredRun
from bench.stats.sequential import fewest
from bench.store import load_timings, open_run
from tests.run.test_run_command import CONTRACT, Place

FIXED = "processes: 1, time: 300 ms, min time: 50 ms"


@dataclass(frozen=True)
class Done:
    """An adaptive run of one target."""

    place: Place
    code: int
    said: str

    @property
    def stored(self) -> StoredRun:
        return open_run(self.place.only_run(), self.place.folder / "results")

    @property
    def case(self) -> CaseResult:
        return self.stored.cases[0]


def run(folder: Path, limits: str, *words: str, backend: str = "onnxruntime") -> Done:
    place = Place(folder)
    text = CONTRACT.replace("{latency p50: LIMIT, " + FIXED + "}", "{" + limits + "}")
    assert limits in text
    place.contract.write_text(f"{text}  a: {backend}\n")
    done = place.run(*words)
    return Done(place, done.returncode, done.stdout + done.stderr)


SHORT = "processes: adaptive, time: 200 ms, min time: 20 ms"


def test_a_limit_far_above_is_met_after_as_few_processes_as_can_decide(tmp_path: Path) -> None:
    done = run(tmp_path, f"latency p50: 1 s, throughput: 1/s, {SHORT}")
    assert done.code == 0, done.said
    assert len(done.case.process_runs) == fewest() == 8
    told = {one.metric: one.reason for one in done.case.verdicts}
    assert "the typical fresh process keeps its p50 (8 of 8 processes" in told["latency p50"]
    assert "error rate 1 %; the worst: " in told["latency p50"]
    assert "keeps its throughput (8 of 8" in told["throughput"]


@pytest.mark.parametrize(("promise", "fewest_processes"), [("typical process", 8), ("pool of calls", 9)])
def test_queries_timed_in_groups_are_decided_as_soon(tmp_path: Path, promise: str, fewest_processes: int) -> None:
    """Whether a tiny model's queries are timed in groups is the machine's speed: it must not leave all undecided."""
    done = run(tmp_path, f"latency p50: 1 s, calls per timing: 4, promise: {promise}, {SHORT}")
    assert done.code == 0, done.said
    assert len(done.case.process_runs) == fewest_processes
    assert {one.calls_per_timing for one in done.case.process_runs} == {4}


def test_memory_is_voted_on_and_the_report_names_the_zone_of_indifference(tmp_path: Path) -> None:
    place = Place(tmp_path)
    words = "cold-start: {peak memory: 64 GiB, indifference: 5 %, processes: adaptive"
    place.contract.write_text(
        CONTRACT.replace("single-stream: {latency p50: LIMIT, " + FIXED, words) + "  a: onnxruntime\n"
    )
    done = place.run()
    assert done.returncode == 0, done.stdout
    assert "≤ 64 GiB ± 5 %" in done.stdout
    (case,) = open_run(place.only_run(), place.folder / "results").cases
    assert len(case.process_runs) == 8
    assert "keeps its peak memory within 5 % (of 8 processes 8 are within 67.2 GiB, 0 above" in case.verdicts[0].reason
    assert case.settings["indifference"] == 0.05


def test_a_limit_far_below_is_missed_after_as_few(tmp_path: Path) -> None:
    done = run(tmp_path, f"latency p50: 1 ns, {SHORT}")
    assert done.code == 1, done.said
    assert len(done.case.process_runs) == 8
    assert "the typical fresh process misses its p50 (0 of 8 processes kept it" in done.said.replace("\n", " ")


def test_a_looser_error_rate_takes_fewer_processes(tmp_path: Path) -> None:
    done = run(tmp_path, f"latency p50: 1 s, error rate: 5 %, {SHORT}")
    assert done.code == 0, done.said
    assert len(done.case.process_runs) == fewest(0.05) == 6
    assert done.case.settings["error_rate"] == 0.05


def test_cold_start_takes_votes_too(tmp_path: Path) -> None:
    place = Place(tmp_path)
    text = CONTRACT.replace(
        "single-stream: {latency p50: LIMIT, " + FIXED, "cold-start: {cold start: 60 s, processes: adaptive"
    )
    place.contract.write_text(f"{text}  a: onnxruntime\n")
    done = place.run()
    assert done.returncode == 0, done.stdout
    (case,) = open_run(place.only_run(), place.folder / "results").cases
    assert len(case.process_runs) == 8
    assert "the typical fresh process keeps its cold start" in case.verdicts[0].reason


def test_a_limit_that_every_second_process_keeps_stays_open_and_says_how_far_it_got(tmp_path: Path) -> None:
    """It also ends as soon as the processes that are left could not decide it."""
    done = run(
        tmp_path,
        f"latency mean: 10 ms, {SHORT}".replace("adaptive", "2..14"),
        backend='{backend: Alternates, options: {folder: "."}}',
    )
    assert done.code == 3, done.said
    (verdict,) = done.case.verdicts
    assert verdict.outcome is Outcome.UNDECIDED
    count = len(done.case.process_runs)
    assert "whether the typical fresh process keeps its mean latency is open" in verdict.reason
    assert f"({(count + 1) // 2} of {count} processes, error rate 1 %; the worst: " in verdict.reason
    assert "more processes would have to agree (each measures for 200 ms at most" in verdict.reason
    assert "): allow more of" in verdict.reason  # between them: how long a process takes to start, where that is long
    assert 3 <= count < 14


def test_processes_that_fail_end_the_case_early_and_nothing_is_met(tmp_path: Path) -> None:
    done = run(tmp_path, f"latency p50: 1 s, {SHORT}", backend="SegfaultInRun")
    assert done.code == 3
    assert len(done.case.process_runs) == 3


def test_a_spent_time_budget_leaves_the_case_undecided(tmp_path: Path) -> None:
    done = run(tmp_path, f"latency p50: 1 s, {SHORT}", "--time-budget", "1 s")
    assert done.code == 3, done.said
    assert len(done.case.process_runs) < 9
    assert done.case.process_runs[-1].failure is not None
    assert done.case.process_runs[-1].failure.error == "BudgetSpent"


@pytest.mark.parametrize("limit", ["1 s", "1 ns"])
def test_the_verdicts_follow_again_from_what_is_stored(tmp_path: Path, limit: str) -> None:
    done = run(tmp_path, f"latency p50: {limit}, latency p99: {limit}, latency mean: {limit}, {SHORT}")
    contract = load(done.place.contract)
    (case,) = plan(contract).cases
    folder, stored = done.place.only_run(), done.case

    def timings(one: Any) -> Any:
        return None if one.timings is None else load_timings(folder, one.timings)

    figures, verdicts = judge_case(case, contract, stored.process_runs, timings, None)
    assert verdicts == stored.verdicts
    assert figures == stored.figures
    settings = json.loads((folder / "cases" / "a.single-stream.json").read_text())["settings"]
    assert (settings["least_processes"], settings["processes"], settings["error_rate"]) == (1, 40, 0.01)


def test_the_pool_is_promised_where_it_is_asked_for(tmp_path: Path) -> None:
    done = run(tmp_path, f"latency p50: 1 s, throughput: 1/s, promise: pool of calls, {SHORT}")
    assert done.code == 0, done.said
    assert len(done.case.process_runs) == 9
    told = {one.metric: one.reason for one in done.case.verdicts}
    assert "the pool of all calls keeps its p50 (0.000% of the calls of 9 processes" in told["latency p50"]
    assert "the typical fresh process keeps its throughput" in told["throughput"]


def test_a_pool_that_so_few_processes_cannot_show_kept_is_told_before_anything_is_measured(tmp_path: Path) -> None:
    done = run(tmp_path, f"latency p99: 1 s, promise: pool of calls, {SHORT}")
    assert done.code == 2, done.said
    assert "it takes at least 587 processes without one call over the limit" in " ".join(done.said.split())
    assert not (tmp_path / "results").exists()


def test_calls_are_promised_alone_where_it_is_asked_for(tmp_path: Path) -> None:
    """Whether a real model's calls are counted is the machine's doing; either way the reason says what decided."""
    done = run(tmp_path, "latency p50: 1 s, promise: independent calls, processes: adaptive, time: 200 ms")
    assert done.code == 0, done.said
    (verdict,) = done.case.verdicts
    assert done.case.settings["counts_calls"] is True
    if verdict.reason.startswith("each call alone keeps its p50 (0 of "):
        assert len(done.case.process_runs) == LEAST
    else:
        assert "the typical fresh process keeps its p50 (9 of 9 processes" in verdict.reason
        assert "calls depend on each other, effective timings " in verdict.reason
        assert LEAST + 9 >= len(done.case.process_runs) > 9
