"""A query near the clock's own cost: said in a note and in the reason, and nothing else changes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bench.device.records import CALLS_PER_TIMING
from bench.judge import floor
from bench.judge.case import judge_case
from bench.results import Outcome, ProcessRun
from tests.judge.cases import COUNT, case, contract, process, requirement


def timed(index: int, clock_ns: float | None = 60.0) -> ProcessRun:
    facts = {} if clock_ns is None else {"loop_recorded_ns": clock_ns}
    return replace(process(index), facts={**process(index).facts, **facts})


@pytest.mark.parametrize(("median_ns", "is_said"), [(500, True), (1199, True), (1201, False), (10**6, False)])
def test_a_query_below_the_floor_is_said_with_both_figures(median_ns: int, is_said: bool) -> None:
    told = floor.note([timed(0)], lambda _: np.full(COUNT, median_ns, np.uint64))
    assert bool(told) == is_said
    if is_said:
        assert "the clock itself 60 ns" in told and "below 20 times" in told
        assert "by a larger `batch`, where the model takes one" in told  # the batch size may be fixed


def test_nothing_is_said_where_nothing_is_known() -> None:
    assert floor.note([timed(0, None)], lambda _: np.full(COUNT, 5, np.uint64)) == ""
    assert floor.note([timed(0)], lambda _: None) == ""
    assert floor.note([], lambda _: None) == ""


def grouped(index: int, calls: int, clock_ns: float = 60.0) -> ProcessRun:
    one = timed(index, clock_ns)
    return replace(one, facts={**one.facts, CALLS_PER_TIMING: calls})


def test_where_queries_were_timed_in_groups_the_note_says_what_percentiles_are_of() -> None:
    told = floor.note([grouped(0, 16)], lambda _: np.full(COUNT, 80, np.uint64))
    assert told.startswith("queries were timed in groups of 16, because one takes only 80 ns: a timing is the mean")
    assert "`calls per timing: 1`" in told
    still = floor.note([grouped(0, 2)], lambda _: np.full(COUNT, 80, np.uint64))
    assert "still below 20 times the 30 ns that the clock adds to each" in still


@pytest.mark.parametrize("calls", [0, -1, "16", None])
def test_a_number_of_calls_that_cannot_be_is_not_believed(calls: object) -> None:
    one = replace(timed(0), facts={CALLS_PER_TIMING: calls})  # type: ignore[dict-item]
    assert one.calls_per_timing == 1


def test_a_verdict_on_means_says_so(tmp_path: Path) -> None:
    wanted = [
        requirement("single-stream", "latency p99", 900.0),
        requirement("single-stream", "latency p50", 70.0),
        requirement("single-stream", "latency mean", 900.0),
        requirement("single-stream", "throughput", 1.0),
    ]
    runs = [grouped(index, 16) for index in range(3)]
    _, verdicts = judge_case(case(*wanted), contract(tmp_path), runs, lambda _: np.full(COUNT, 60, np.uint64), None)
    said = {one.metric: one.reason.rpartition(" (")[2] for one in verdicts}
    assert said["latency p99"] == "of means of 16 queries timed together)"
    assert said["latency p50"].startswith("of means of 16 queries timed together; the limit is below 20 times")
    assert "together" not in said["latency mean"] + said["throughput"], "a mean of means is the mean"


def test_only_a_latency_limit_below_the_floor_has_it_in_its_reason(tmp_path: Path) -> None:
    wanted = [
        requirement("single-stream", "latency p50", 900.0),
        requirement("single-stream", "latency p99", 5000.0),
        requirement("single-stream", "throughput", 1.0),
        requirement("single-stream", "peak memory", 1e12),
    ]
    runs = [timed(index) for index in range(3)]
    _, verdicts = judge_case(case(*wanted), contract(tmp_path), runs, lambda _: np.full(COUNT, 500, np.uint64), None)
    assert {one.outcome for one in verdicts} == {Outcome.MET}
    said = [one.metric for one in verdicts if "the clock is judged too" in one.reason]
    assert said == ["latency p50"]
