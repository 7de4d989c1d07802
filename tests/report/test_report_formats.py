"""Markdown, JSON, JUnit and CSV: well formed, agreeing with the exit code, and safe whatever the text."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from dataclasses import replace
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from bench.device.records import NEVER_NS
from bench.judge.verdict import exit_code
from bench.report import FORMATS, console
from bench.report.frame import COLUMNS, frame
from bench.report.json import document
from bench.report.rows import rows, sentence, verdicts
from bench.report.text import clean
from bench.results import Block, Crew, Disturbed, Figure, Json, Outcome, Searched, Serving, StoredRun, Undisturbed
from tests.report.example import MET, case, every_outcome, kept, latency, process, run, verdict
from tests.report.hostile import hostile_text, poisoned

markdown, to_json, junit, to_csv = (FORMATS[name] for name in ("markdown", "json", "junit", "csv"))
RENDERED = MarkdownIt("commonmark", {"html": True}).enable("table").enable("strikethrough")
OUTCOMES = st.lists(st.tuples(st.sampled_from(("a", "b")), st.sampled_from(Outcome)), max_size=6)
POISON = {"text": hostile_text, "before": st.booleans()}


def judged(outcomes: list[tuple[str, Outcome]]) -> StoredRun:
    """A run whose verdicts are these, each on its target."""
    figure = latency("latency p50", 1e6, 0.9e6, 1.1e6)
    cases = []
    for target in sorted({target for target, _ in outcomes}):
        own = [outcome for at, outcome in outcomes if at == target]
        found = (verdict("single-stream", figure, "at most", 2e6, "2 ms", outcome, "because") for outcome in own)
        named = tuple(replace(one, requirement=f"single-stream r{index}") for index, one in enumerate(found))
        cases.append(case(target, "null", "single-stream", named))
    return run(*cases)


def skeleton(tokens: list[Token]) -> list[str]:
    """The document's shape: its blocks and, of what stands in them, all that is no plain text."""
    found = []
    for token in tokens:
        found.append(token.type)
        inner = [one for one in token.children or () if one.type not in ("text", "softbreak", "text_special")]
        found += [one.type for one in inner if not (one.type == "html_inline" and one.content == "<!-- -->")]
    return found


def html(tokens: list[Token]) -> set[str]:
    inner = [one.content for token in tokens for one in token.children or () if one.type == "html_inline"]
    return {*inner, *(token.content.strip() for token in tokens if token.type == "html_block")}


def test_every_table_row_of_the_markdown_has_as_many_cells_as_its_head() -> None:
    lines = markdown(every_outcome()).splitlines()
    tables = [line for line in lines if line.startswith("|")]
    widths = [line.replace("\\|", "").count("|") for line in tables]
    assert set(widths) == {6}
    assert RENDERED.render(markdown(every_outcome())).count("<table>") == 4
    assert RENDERED.render(markdown(kept())).count("<table>") == 1, "one target needs no overview"


@settings(deadline=None, max_examples=40)
@given(**POISON)
def test_text_of_a_run_never_becomes_markdown(text: str, before: bool) -> None:
    shown = markdown(poisoned(text, before=before))
    assert all(clean(line) == line for line in shown.split("\n"))
    tokens = RENDERED.parse(shown)
    assert skeleton(tokens) == skeleton(RENDERED.parse(markdown(poisoned("x", before=before))))
    allowed = {"<br>", "<!-- -->", "<details><summary>What ran, and how</summary>", "</details>"}
    assert html(tokens) <= allowed


def test_nobody_is_notified_and_nothing_is_linked_by_a_name_in_the_markdown() -> None:
    shown = markdown(poisoned(" @octocat #12 GH-12 http://evil.example www.evil.example ", before=False))
    for linked in ("@octocat", "#12", "GH-12", "://evil", "www.evil"):
        assert linked not in shown


def strict(text: str) -> Any:
    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is not JSON")

    return json.loads(text, parse_constant=refuse)


def test_the_json_has_no_number_that_json_has_not() -> None:
    odd = Figure("latency p50", "ns", float("nan"), float("-inf"), float("inf"), (float("nan"), None))
    found = verdict("single-stream", odd, "at most", float("nan"), "", Outcome.NOT_MEASURED, "odd")
    document = strict(to_json(run(case("a", "null", "single-stream", (found,)))))
    figure = document["rows"][0]["figure"]
    assert (figure["value"], figure["low"], figure["high"]) == (None, None, None)
    assert strict(to_json(every_outcome()))["rows"][9]["limit"] is None, (
        "the limit of what no case answered is not known"
    )


@settings(deadline=None, max_examples=30)
@given(**POISON)
def test_the_json_is_ascii_and_gives_every_text_back(text: str, before: bool) -> None:
    stored = poisoned(text, before=before)
    written = to_json(stored)
    assert written.isascii()
    assert strict(written)["run"]["model"] == stored.info.model


@settings(deadline=None, max_examples=40)
@given(OUTCOMES)
def test_json_and_exit_code_are_one(outcomes: list[tuple[str, Outcome]]) -> None:
    stored = judged(outcomes)
    document = strict(to_json(stored))
    assert document["exit_code"] == exit_code(verdicts(stored))
    assert document["summary"] == sentence(stored)
    assert sum(count for one in document["targets"] for count in one["counts"].values()) == len(outcomes)


@settings(deadline=None, max_examples=60)
@given(OUTCOMES)
def test_a_ci_server_fails_the_junit_exactly_when_the_exit_code_is_not_0(outcomes: list[tuple[str, Outcome]]) -> None:
    stored = judged(outcomes)
    root = ElementTree.fromstring(junit(stored))
    failures, errors = int(root.attrib["failures"]), int(root.attrib["errors"])
    code = exit_code(verdicts(stored))
    assert (failures + errors == 0) is (code == 0)
    assert (failures > 0) is (code == 1)
    assert not root.findall(".//skipped")


@pytest.mark.parametrize("stored", [every_outcome(), kept(), run(), run(case("a", "null", "offline", ()))])
def test_the_junit_counts_are_those_of_its_elements(stored: StoredRun) -> None:
    root = ElementTree.fromstring(junit(stored))
    for counted in (root, *root.findall("testsuite")):
        assert int(counted.attrib["tests"]) == len(counted.findall(".//testcase"))
        assert int(counted.attrib["failures"]) == len(counted.findall(".//failure"))
        assert int(counted.attrib["errors"]) == len(counted.findall(".//error"))
    assert int(root.attrib["tests"]) == max(1, len(rows(stored)))
    assert all(one.attrib["name"] and one.attrib["classname"] for one in root.iter("testcase"))


@settings(deadline=None, max_examples=40)
@given(**POISON)
def test_the_junit_is_xml_whatever_the_text(text: str, before: bool) -> None:
    stored = poisoned(text, before=before)
    root = ElementTree.fromstring(junit(stored).encode())
    assert len(root.findall(".//testcase")) == len(rows(stored))
    told = [value for one in root.iter() for value in (*one.attrib.values(), one.text or "")]
    assert all(clean(line) == line for value in told for line in value.split("\n"))


def test_the_csv_has_a_row_for_every_requirement_and_numbers_in_base_units() -> None:
    found = list(csv.DictReader(io.StringIO(to_csv(every_outcome()))))
    assert len(found) == len(rows(every_outcome()))
    assert tuple(found[0]) == COLUMNS
    assert (found[0]["value"], found[0]["limit"], found[0]["outcome"]) == ("812000.0", "1000000.0", "met")
    assert found[-1]["value"] == "", "a value that is not known is an empty cell"


@settings(deadline=None, max_examples=30)
@given(**POISON)
def test_no_cell_of_the_csv_is_a_formula_and_none_spills(text: str, before: bool) -> None:
    stored = poisoned(text, before=before)
    table = list(csv.reader(io.StringIO(to_csv(stored))))
    assert {len(row) for row in table} == {len(COLUMNS)}
    assert len(table) == len(rows(stored)) + 1
    for cell in (cell for row in table for cell in row):
        assert clean(cell) == cell
        assert not cell.lstrip().startswith(("=", "+", "-", "@", "|", "%"))


def test_a_negative_number_stays_a_number_in_the_csv() -> None:
    figure = Figure("r2", "number", -0.25)
    found = verdict("accuracy", figure, "at least", -0.5, "-0.5", Outcome.MET, "within")
    (row,) = csv.DictReader(io.StringIO(to_csv(run(case("a", "null", "single-stream", (found,))))))
    assert (row["value"], row["limit"]) == ("-0.25", "-0.5")


def test_the_frame_is_ready_for_a_notebook() -> None:
    table = frame(every_outcome())
    assert list(table.columns) == list(COLUMNS)
    assert table["value"].dtype == table["limit"].dtype == "float64"
    assert table.loc[table.outcome == "not measured", "value"].isna().all()
    assert set(table.target) == {"ort-1", "torch-ts", "ov"}


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_takes_a_run_with_no_case_and_one_that_was_interrupted(name: str) -> None:
    whole = run(missing=("ort-1.single-stream",))
    planned = replace(whole.info, requirements={"ort-1": ("single-stream latency p50",)})
    for stored in (run(), whole, StoredRun(planned, (), whole.missing), every_outcome()):
        assert FORMATS[name](stored)


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_says_the_same_each_time(name: str) -> None:
    assert FORMATS[name](every_outcome()) == FORMATS[name](every_outcome())


def test_the_formats_cost_nothing_until_one_is_asked_for() -> None:
    code = "import bench.report, sys; print([n for n in ('rich', 'pandas', 'numpy') if n in sys.modules])"
    done = subprocess.run((sys.executable, "-c", code), capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "[]\n"


def test_an_open_loop_tells_its_rate_its_queue_and_its_lateness() -> None:
    found = verdict("server", latency("latency p99", 1e6, 9e5, 1.1e6), "at most", 2e6, "2 ms", MET, "within")
    blocks = (Block(10, 10, 0, 10**9, 0, 10**8, 3), Block(10, 10, 10**9, 10**9, 0, 10**8, 7))
    runs = tuple(
        replace(process(index), blocks=blocks, serving=Serving(200.0, "poisson", index, index, 1000, 4_000, 70_000))
        for index in range(3)
    )
    whole = run(case("a", "null", "server", (found,), process_runs=runs))
    told = "poisson arrivals at 200/s · 7 in the system at most · issued 4 µs late in the median, 70 µs at p99"
    assert f"{told} · 3 unanswered" in " ".join(markdown(whole).split())
    idle = tuple(replace(one, serving=Serving(200.0, "constant", 1, 0, 0, None, None)) for one in runs)
    text = " ".join(markdown(run(case("a", "null", "server", (found,), process_runs=idle))).split())
    few = "0 queries found it free: too few to tell how late they were issued"
    assert f"constant arrivals at 200/s · 7 in the system at most · {few} · warm-up" in text


@pytest.mark.parametrize(
    ("found_free", "told"),
    [
        ((1, 19, 3), "19 queries found it free: too few to tell how late they were issued"),
        ((1, 20, 3), "issued 4 µs late in the median, polled for up to 240 µs before it"),
        ((99, 100, 3), "issued 4 µs late in the median, 20 µs at p90, polled for up to 240 µs before it"),
        (
            (999, 1000, 3),
            "issued 4 µs late in the median, 20 µs at p90, 70 µs at p99, polled for up to 240 µs before it",
        ),
    ],
)
def test_a_lateness_is_told_as_far_as_the_queries_tell_it(found_free: tuple[int, ...], told: str) -> None:
    found = verdict("server", latency("latency p99", 1e6, 9e5, 1.1e6), "at most", 2e6, "2 ms", MET, "within")
    runs = tuple(
        replace(
            process(index), serving=Serving(9.0, "poisson", 1, 0, free, 4_000, 70_000, late_p90_ns=20_000, lead_ns=lead)
        )
        for index, (free, lead) in enumerate(zip(found_free, (None, 240_000, 100_000), strict=True))
    )
    text = " ".join(markdown(run(case("a", "null", "server", (found,), process_runs=runs))).split())
    assert f"0 in the system at most · {told} · warm-up" in text


def test_who_answered_and_what_was_lost_is_told() -> None:
    found = verdict("server", latency("latency p99", 1e6, 9e5, NEVER_NS), "at most", 2e6, "2 ms", MET, "within")
    crew = Crew(4, 1, (0, 1, 2, 3), issues=500, batch_max=8, answered=1200, dropped=7, timed_out=1100)
    served = Serving(200.0, "bursts of 8", 1, 0, 0, None, None, crew)
    runs = tuple(replace(process(index), serving=served) for index in range(2))
    text = " ".join(markdown(run(case("a", "null", "server", (found,), process_runs=runs))).split())
    assert "4 workers on one session, pinned to cores 0, 1, 2, 3 · batches of 2.4 in the mean, 8 at most" in text
    assert "14 dropped · 2,200 timed out · arrivals in bursts of 8 at 200/s" in text
    assert "never" in text
    alone = tuple(replace(one, serving=replace(served, crew=Crew(2, 2))) for one in runs)
    text = " ".join(markdown(run(case("a", "null", "server", (found,), process_runs=alone))).split())
    assert "2 workers on 2 sessions, not pinned · arrivals" in text


def test_a_search_tells_who_answered_its_trials_and_how_late_they_were_issued() -> None:
    found = verdict("server", latency("latency p99", 1e6, 9e5, 2e6), "at most", 2e6, "2 ms", MET, "within")
    seen = Searched(((0.99, 10**7),), (), (), ((500.0, 700, 1, 2, 3), (510.0, 700, 1, 2, 3)), Crew(2, 1, (0, 1)), 9000)

    def text(searched: Searched) -> str:
        runs = tuple(replace(process(index), searched=searched) for index in range(2))
        return " ".join(markdown(run(case("a", "null", "server", (found,), process_runs=runs))).split())

    assert "4 trials of rates by 2 workers on one session, pinned to cores 0, 1, issued 9 µs late in the" in text(seen)
    assert "4 trials of rates by one thread, their lateness not known · " in text(
        replace(seen, crew=Crew(), late_p50_ns=None)
    )


def test_means_of_several_queries_are_told_as_such() -> None:
    found = verdict("single-stream", latency("latency p99", 1e6, 9e5, 2e6), "at most", 2e6, "2 ms", MET, "within")
    runs = tuple(replace(process(index), facts={"calls_per_timing": 16}) for index in range(2))
    text = " ".join(markdown(run(case("a", "null", "single-stream", (found,), process_runs=runs))).split())
    assert "timings, each the mean of 16 queries" in text


def test_disturbed_blocks_are_counted_and_their_figures_stand_beside_those_of_all() -> None:
    p50 = replace(latency("latency p50", 9e5, 8e5, 1e6), undisturbed=Undisturbed(7e5, 6.9e5, 7.1e5))
    p99 = replace(latency("latency p99", 9e6, 8e6, 1e7), undisturbed=Undisturbed(None, why_not="too few"))
    verdicts = tuple(verdict("single-stream", one, "at most", 2e7, "20 ms", MET, "within") for one in (p50, p99))
    blocks = tuple(Block(10, 10, at * 10**9, 10**9, 0) for at in range(4))
    marks = (Disturbed(1, ("steal", "pressure")), Disturbed(2, ("steal",)))
    runs = (replace(process(0), blocks=blocks, disturbed=marks), replace(process(1), blocks=blocks))
    whole = run(case("a", "null", "single-stream", verdicts, process_runs=runs))
    assert "2 of 8 blocks disturbed (steal 2, pressure 1)" in " ".join(markdown(whole).split())
    short, verbose = (" ".join(console.render(whole, width=200, verbose=one).split()) for one in (False, True))
    beside = "latency p50: 900 µs [800 µs, 1 ms]; without the disturbed blocks 700 µs [690, 710]"
    assert beside in verbose
    assert beside not in short
    assert "without the disturbed blocks: latency p50 700 µs [690, 710], latency p99 too few" in short
    assert "without the disturbed blocks: latency p50 700 µs" in " ".join(markdown(whole).replace("\\", "").split())
    assert "without the disturbed blocks too little is left of latency p99" in verbose
    figures = [one["figure"] for one in document(whole)["rows"]]
    assert [one["undisturbed"]["value"] for one in figures] == [7e5, None]


def test_where_disturbed_blocks_are_left_out_the_figures_with_them_stand_beside() -> None:
    p50 = replace(latency("latency p50", 9e5, 8e5, 1e6), undisturbed=Undisturbed(7e5, 6.9e5, 7.1e5))
    left = latency("latency p50", 7e5, 6.9e5, 7.1e5)
    found = verdict("single-stream", left, "at most", 2e7, "20 ms", MET, "within")
    settings: dict[str, Json] = {"leave_out_disturbed": True}
    one = replace(case("a", "null", "single-stream", (found,), process_runs=(process(0),)), settings=settings)
    whole = run(replace(one, figures=(p50,)))
    assert "with the disturbed blocks: latency p50 900 µs [800 µs, 1 ms]" in " ".join(console.render(whole).split())
    assert "disturbed blocks:" not in console.render(run(one)), "none was disturbed"
