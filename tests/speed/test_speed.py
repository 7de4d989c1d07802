"""The pieces of `make bench` work; how fast anything is, is not asserted here."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.speed import contest, contracts, null_loop, outside, page, ten_million
from tests.speed.lines import Line, against_all, bounded, bounded_ns, compared
from tests.speed.rounds import nearest_rank, ratio, take_turns
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
    lines = against_all("tiny", {"ours": [120.0], "a": [100.0], "b": [200.0]}, "ours", {"a": 1.0, "b": 1.0})
    text = page.render({"A section": [*lines, bounded("memory", "1 MB", "≤ 2 MB", True)]}, cores=2, core=1, took_s=3.0)
    assert "**2 of 3 targets kept**" in text
    assert "| tiny: a | 120 ns | 100 ns | 1.200 (1.200–1.200) | ≤ 1 × | **not kept** |" in text
    assert "| memory | 1 MB |  |  | ≤ 2 MB | kept |" in text


def test_the_page_in_docs_is_one_that_the_program_wrote() -> None:
    text = (Path(__file__).parents[2] / "docs" / "benchmarks.md").read_text(encoding="utf-8")
    assert text.startswith("# Benchmarks\n\n**")
    assert page.HOW.splitlines()[0] in text


@pytest.mark.parametrize("backend", sorted(contest.BY_HAND))
def test_our_side_and_the_hand_written_one_measure_the_same_model(backend: str, tmp_path: Path) -> None:
    raced = replace(subject("tiny", tmp_path), samples=2)
    write_tiny_torchscript(raced.torchscript)
    figures = take_turns(contest.sides(backend, raced, {}, mirrored=False), 1, 0.01)
    assert set(figures) == {contest.OURS, contest.HAND, contest.AGAIN}
    assert all(100 < values[0] < 1e9 for values in figures.values())


def test_the_loop_on_null_records_less_than_it_takes() -> None:
    figures = take_turns(null_loop.sides(), 1, 0.01)
    assert 0 < nearest_rank(figures["recorded"], 0.5) < nearest_rank(figures["iteration"], 0.5)


def test_a_large_case_is_measured_judged_and_reported() -> None:
    found = ten_million.measure(queries=100_000)
    assert found.run_bytes > 1e6
    assert found.judge_bytes > 1e6
    assert found.summary_s > 0
    assert found.report_s > 0


def test_time_outside_measuring_is_less_than_the_whole(tmp_path: Path) -> None:
    contract = contracts.write(tmp_path, subject("tiny", tmp_path), {"one": "onnxruntime"}, outside.SCENARIO)
    run = contracts.run(contract)
    assert 0.2e9 < outside.measuring_ns(run.stored) < run.wall_ns


def test_a_line_without_a_ratio_has_an_empty_cell() -> None:
    text = page.render({"S": [Line("what", "1 s", "", None, "none", None)]}, cores=1, core=0, took_s=1.0)
    assert "| what | 1 s |  |  | none | – |" in text
