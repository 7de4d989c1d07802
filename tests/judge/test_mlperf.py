"""What is said of a case that was measured by MLPerf's rules: their own figure, and what was not as they have it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.contract.presets import LONG_NS, with_preset
from bench.judge import mlperf
from bench.judge.case import judge_case
from bench.plan import Case
from bench.results import Block, Outcome, ProcessRun, Serving
from bench.stats.early_stopping import needed_within
from tests.judge.cases import case, contract, latencies, process, requirement


def by_rules(one: Case, **changes: Any) -> Case:
    scenario = replace(with_preset(one.scenario, "mlperf"), **changes)
    return replace(one, scenario=scenario)


def long(run: ProcessRun) -> ProcessRun:
    """The same queries, over 600 s."""
    count = len(run.blocks)
    blocks = (Block(100, 100, at * LONG_NS // count, LONG_NS // count, 0) for at in range(count))
    return replace(run, blocks=tuple(blocks))


def test_the_estimate_is_loadgens_order_statistic() -> None:
    one, run = by_rules(case(requirement("single-stream", "latency p90", 1e9))), long(process(0))
    (told,) = mlperf.notes(one, [run], latencies)
    assert told.startswith("MLPerf's early-stopping estimate of p90 is 1.0") and told.endswith("of 2,000 queries")


def test_too_few_queries_give_no_estimate() -> None:
    one = by_rules(case(requirement("single-stream", "latency p90", 1e9)))
    (told,) = mlperf.notes(one, [long(process(0))], lambda run: latencies(run)[:63])
    assert told == "MLPerf's early stopping gives no estimate of p90 from 63 queries"


@pytest.mark.parametrize(("over", "answer"), [(0, "within"), (12, "within"), (30, "not within")])
def test_a_servers_overruns_are_counted_as_loadgen_does(over: int, answer: str) -> None:
    one = by_rules(case(requirement("server", "latency p99", 5e6), scenario="server"))
    timings = np.full(2000, 1_000_000, np.uint64)
    timings[:over] = 6_000_000
    if over == 12:
        assert needed_within(over, 0.99) + over > 2000, "12 are too many already"
        answer = "not within"
    (told,) = mlperf.notes(one, [long(process(0))], lambda _: timings)
    assert f"p99 is {answer} 5 ms: {over} of 2,000 queries took longer" in told


def test_a_query_that_a_server_never_answered_is_an_overrun() -> None:
    one = by_rules(case(requirement("server", "latency p99", 5e6), scenario="server"))
    run = replace(long(process(0)), serving=Serving(10.0, "poisson", 1, 30, 100, 1000, 1000))
    (told,) = mlperf.notes(one, [run], lambda _: np.full(1970, 1_000_000, np.uint64))
    assert "p99 is not within 5 ms: 30 of 2,000 queries took longer" in told


def test_words_that_are_not_the_rules_are_named() -> None:
    one = by_rules(case(requirement("single-stream", "latency p90", 1e9)), processes=2)
    assert mlperf.notes(one, [], latencies) == ("`preset: mlperf`, but not by its rules: 2 processes, not 1",)
    assert mlperf.notes(case(), [process(0)], latencies) == ()


@pytest.mark.parametrize(
    ("changes", "run", "outcome", "why"),
    [
        ({}, long(process(0)), Outcome.MET, "within the limit"),
        ({}, process(0), Outcome.UNDECIDED, "only 2.04 s of 600 s were measured"),
        ({"must_samples": 5296}, long(process(0)), Outcome.UNDECIDED, "MLPerf asks for 5,296 samples, and 2,000 were"),
        ({"max_queries": 2000}, process(0), Outcome.MET, "within the limit"),
    ],
)
def test_what_is_too_short_for_the_rules_is_not_met(
    tmp_path: Path, changes: dict[str, int], run: ProcessRun, outcome: Outcome, why: str
) -> None:
    one = by_rules(case(requirement("single-stream", "latency p90", 1e9)), **changes)
    _, (verdict,) = judge_case(one, contract(tmp_path), [run], latencies, None)
    assert (verdict.outcome, why in verdict.reason) == (outcome, True), verdict.reason
