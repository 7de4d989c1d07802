"""A stored sweep as a table, a plot, JSON and CSV."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace

import pytest
from rich.cells import cell_len

from bench.errors import ResultFileError
from bench.report import FORMATS
from bench.report.console import render as run_table
from bench.results import CaseResult, Crew, Outcome, ProcessRun, StoredRun
from bench.sweep.console import FRONT, render
from bench.sweep.document import as_csv, as_json
from bench.sweep.load import curves, saturation
from bench.sweep.rows import rows
from tests.sweep.sweeps import MIB, MS, batches, judged, measured, overloaded, rates, sweep

HOSTILE = "\x1b[31m=evil\u202e\nrow\t"


def line_of(text: str, *words: str) -> str:
    (line,) = [line for line in text.splitlines() if all(word in line for word in words)]
    return line


def test_the_table_has_a_line_a_configuration_and_marks_the_front() -> None:
    text = render(batches())
    assert line_of(text, "ort-1 ", " 1 ms").startswith(FRONT)
    assert " 2  " in (beaten := line_of(text, "3 ms")) and not beaten.startswith(FRONT)
    assert "✗ missed: latency p99" in line_of(text, "8 000/s", "64 ms")
    assert "✓ met" in beaten
    assert "latency: offline (of a whole batch) · throughput: offline" in text


@pytest.mark.parametrize("width", [60, 80, 100, 200])
@pytest.mark.parametrize("colour", [False, True])
def test_no_line_is_wider_than_the_terminal(width: int, colour: bool) -> None:
    for run in (batches(), rates()):
        text = render(run, width=width, colour=colour)
        if not colour:
            assert "\x1b" not in text
            assert max(cell_len(line) for line in text.splitlines()) <= width
        else:
            assert "\x1b[" in text


def test_the_front_is_of_latency_throughput_and_memory_together() -> None:
    marked = {row.name for row in rows(batches()) if row.on_front}
    assert marked == {f"ort-1 {one}" for one in (
        "threads=1 batch=1", "threads=2 batch=8", "threads=2 batch=64",
    )}  # fmt: skip


def test_a_configuration_that_gave_nothing_is_on_no_front_and_says_why() -> None:
    asked = [judged("single-stream", "latency p99", None, MS)]
    run = sweep(
        ["threads=1,2"], measured("ort-1 threads=1", "single-stream", {}, asked, 1),
        measured("ort-1 threads=2", "single-stream", {"latency p50": MS, "throughput": 9.0}, [], 2),
    )  # fmt: skip
    assert [row.on_front for row in rows(run)] == [False, True]
    text = render(run)
    assert "latency p99 on ort-1 threads=1: because not measured" in text
    assert "not asked" in text


def test_memory_is_the_most_that_any_of_its_cases_held() -> None:
    single = measured("ort-1", "single-stream", {"latency p50": MS, "peak memory": 80 * MIB}, [], 1)
    offline = measured("ort-1 batch=8", "offline", {"throughput": 50.0, "peak memory": 70 * MIB}, [], 1)
    (row,) = rows(sweep(["batch=8"], single, offline))
    assert row.value("peak memory") == 80 * MIB
    assert (row.latency_of, row.throughput_of) == ("offline", "offline")


def test_without_a_batch_or_rate_the_latency_is_the_waiting_callers() -> None:
    single = measured("ort-1 threads=1", "single-stream", {"latency p50": MS}, [], 1)
    offline = measured("ort-1 threads=1", "offline", {"latency p50": 9 * MS, "throughput": 50.0}, [], 1)
    (row,) = rows(sweep(["threads=1"], single, offline))
    assert (row.latency_of, row.throughput_of, row.value("latency p50")) == ("single-stream", "offline", MS)


def test_load_is_a_curve_that_says_where_it_saturates() -> None:
    (curve,) = curves(rows(rates()))
    assert [point.rate for point in curve.points] == [100, 200, 400, 800]
    assert [bool(point.saturated) for point in curve.points] == [False, False, False, True]
    assert saturation(curve).startswith("saturates between 400/s and 800/s: the system cannot keep 800/s")
    text = render(rates())
    assert "ort-1 under load: saturates between 400/s and 800/s" in text
    assert line_of(text, "█", "saturated").split()[0] == "800/s"


def test_saturation_at_the_lowest_rate_and_none_at_all_are_said() -> None:
    slow = replace(measured("ort-1 rate=50", "server", {"latency p50": MS}, [], 1), process_runs=overloaded(50))
    assert saturation(curves(rows(sweep(["rate=50"], slow)))[0]).startswith("saturates at the lowest rate")
    fast = measured("ort-1 rate=50", "server", {"latency p50": MS, "throughput": 50.0}, [], 1)
    assert saturation(curves(rows(sweep(["rate=50,90"], fast)))[0]) == "does not saturate up to 50/s"


def test_a_rate_whose_throughput_nobody_knows_is_not_said_to_be_kept() -> None:
    def brief(rate: int, **achieved: float) -> CaseResult:
        return measured(f"ort-1 rate={rate}", "server", {"latency p50": MS, **achieved}, [], 1)

    both = sweep(["rate=50,90"], brief(50, throughput=50.0), brief(90))
    assert saturation(curves(rows(both))[0]) == "does not saturate up to 50/s"
    (only,) = curves(rows(sweep(["rate=90"], brief(90))))
    assert saturation(only) == "was measured too briefly to tell whether it saturates"


def test_a_bounded_queue_that_drops_what_is_too_much_is_saturated_too() -> None:
    (process,) = overloaded(50)
    assert process.serving is not None
    dropping = replace(process, serving=replace(process.serving, crew=Crew(dropped=9)))
    case = replace(measured("ort-1 rate=50", "server", {"latency p50": MS}, [], 1), process_runs=(dropping,))
    (curve,) = curves(rows(sweep(["rate=50"], case)))
    assert curve.points[0].saturated == "9 queries came to a full queue and were dropped"


def test_the_json_holds_what_the_table_shows() -> None:
    document = json.loads(as_json(batches()))
    assert (document["format"], document["version"], document["exit_code"]) == ("benchpact-sweep", 1, 0)
    assert document["cheapest"] == "ort-1 threads=1 batch=1" and document["cheapest"] in document["summary"]
    assert document["over"] == ["threads=1,2", "batch=1,8,64"]
    last = document["configurations"][-1]
    assert last["values"] == {"threads": 2, "batch": 64} and last["outcome"] == "missed" and last["on_front"]
    assert last["figures"]["latency p99"]["value"] == 32 * MS
    assert {one["requirement"]: one["outcome"] for one in last["verdicts"]}["offline latency p99"] == "missed"
    points = json.loads(as_json(rates()))["load"][0]["points"]
    assert [point["p99_ns"] for point in points] == [4 * MS, 4.8 * MS, 16 * MS, 3600 * MS]


def test_the_csv_has_a_row_a_configuration() -> None:
    table = list(csv.DictReader(io.StringIO(as_csv(batches()))))
    assert len(table) == 6
    assert [one["configuration"] for one in table if one["cheapest"] == "True"] == ["ort-1 threads=1 batch=1"]
    assert table[5]["latency_p99_ns"] == str(32 * MS) and table[5]["batch"] == "64" and table[5]["streams"] == ""
    assert [one["saturated"][:10] for one in csv.DictReader(io.StringIO(as_csv(rates())))] == ["", "", "", "the system"]


def test_what_a_number_rests_on_stands_in_every_form_of_a_sweep() -> None:
    """A sweep whose nodes ran on the CPU, or whose device is only the adapter's word, must not look like any other."""
    note, notice = "3 of 4 nodes ran on the CPU, not on cuda:0", "target `gpu` runs on `cpu`"
    noted = (ProcessRun(0, notes=(note,)), ProcessRun(1, notes=(note,)))
    cases = [
        replace(measured(f"ort-1 threads={one}", "single-stream", {"latency p50": MS}, [], one), device="cuda:0")
        for one in (1, 2, 4)
    ]
    run = sweep(["threads=1,2,4"], *(replace(case, process_runs=noted) for case in cases[:2]), cases[2])
    run = replace(run, info=replace(run.info, notices=(notice,)))
    assert f"! ort-1 threads=1 and 1 more: {note}" in render(run).splitlines()
    document = json.loads(as_json(run))
    assert document["notices"] == [notice]
    told = [(one["devices"], one["notes"]) for one in document["configurations"]]
    assert told == [(["cuda:0"], [note]), (["cuda:0"], [note]), (["cuda:0"], [])]
    table = list(csv.DictReader(io.StringIO(as_csv(run))))
    assert [(one["device"], one["notes"]) for one in table] == [("cuda:0", note), ("cuda:0", note), ("cuda:0", "")]


def test_hostile_names_do_no_harm() -> None:
    name = f"{HOSTILE} threads=1"
    asked = [judged("single-stream", "latency p99", 2 * MS, MS)]
    run = sweep(["threads=1"], measured(name, "single-stream", {"latency p50": MS}, asked, 1), target=HOSTILE)
    text = render(run)
    assert "\x1b" not in text and "\u202e" not in text
    (row,) = csv.DictReader(io.StringIO(as_csv(run)))
    assert row["configuration"].startswith("'=evil") and "\n" not in row["configuration"]
    assert json.loads(as_json(run))["configurations"][0]["outcome"] == Outcome.MISSED.value


@pytest.mark.parametrize(
    "damaged",
    [None, [], {}, {"configurations": 3}, {"configurations": [[]]},
     {"configurations": [{"target": 1, "values": {}, "parts": []}]},
     {"configurations": [{"target": "a", "values": {"threads": True}, "parts": []}]},
     {"configurations": [{"target": "a", "values": {"disk": 1}, "parts": []}]}],
)  # fmt: skip
def test_a_damaged_sweep_is_one_clear_error(damaged: object) -> None:
    whole = batches()
    broken = StoredRun(replace(whole.info, options={"sweep": damaged}), whole.cases, ())  # type: ignore[dict-item]
    with pytest.raises(ResultFileError, match="does not tell the configurations of a sweep"):
        render(broken)


def test_a_sweep_is_a_run_that_every_format_of_a_report_takes() -> None:
    run = batches()
    assert all(FORMATS[name](run) for name in FORMATS)
    assert "ort-1 threads=2 batch=64: 1 missed, 1 met" in run_table(run)


def test_what_is_missing_is_measured_by_sweep_and_not_by_run() -> None:
    whole = batches()
    cut = StoredRun(whole.info, whole.cases[:5], (whole.cases[5].case,))
    for text in (render(cut), run_table(cut)):
        assert "benchpact sweep contract.yaml --resume" in text
