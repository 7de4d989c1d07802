"""One requirement and one figure give one answer; answers give the exit code."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.contract.model import Place, Requirement
from bench.judge.verdict import at_best_undecided, exit_code, verdict
from bench.results import Figure, Outcome, Verdict

MET, MISSED, UNDECIDED, NOT_MEASURED = Outcome.MET, Outcome.MISSED, Outcome.UNDECIDED, Outcome.NOT_MEASURED
PLACE = Place("contract.yaml", 3, 5)
LATENCY = Requirement("single-stream", "latency p99", "ns", "at most", 100.0, "100 ns", PLACE)
RATE = Requirement("offline", "throughput", "per_s", "at least", 100.0, "100/s", PLACE)
MEMORY = Requirement("single-stream", "peak memory", "bytes", "at most", 100.0, "100 B", PLACE)


def figure(value: float | None, low: float | None = None, high: float | None = None, processes: int = 3) -> Figure:
    return Figure("x", "ns", value, low, high, (value,) * processes, 1000, "" if value is not None else "no labels")


@pytest.mark.parametrize(
    ("requirement", "interval", "outcome", "reason"),
    [
        (LATENCY, (80, 70, 90), MET, "all of the interval is within the limit"),
        (LATENCY, (90, 80, 100), MET, "all of the interval is within the limit"),
        (LATENCY, (120, 110, 130), MISSED, "all of the interval is above the limit"),
        (LATENCY, (95, 90, 101), UNDECIDED, "in more processes"),
        (LATENCY, (120, 99, 130), UNDECIDED, "the limit lies inside the interval"),
        (RATE, (120, 100, 130), MET, "all of the interval is within the limit"),
        (RATE, (80, 70, 99), MISSED, "all of the interval is below the limit"),
        (RATE, (105, 90, 115), UNDECIDED, "measure longer"),
        (RATE, (100, 90, 110), UNDECIDED, "so near to the limit that measuring longer would hardly tell"),
        (MEMORY, (130, 90, 130), UNDECIDED, "the limit lies inside the interval"),
        (LATENCY, (100, None, None), MET, "the value is within the limit"),
        (LATENCY, (101, None, None), MISSED, "the value is above the limit"),
        (RATE, (99, None, None), MISSED, "the value is below the limit"),
    ],
)
def test_the_verdict_comes_from_the_interval(
    requirement: Requirement, interval: tuple[float, float | None, float | None], outcome: Outcome, reason: str
) -> None:
    found = verdict(requirement, figure(*interval))
    assert found.outcome is outcome
    assert reason in found.reason
    assert found.requirement == requirement.id
    assert found.limit_text == requirement.text


def test_processes_on_both_sides_of_the_limit_ask_for_more_of_them() -> None:
    divided = replace(figure(100, 80, 120), processes=(98.0, None, 102.0))
    assert verdict(LATENCY, divided).reason.startswith("the processes fall on both sides of the limit")
    divided = replace(figure(130, 90, 130), processes=(90.0, None, 130.0))
    said = "some processes are within the limit and some are not (1 of 2 are within it; "
    assert verdict(MEMORY, divided).reason.startswith(said)


def test_a_single_process_is_not_told_to_take_more_where_the_interval_would_not_tell() -> None:
    assert "processes" not in verdict(LATENCY, figure(95, 90, 101, processes=1)).reason


@pytest.mark.parametrize("value", [None, math.nan, math.inf])
def test_no_finite_value_is_not_measured(value: float | None) -> None:
    found = verdict(LATENCY, figure(value))
    assert found.outcome is NOT_MEASURED
    assert found.reason == ("no labels" if value is None else "the figure is not a finite number")


@given(right=st.integers(0, 10_000), total=st.integers(1, 10_000))
def test_a_share_that_equals_a_limit_written_in_per_cent_keeps_it(right: int, total: int) -> None:
    share = min(right, total) / total
    limit = share * 100 / 100
    requirement = Requirement("accuracy", "top-1", "ratio", "at least", limit, "", PLACE)
    assert verdict(requirement, figure(share)).outcome is MET


@given(
    low=st.floats(0, 1e6), width=st.floats(0, 1e6), extra=st.floats(0, 1e6), limit=st.floats(0, 2e6), up=st.booleans()
)
def test_a_wider_interval_never_decides_what_a_narrower_one_did_not(
    low: float, width: float, extra: float, limit: float, up: bool
) -> None:
    requirement = replace(LATENCY, limit=limit, direction="at most" if up else "at least")
    narrow = verdict(requirement, figure(low, low, low + width)).outcome
    wide = verdict(requirement, figure(low, low - extra, low + width + extra)).outcome
    assert wide in (narrow, UNDECIDED)


def answers(*outcomes: Outcome) -> list[Verdict]:
    return [replace(verdict(LATENCY, figure(1)), outcome=outcome) for outcome in outcomes]


@pytest.mark.parametrize(
    ("outcomes", "code"),
    [
        ((MET,), 0),
        ((MET, MET), 0),
        ((MET, MISSED, UNDECIDED, NOT_MEASURED), 1),
        ((MET, UNDECIDED), 3),
        ((MET, NOT_MEASURED), 3),
        ((UNDECIDED, NOT_MEASURED), 3),
        ((), 3),
    ],
)
def test_the_exit_code_is_what_the_design_says(outcomes: tuple[Outcome, ...], code: int) -> None:
    assert exit_code(answers(*outcomes)) == code


def test_what_forbids_met_leaves_every_other_answer() -> None:
    for before, after in ((MET, UNDECIDED), (MISSED, MISSED), (UNDECIDED, UNDECIDED), (NOT_MEASURED, NOT_MEASURED)):
        assert at_best_undecided(answers(before)[0], "a process crashed", "mend it").outcome is after
    told = at_best_undecided(answers(MET)[0], "a process crashed", "mend it").reason
    assert told.endswith(", but a process crashed: mend it")
