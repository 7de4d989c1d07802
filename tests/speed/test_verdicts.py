"""The verdict half of `make bench` works; what it finds on a quiet machine stands on the page."""

from __future__ import annotations

import os
import re
from datetime import timedelta
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from tests.judge import recorded
from tests.judge.by_calls import Shares
from tests.judge.populations import HARSH, KINDS, Population
from tests.judge.wrong import FACTORS, METRICS, Answers, Tally
from tests.speed import counting_calls, page, plot, reading, recording, soon, verdicts
from tests.speed.lines import Table, lines_of


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few processes, and the suite's recording in the place of both models'."""
    population, at = recorded.read(Path(recorded.__file__).with_name("recorded-tiny.npz"))
    monkeypatch.setattr(recording, "recordings", lambda: [(population, at)])
    monkeypatch.setattr(verdicts, "RUNS", 20)
    monkeypatch.setattr(verdicts, "PROCESSES", 20)
    monkeypatch.setattr(verdicts, "CALLS", 500)
    for name, value in {"RUNS": 3, "PROCESSES": 20, "CALLS": 200, "COMPARED": 2, "FACTORS": (1.2,)}.items():
        monkeypatch.setattr(counting_calls, name, value)


def words_beside(population: str) -> list[str]:
    return [*(metric[8:] for metric in METRICS if population in HARSH), "mean", "throughput"]


@pytest.mark.usefixtures("small")
def test_each_population_has_a_line_a_percentile_and_the_tables_stand_below() -> None:
    found = verdicts.measure()
    names = [line.what for line in lines_of(found)]
    every = [*KINDS, *HARSH, "recorded, tiny"]
    beside = [f"{one}: {word}" for one in every for word in words_beside(one)]
    beside.append("one process of ten holds twice as much: peak memory")
    pooled = [f"pool of calls, {one}: {metric[8:]}" for one in every for metric in METRICS]
    populations = [*KINDS, "recorded, tiny", "recorded, tiny, in order"]
    voted = [f"{one}: {metric[8:]}" for one in populations for metric in METRICS]
    counted = [f"by calls, {one}: {metric[8:]}" for one in (*KINDS, "recorded, tiny") for metric in METRICS]
    alike = [name for name, kind in KINDS.items() if not kind.effect]
    counted += [f"calls to a verdict, {one}: {metric[8:]}" for one in alike for metric in METRICS]
    assert names == voted + beside + pooled + counted
    untold = ("in order", f"by calls, {counting_calls.RARE}")
    assert [line.kept is None for line in lines_of(found)] == [any(one in name for one in untold) for name in names]
    by_limit, decided, sides = (one for one in found if isinstance(one, Table))
    assert [row[0] for row in by_limit.rows] == [f"{factor:g} ×" for factor in FACTORS]
    assert [row[0].partition(" (2")[0] for row in decided.rows] == voted
    assert [row[0] for row in sides.rows] == [one for one in voted if "in order" not in one] + beside
    text = page.render({"Wrong verdicts": found}, cores=2, core=1, took_s=1.0)
    assert len(reading.rows(text)) == len(names)
    assert reading.wrong(text) == []
    assert reading.table(text, verdicts.BY_LIMIT) == [list(row) for row in by_limit.rows]


def tally(votes: int, calls: int) -> Tally:
    """So many of 1000 runs said *met* at every limit."""
    ours, theirs = (tuple(Answers(one, 1000, many, 0, 8, 150) for one in FACTORS) for many in (votes, calls))
    return Tally("x", "latency p50", 1e6, 1e6, ours, theirs, theirs)


@pytest.mark.parametrize(("wrong", "kept"), [(0, True), (10, True), (11, False)])
def test_a_line_is_kept_while_wrong_answers_are_as_few_as_stated(wrong: int, kept: bool) -> None:
    line = verdicts.line_of(tally(wrong, 400), held=True)
    assert line.kept is kept
    assert "calls counted: met 40.0 %, missed 0.00 %; early stopping: met 40.0 %" in line.theirs


def test_a_line_without_a_target_has_no_bound() -> None:
    line = verdicts.line_of(tally(10, 400), held=False)
    assert (line.ours, line.kept, line.target) == ("met 1.0 %, missed 0.00 %", None, "none")


def test_few_runs_do_not_keep_a_line_however_right_they_are() -> None:
    few = tuple(Answers(factor, 50, 0, 0) for factor in FACTORS)
    assert verdicts.line_of(Tally("x", "latency p50", 1e6, 1e6, few, few, few), held=True).kept is False


def test_the_plot_has_every_rule_at_every_limit_and_more_wrong_is_higher() -> None:
    found = [verdicts.Found([tally(10, 500)], held=True, at="now")]
    text = page.render({"Wrong verdicts": [verdicts.by_limit(found)]}, cores=2, core=1, took_s=1.0)
    root = ElementTree.fromstring(plot.draw(text))
    lines = [one.attrib["points"].split() for one in root.iter("{http://www.w3.org/2000/svg}polyline")]
    assert [len(one) for one in lines] == [len(FACTORS)] * len(verdicts.RULES)
    votes, calls, _ = ([float(at.partition(",")[2]) for at in one] for one in lines)
    assert votes[0] > calls[0]
    assert {name for name in verdicts.RULES if name in "".join(root.itertext())} == set(verdicts.RULES)


def test_real_processes_are_recorded_by_a_run_and_kept_for_a_day(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recording, "CALLS", {"tiny": 300})
    ((population, at),) = recording.recordings(tmp_path, processes=2)
    assert [len(one) for one in population.timings] == [300, 300]
    assert [sum(block.count for block in one.blocks) for one in population.runs] == [300, 300]
    assert not np.array_equal(population.timings[0], population.timings[1])

    def again(*_: object) -> Population:
        return Population("again", population.runs, population.timings)

    monkeypatch.setattr(recording, "record", again)
    assert recording.recordings(tmp_path, processes=2)[0][1] == at
    (kept,) = tmp_path.iterdir()
    old = kept.stat().st_mtime - timedelta(days=1).total_seconds()
    os.utime(kept, (old, old))
    assert recording.recordings(tmp_path, processes=2)[0][0].name == "again"


def test_a_recording_that_is_no_recording_is_not_written(tmp_path: Path) -> None:
    population, at = recorded.read(Path(recorded.__file__).with_name("recorded-tiny.npz"))
    slow = Population("slow", population.runs[:1], (np.array([1 << 32], np.uint64),))
    with pytest.raises(ValueError, match="4294967296 ns"):
        recorded.write(tmp_path / "slow.npz", at, slow)
    assert list(tmp_path.iterdir()) == []


def test_a_whole_run_to_a_verdict_is_told_phase_by_phase(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(soon, "PERCENTILES", {"p50": 0.5})
    monkeypatch.setattr(soon, "FACTORS", (3.0,))
    found = soon.measure(rounds=1, before="latency p50: 1 s, processes: 1, min time: 100 ms, time: 100 ms")
    assert [asked.subject for asked in found] == list(soon.SUBJECTS)
    for asked, (run,) in found.items():
        assert run.outcome == "met"
        assert run.processes >= 8
        assert asked.least_ns <= run.measured_ns < run.processes * 2.5e9
        assert run.start_ns > 0
        assert run.checked_ns > 0
    for line in soon.lines(found):
        assert re.match(
            r"[\d.]+ m?s \(met, \d+ processes; their start [\d.]+ m?s, warm-up and audit [\d.]+ m?s\)", line.ours
        )


@pytest.mark.parametrize(
    ("measured_s", "outcome", "kept"), [(2.0, "met", True), (2.1, "met", False), (1.0, "undecided", False)]
)
def test_a_verdict_must_come_in_a_fifth_of_a_fixed_run(measured_s: float, outcome: str, kept: bool) -> None:
    run = soon.Verdict(int(measured_s * 1e9), 10**9, 10**9, 8, outcome)
    (line,) = soon.lines({soon.Asked(soon.DIGITS, "p50", 1.2): [run]})
    assert line.kept is kept


def test_what_cannot_come_in_a_fifth_of_a_fixed_run_is_held_to_no_target_and_says_why() -> None:
    met, missed = (soon.Asked(soon.DEVICE, "p99", factor) for factor in (1.2, 0.8))
    run = soon.Verdict(12_000_000_000, 10**9, 10**9, 8, "met")
    line = soon.line_of(met, [run])
    assert (line.kept, line.target) == (None, "none")
    assert line.ours.endswith("; no sooner than 11.8 s: 8 × 1,472 calls")
    assert soon.line_of(missed, [run]).kept is False


def test_counted_calls_are_held_to_the_same_error_rate_but_for_bursts_that_no_check_sees() -> None:
    few, many = Shares(1000, 0, 5, 3, 60.0), Shares(1000, 20, 0, 20, 60.0)
    assert counting_calls.told("x", METRICS[0], few).kept is True
    assert counting_calls.told("x", METRICS[0], many).kept is False
    line = counting_calls.told(counting_calls.RARE, METRICS[0], many)
    assert (line.kept, line.ours) == (None, "met 2.00 %, missed 0.00 %")


@pytest.mark.parametrize(("ours", "kept"), [(199.0, True), (201.0, False), (counting_calls.FEWEST, True)])
def test_counted_calls_are_at_most_twice_the_independent_tests_or_the_fewest(
    ours: float, kept: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counting_calls, "compared", lambda *_: [(ours, 100 if ours > 99 else 5, 0.95)])
    assert counting_calls.calls_line(Population("x", (), ()), METRICS[0]).kept is kept
