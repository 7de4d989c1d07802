"""A rate that the system cannot keep is said in a sentence, and no latency is called met on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from bench.judge.case import judge_case
from bench.judge.serving import load, overload, why_not_met
from bench.results import Block, Outcome, ProcessRun, Serving
from tests.judge.cases import CRASH, case, contract, latencies, process, requirement

MS = 1_000_000
P99, RATE, MEMORY = (
    requirement("server", name, limit)
    for name, limit in (("latency p99", 9e6), ("throughput", 5), ("peak memory", 1e9))
)


def served(index: int, busy_ms: Sequence[float], *, unanswered: int = 0, rate: float = 100.0) -> ProcessRun:
    """Blocks of 100 queries at 100/s, each query taking the model ``busy_ms`` in its block."""
    blocks = tuple(
        Block(100, 100, at * 1000 * MS, 1000 * MS, 0, int(100 * busy * MS), 3 + at) for at, busy in enumerate(busy_ms)
    )
    serving = Serving(rate, "poisson", 7 + index, unanswered, 50, 60, 70_000)
    return replace(process(index), blocks=blocks, serving=serving)


def verdicts(runs: Sequence[ProcessRun], folder: Path) -> dict[str, tuple[Outcome, str]]:
    one = case(P99, RATE, MEMORY, scenario="server", processes=len(runs))
    found = judge_case(one, contract(folder), runs, latencies, None)[1]
    return {verdict.metric: (verdict.outcome, verdict.reason) for verdict in found}


@pytest.mark.parametrize(
    ("busy_ms", "expected"),
    [([4, 4, 4, 4], 0.4), ([4, 4, 8, 12], 1.0), ([40, 40, 5, 5], 0.5), ([3], 0.3), ([4, 8], 0.8), ([1, 2, 6], 0.6)],
)
def test_the_load_is_that_of_the_second_half(busy_ms: list[float], expected: float) -> None:
    assert load(served(0, busy_ms)) == pytest.approx(expected)


def test_other_scenarios_have_no_load() -> None:
    assert load(process(0)) is None
    assert overload([process(0)]) == why_not_met([process(0)]) == ""


def test_a_rate_that_is_kept_is_met_and_nothing_is_said(tmp_path: Path) -> None:
    runs = [served(index, [4, 4, 4, 9.9]) for index in range(3)]
    assert overload(runs) == ""
    assert {outcome for outcome, _ in verdicts(runs, tmp_path).values()} == {Outcome.MET}


def test_the_worst_process_is_told_in_one_sentence() -> None:
    runs = [served(0, [4, 4]), served(1, [9, 12, 15, 15], unanswered=1234), served(2, [11, 11])]
    assert overload(runs) == (
        "the system cannot keep 100/s: a query takes it 15 ms on average, 1.5 times what the rate leaves, "
        "so the queue grew (6 at most, and 1,234 were never answered)"
    )
    assert overload([served(0, [10.5, 10.5])]).endswith("so the queue grew (4 at most)")


def test_no_latency_is_met_while_the_queue_grows_but_what_was_missed_stays_missed(tmp_path: Path) -> None:
    runs = [served(0, [4, 4]), served(1, [11, 11]), served(2, [4, 4])]
    found = verdicts(runs, tmp_path)
    assert found["latency p99"][0] is Outcome.UNDECIDED
    assert "the queue was still growing" in found["latency p99"][1]
    assert found["throughput"][0] is found["peak memory"][0] is Outcome.MET
    tight = requirement("server", "latency p99", 0.5e6)
    (missed,) = judge_case(case(tight, scenario="server"), contract(tmp_path), runs, latencies, None)[1]
    assert missed.outcome is Outcome.MISSED


def test_no_latency_is_met_while_queries_are_unanswered(tmp_path: Path) -> None:
    outcome, reason = verdicts([served(index, [4, 4], unanswered=2) for index in range(3)], tmp_path)["latency p99"]
    assert outcome is Outcome.UNDECIDED
    assert "6 queries were not answered when the measurement ended" in reason


def test_a_process_that_failed_says_nothing_of_the_load() -> None:
    assert overload([replace(served(0, [20, 20]), failure=CRASH)]) == ""
    assert load(replace(served(0, []), blocks=())) is None
