"""The pieces of `make bench` work; how fast anything is, is not asserted here."""

from __future__ import annotations

import gc
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

import pytest

from bench.device import records
from tests.speed import __main__ as program
from tests.speed import contest, contracts, fresh, null_loop, outside, page, reading, ten_million, whole_runs
from tests.speed.lines import Line, bounded, bounded_ns, compared
from tests.speed.peers import by_hand
from tests.speed.rounds import ratio, take_turns
from tests.speed.subjects import subject, write_tiny_torchscript


def test_every_side_has_one_figure_a_round_and_the_order_rotates() -> None:
    calls: list[str] = []

    def side(name: str, figure: float) -> float:
        calls.append(name)
        return figure

    figures = take_turns({"a": lambda _: side("a", 1.0), "b": lambda _: side("b", 2.0)}, 3, 0)
    assert figures == {"a": [1.0] * 3, "b": [2.0] * 3}
    assert "".join(calls) == "ab" + "ab" + "ba" + "ab"


def test_a_ratio_is_the_middle_of_the_rounds_ratios() -> None:
    found = ratio([1, 2, 3, 40, 5], [1, 1, 1, 1, 1])
    assert (found.value, found.low, found.high) == (3, 2, 5)


def test_a_line_is_kept_up_to_its_target_and_not_beyond() -> None:
    assert compared("x", [102.0], [100.0], 1.02).kept is True
    assert compared("x", [103.0], [100.0], 1.02).kept is False
    assert compared("x", [103.0], [100.0], None).kept is None
    assert compared("x", [150.0], [30.0], 3, plus_ns=60).kept is True
    assert compared("x", [151.0], [30.0], 3, plus_ns=60).kept is False
    assert bounded_ns("x", [199.0, 250.0], 200).kept is True
    assert bounded_ns("x", [201.0, 250.0], 200).kept is False


def test_the_page_says_plainly_what_was_not_kept() -> None:
    lines = [compared("tiny: a", [120.0], [100.0], 1.0), compared("tiny: b", [120.0], [200.0], 1.0)]
    text = page.render({"A section": [*lines, bounded("memory", "1 MB", "≤ 2 MB", True)]}, cores=2, core=1, took_s=3.0)
    assert "**2 of 3 targets kept**" in text
    assert "| tiny: a | 120 ns | 100 ns | 1.200 (1.200–1.200) | ≤ 1 × | **not kept** |" in text
    assert "| memory | 1 MB |  |  | ≤ 2 MB | kept |" in text


def test_a_peer_that_reports_means_is_held_against_our_quietest_round_by_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ours, theirs = [3.0, 5.0, 9.0, 5.0, 4.0, 5.0], [9.0, 8.0, 4.0, 9.0, 9.0, 9.0]
    figures = dict.fromkeys((contest.HAND, contest.SHORTEST, contest.AGAIN), ours * 2)
    (timer,) = contest.PEERS["pytorch"]
    both = {**figures, contest.OURS: [*ours, *(2 * one for one in ours)], timer: [*theirs, *theirs]}
    monkeypatch.setattr(program, "raced", lambda *_: both)
    (line,) = [one for one in program.race("pytorch") if one.what == f"tiny: {timer}"]
    assert line.ratio is not None
    assert (line.ratio.low, line.ratio.high) == (0.75, 1.5)


@pytest.mark.parametrize("backend", sorted(contest.BY_HAND))
def test_our_side_and_the_hand_written_one_measure_the_same_model(backend: str, tmp_path: Path) -> None:
    raced = replace(subject("tiny", tmp_path), samples=2)
    write_tiny_torchscript(raced.torchscript)
    figures = take_turns(contest.sides(backend, raced, {}, mirrored=False), 1, 0.01)
    assert set(figures) == {contest.OURS, contest.HAND, contest.SHORTEST, contest.AGAIN}
    assert all(100 < values[0] < 1e9 for values in figures.values())


def test_a_process_by_hand_collects_no_garbage_while_it_times(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    collecting: list[bool] = []

    def side(seconds: float) -> float:
        collecting.append(gc.isenabled())
        return seconds

    monkeypatch.setattr(by_hand, "ort", lambda _: side)
    assert gc.isenabled()
    whole_runs.hand_timed("digits", tmp_path)
    assert collecting == [False, False]
    assert gc.isenabled()


def test_the_loop_alone_is_measured_in_fresh_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    def in_this_process() -> NoReturn:
        raise AssertionError("measured in the program's own process")

    monkeypatch.setattr(null_loop, "sides", in_this_process)
    monkeypatch.setattr(program, "ROUNDS", 1)
    monkeypatch.setattr(program, "TURN_S", 0.01)
    monkeypatch.setattr(program, "PROCESSES", 2)
    lines = program.null()
    assert [line.ratio is None for line in lines] == [True, False, True, False]


def test_the_loop_on_null_records_less_than_it_takes() -> None:
    figures = fresh.measured("null_loop", "7", "0.01")
    assert 0 < min(figures["recorded"]) < min(figures["iteration"])


def test_a_large_case_is_measured_judged_and_reported() -> None:
    found = ten_million.measure(queries=100_000)
    assert found.run_bytes > 1e6
    assert found.judge_bytes > 1e6
    assert found.summary_s > 0
    assert found.report_s > 0


def test_time_outside_measuring_is_less_than_the_whole(tmp_path: Path) -> None:
    contract = contracts.write(tmp_path, subject("tiny", tmp_path), {"one": "onnxruntime"}, outside.SCENARIO)
    run = contracts.run(contract)
    loop_ns = outside.phases_ns(run.stored, (records.MEASURE,))
    assert 0.2e9 < loop_ns < outside.phases_ns(run.stored, outside.MEASURING) < run.wall_ns


def test_a_run_is_told_with_and_without_its_warm_up_and_audit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outside, "LOADS", ["onnxruntime"])
    figures = outside.in_turns(1)
    assert [len(values) for values in figures.values()] == [1, 1, 1]
    assert figures[outside.OURS] < figures[outside.OUTSIDE_LOOP]


def test_a_line_without_a_ratio_has_an_empty_cell() -> None:
    text = page.render({"S": [Line("what", "1 s", "", None, "none", None)]}, cores=1, core=0, took_s=1.0)
    assert "| what | 1 s |  |  | none | – |" in text


def test_a_section_measured_again_replaces_its_lines_alone_and_the_page_says_so() -> None:
    plain = {"A": [compared("a", [120.0], [100.0], 1.0)], "B": [compared("b", [90.0], [100.0], 1.0)]}
    text = page.render(plain, cores=2, core=1, took_s=3.0)
    again = page.renewed(text, {"A": [compared("a", [80.0], [100.0], 1.0)]})
    assert "**1 of 2 targets kept**" in text and "**2 of 2 targets kept**" in again
    assert "\n- measured in 3 s\n- measured anew since then (`--again`): A\n\n## A\n" in again
    assert [row.ratio[:5] for row in reading.rows(again)] == ["0.800", "0.900"]
    assert again[again.index("## B") :] == text[text.index("## B") :]
    both = page.renewed(again, {"B": [compared("b", [70.0], [100.0], 1.0)]})
    assert "since then (`--again`): A; B\n" in both
    assert page.renewed(both, {"A": plain["A"]}).count("measured anew") == 1
    old = both.replace("nothing around it", "something around it")
    assert old != both and page.renewed(old, {"A": plain["A"]}) == page.renewed(both, {"A": plain["A"]})
