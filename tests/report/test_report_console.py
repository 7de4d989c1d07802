"""The console report: the verdict at a glance, nothing beyond the width, whatever the names."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from bench.report import console, evidence, junit, values
from bench.report.text import clean
from bench.results import Failure, Figure, Json, Limit, Outcome, ProcessRun, StoredRun, Verdict
from tests.report.example import MET, MISSED, case, every_outcome, kept, latency, process, run, verdict
from tests.report.hostile import hostile_text, poisoned

COLOUR = re.compile(r"\x1b\[[\d;]*m")
COMMANDS = ("show it again: ", "measure the rest: ", "results: ")
WIDTHS = [60, 80, 100, 200]


def too_wide(text: str, width: int) -> list[str]:
    lines = COLOUR.sub("", text).splitlines()
    return [line for line in lines if cell_len(line) > width and not line.startswith(COMMANDS)]


@pytest.mark.parametrize("verbose", [False, True])
@pytest.mark.parametrize("width", WIDTHS)
def test_no_line_passes_the_width_and_no_verdict_is_cut(width: int, verbose: bool) -> None:
    text = console.render(every_outcome(), width=width, verbose=verbose, timings=lambda _: [1, 900, 1_000_000])
    assert not too_wide(text, width)
    assert len(re.findall(r"^  ✓  .* met$", text, re.MULTILINE)) == 6
    assert len(re.findall(r"^  –  .* not measured$", text, re.MULTILINE)) == 4
    assert len(re.findall(r"^  ✗  .* missed$", text, re.MULTILINE)) == 1
    assert len(re.findall(r"^  \?  .* undecided$", text, re.MULTILINE)) == 1


@pytest.mark.parametrize("width", WIDTHS)
def test_colour_changes_no_character(width: int) -> None:
    plain = console.render(every_outcome(), width=width, colour=False)
    coloured = console.render(every_outcome(), width=width, colour=True)
    assert "\x1b" not in plain
    assert coloured != plain
    stripped = COLOUR.sub("", coloured).splitlines()
    assert [line.rstrip() for line in stripped] == plain.splitlines()


def test_a_terminal_narrower_than_60_gets_60_columns() -> None:
    assert console.render(kept(), width=10) == console.render(kept(), width=60)


def test_of_one_target_there_is_its_table_and_no_overview() -> None:
    text = console.render(kept(), width=80)
    assert text.count("latency p50") == 1
    assert "The contract is kept on ort-1\n" in text


def test_of_several_targets_the_overview_comes_last_and_says_which_is_best() -> None:
    text = console.render(every_outcome(), width=80)
    overview = text[text.rindex("single-stream\n  latency p50") :]
    assert re.search(r"latency p50 +≤ 1 ms +✓ 812 µs\* +\? 960 µs +–", overview)
    assert re.search(r"verdict +✓ met +✗ missed +– not measured", overview)
    assert "* clearly the best of its line" in overview


def test_more_targets_than_stand_side_by_side_get_a_line_each() -> None:
    figure = latency("latency p50", 1e6, 0.9e6, 1.1e6)
    many = [
        case(f"target-number-{index}", "null", "single-stream",
             (verdict("single-stream", figure, "at most", 2e6, "2 ms", MET, "within"),))
        for index in range(12)
    ]  # fmt: skip
    text = console.render(run(*many), width=80)
    foot = text[text.rindex("target-number-0: ") - 2 :]
    assert foot.startswith("✓ target-number-0: 1 met\n✓ target-number-1: 1 met\n")
    assert "The contract is kept on target-number-0, target-number-1, target-number-2,\n" in foot
    assert "8 more" in foot
    assert not too_wide(text, 80)


def test_limits_that_differ_between_targets_are_said_to() -> None:
    figure = latency("latency p50", 1e6, 0.9e6, 1.1e6)
    text = console.render(
        run(
            case("a", "null", "single-stream", (verdict("single-stream", figure, "at most", 2e6, "2 ms", MET, "w"),)),
            case("b", "null", "single-stream", (verdict("single-stream", figure, "at most", 3e6, "3 ms", MET, "w"),)),
        ),
        width=80,
    )
    assert re.search(r"latency p50 +by target +✓ 1 ms +✓ 1 ms\n", text), "and neither is called the best"


Told = tuple[float, float | None, float | None, tuple[float, ...]]
SIX = (0.9e6, 1e6, 1e6, 1e6, 1e6, 1.1e6)


@pytest.mark.parametrize(
    ("mine", "others", "best"),
    [
        ((1e6, 0.95e6, 1.05e6, (0.9e6, 1.1e6)), (2e6, 1.95e6, 2.05e6, (1.9e6, 2.1e6)), True),
        ((1e6, 0.9e6, 1.1e6, (0.9e6, 1e6, 1.1e6)), (2e6, 1.95e6, 2.05e6, (1.9e6, 2.1e6)), False),
        ((1e6, 0.95e6, 1.05e6, (0.9e6, 1.1e6)), (2e6, 1.9e6, 2.1e6, (1.9e6, 2e6, 2.1e6)), False),
        ((1e6, 0.9e6, 1.1e6, SIX), (2e6, 1.95e6, 2.05e6, (1.9e6, 2.1e6)), True),
        ((1e6, 0.95e6, 1.05e6, (1e6,)), (2e6, 1.95e6, 2.05e6, (2e6,)), False),
        ((1e6, 1e6, 1e6, (1e6,)), (2e6, 2e6, 2e6, (2e6,)), False),
        ((1e6, None, None, (0.9e6, 1e6, 1.1e6)), (2e6, 1.95e6, 2.05e6, (1.9e6, 2.1e6)), False),
        ((1e6, None, None, ()), (2e6, None, None, ()), True),
    ],
)
def test_the_best_of_a_line_is_told_from_real_intervals_alone(mine: Told, others: Told, best: bool) -> None:
    cases = [
        case(name, "null", "cold-start", (verdict("cold-start", figure, "at most", 9e6, "9 ms", MET, "w"),))
        for name, figure in (("a", Figure("load time", "ns", *mine)), ("b", Figure("load time", "ns", *others)))
    ]
    assert ("1 ms* " in console.render(run(*cases), width=80)) == best


def test_one_process_shows_its_value_and_no_interval() -> None:
    alone = Figure("load time", "ns", 1e6, 1e6, 1e6, (1e6,), 1)
    assert values.measured(alone) == "1 ms"
    assert values.measured(replace(alone, processes=(1e6, 1e6))) == "1 ms [1, 1]"


@pytest.mark.parametrize(
    ("asked", "count", "words"),
    [
        ({"processes": 5}, 4, "3 of 5 processes finished"),
        ({"processes": 40, "least_processes": 8, "error_rate": 0.01}, 4, "3 of 8 processes finished"),
        ({"processes": 40, "least_processes": 8, "error_rate": 0.01}, 10, "9 of 10 processes finished"),
        ({}, 4, "3 of 4 processes finished"),
    ],
)
def test_processes_are_counted_of_those_that_were_asked_for(asked: dict[str, Json], count: int, words: str) -> None:
    spent = Failure("BudgetSpent", "the time budget was spent before this process")
    runs = (*(process(index) for index in range(count - 1)), ProcessRun(count - 1, failure=spent))
    one = case("a", "null", "single-stream", (), process_runs=runs, settings=asked)
    assert evidence.how(one).startswith(words)
    assert words in junit.render(run(one))


def test_an_interrupted_run_says_what_is_missing_and_how_to_go_on() -> None:
    text = console.render(every_outcome(), width=80, where="results/x")
    assert "! 1 case not measured: torch-ts.cold-start\n" in text
    assert "cold start: the run ended before this was measured\n" in text
    assert text.endswith("measure the rest: benchpact run contract.yaml --resume 20251124-060000-a1b2c3\n")


def test_what_was_never_measured_is_shown_with_its_limit() -> None:
    whole = every_outcome()
    limits = {"torch-ts": {"cold-start cold start": Limit(2e9, "2 s")}}
    text = console.render(replace(whole, info=replace(whole.info, limits=limits)), width=100)
    line = next(one for one in text.splitlines() if "cold start" in one and "not measured" in one)
    assert "≤ 2 s" in line
    assert "≤ 2 s" not in console.render(whole, width=100)  # an older run does not tell it


def test_a_run_with_no_case_at_all_is_shown() -> None:
    whole = run(missing=("ort-1.single-stream", "ort-1.offline"))
    wanted: dict[str, tuple[str, ...]] = {"ort-1": ("single-stream latency p50", "artifact size", "offline throughput")}
    text = console.render(StoredRun(replace(whole.info, requirements=wanted), (), whole.missing), width=80)
    assert "– ort-1: 3 not measured\n" in text
    assert "2 cases not measured: ort-1.single-stream, ort-1.offline" in text


def test_a_run_that_asks_nothing_is_shown_and_claims_nothing() -> None:
    for nothing in (run(), run(case("ort-1", "null", "single-stream", ()))):
        text = console.render(nothing, width=80)
        assert "Nothing was required, so nothing is shown\n" in text
        assert "✓" not in text


def test_a_figure_that_is_no_number_and_a_process_without_one_are_shown() -> None:
    odd = Figure("latency p50", "ns", float("nan"), float("-inf"), float("inf"), (None, 1.0, float("nan")))
    verdicts = (verdict("single-stream", odd, "at most", float("nan"), "", MISSED, "odd"),)
    text = console.render(run(case("a", "null", "single-stream", verdicts)), width=80, verbose=True)
    assert "nan" in text
    assert "by process: –, 1 ns, nan" in text


WIDE = st.lists(st.sampled_from(["漢字", "🙂", "long-word-" * 9, " ", ":", "[", "é", "a b"]), max_size=9).map("".join)


@settings(deadline=None, max_examples=20)
@given(text=WIDE, width=st.integers(60, 200))
def test_wide_characters_and_long_names_wrap_within_the_width(text: str, width: int) -> None:
    assert not too_wide(console.render(poisoned(text, before=False), width=width, verbose=True), width)


@settings(deadline=None, max_examples=40)
@given(text=hostile_text, before=st.booleans(), colour=st.booleans(), width=st.integers(60, 140))
def test_no_text_of_a_run_reaches_the_terminal_as_anything_but_text(
    text: str, before: bool, colour: bool, width: int
) -> None:
    shown = console.render(poisoned(text, before=before), width=width, colour=colour, verbose=True, where=text)
    lines = (COLOUR.sub("", shown) if colour else shown).split("\n")
    assert [clean(line) for line in lines] == lines
    assert not too_wide(shown, width)


OUTCOMES = st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(Outcome)), max_size=8)


@settings(deadline=None, max_examples=25)
@given(OUTCOMES)
def test_a_target_s_mark_is_never_better_than_its_worst_requirement(outcomes: list[tuple[str, Outcome]]) -> None:
    figure = latency("latency p50", 1e6, 0.9e6, 1.1e6)
    by_target: dict[str, list[Verdict]] = {}
    for index, (target, outcome) in enumerate(outcomes):
        own = verdict("single-stream", figure, "at most", 2e6, "2 ms", outcome, "because")
        by_target.setdefault(target, []).append(replace(own, requirement=f"single-stream r{index}"))
    text = console.render(run(*(case(t, "null", "single-stream", tuple(v)) for t, v in by_target.items())), width=100)
    marks: dict[str, Any] = {Outcome.MET: "✓", Outcome.MISSED: "✗", Outcome.UNDECIDED: "?", Outcome.NOT_MEASURED: "–"}
    for target, verdicts in by_target.items():
        found = {one.outcome for one in verdicts}
        worst = next(one for one in (MISSED, Outcome.NOT_MEASURED, Outcome.UNDECIDED, MET) if one in found)
        assert f"\n{marks[worst]} {target}: " in text


def test_a_scenario_longer_than_its_metrics_stands_on_one_line() -> None:
    figure = Figure("latency p50", "ns", 1e6, 9e5, 1.1e6)
    own = (verdict("multi-stream", figure, "at most", 2e6, "2 ms", MET, "within"),)
    text = console.render(run(case("a", "null", "multi-stream", own)), width=80)
    assert re.search(r"^ +multi-stream$", text, re.MULTILINE)


def test_a_refusal_is_told_in_its_own_words_and_what_broke_with_the_workers_last_lines() -> None:
    text = console.render(every_outcome(), width=200)
    assert "failed in load (ModelRejected): opset 99 is not supported" in text
    assert "Check failed: opset <= 21" not in text
    assert "│ Segmentation fault" in text
    assert "│ Check failed: opset <= 21" in console.render(every_outcome(), width=200, verbose=True)


@pytest.mark.parametrize("unit", ["ns", "per_s"])
def test_an_interval_that_goes_down_to_nothing_is_shown_with_one_side(unit: str) -> None:
    shown = values.measured(Figure("x", unit, 2e6, 0.0, 4e6))
    assert re.fullmatch(r".+ \[≤ .+\]", shown) and " 0" not in shown, shown
    assert "≤" not in values.measured(Figure("x", unit, 2e6, 1.0, 4e6))
    assert "≤" not in values.measured(Figure("x", unit, 0.0, 0.0, 4e6)), "nothing itself was measured"
    assert values.measured(Figure("top-1", "ratio", 0.5, 0.0, 1.0)).count(",") == 1, "a share may well be 0"


def test_the_signs_of_the_tables_are_explained_where_they_are_and_only_there() -> None:
    wide, narrow = (console.render(every_outcome(), width=width) for width in (100, 60))
    assert console.INTERVAL_LEGEND in wide
    assert console.SPREAD_LEGEND in wide
    assert console.INTERVAL_LEGEND in narrow
    assert "spread" not in narrow
    exact = verdict("accuracy", Figure("top-1", "ratio", 0.98), "at least", 0.97, "≥ 97 %", MET, "")
    bare = console.render(run(case("ort-1", "onnxruntime", "single-stream", (exact,))), width=100)
    assert "✓  top-1" in bare
    assert console.INTERVAL_LEGEND not in bare
    assert console.SPREAD_LEGEND not in bare


def test_an_interval_that_no_verdict_comes_from_is_not_said_to_be_its_source() -> None:
    """Where calls are promised, bets on them decide, and the interval of all timings stands beside."""
    found = verdict(
        "single-stream", latency("latency p50", 2e6, 1e6, 3e6), "at most", 9e6, "≤ 9 ms", Outcome.UNDECIDED, ""
    )
    for word, told in (("pooled", True), ("counts_calls", True), ("processes", False)):
        own = case("ort-1", "onnxruntime", "single-stream", (found,), settings={"batch": 1, word: True})
        assert (console.OF_CALLS in console.render(run(own), width=200)) is told
