"""docs/benchmarks.md: every line that the program has, and nothing that its own numbers do not say."""

from __future__ import annotations

import re
from itertools import product
from typing import Any

import numpy as np
import pytest

from tests.judge import by_pool
from tests.judge.by_calls import Shares
from tests.judge.cases import process
from tests.judge.populations import Population
from tests.judge.wrong import FACTORS, METRICS, Answers, Tally
from tests.speed import __main__ as program
from tests.speed import (
    contest,
    counting_calls,
    fresh,
    outside,
    page,
    plot,
    reading,
    recording,
    soon,
    ten_million,
    verdicts,
    whole_runs,
)
from tests.speed.agreement import Told
from tests.speed.lines import Section, lines_of
from tests.speed.under_load import arriving, four_scenarios, peak_rate, queue_of_one
from tests.speed.under_load.drawing import Point

TEXT = program.PAGE.read_text(encoding="utf-8")
NULL_SIDES = ("iteration", "by hand", "recorded", "by hand, again")


def figures_of(module: str, *arguments: str) -> dict[str, list[float]]:
    """Figures for every side of a contest, without a contest."""
    if module == "null_loop":
        return {name: [99.0] for name in NULL_SIDES}
    peers = contest.PEERS[arguments[0]]
    return {name: [1000.0] for name in (contest.OURS, contest.HAND, contest.SHORTEST, *peers, contest.AGAIN)}


def told(value: float) -> Told:
    return Told(value, value * 0.98, value * 1.02, (value,) * 3)


def waited() -> list[queue_of_one.Waiting]:
    """A little more than by arithmetic, and that a little less than by the formula."""
    found = []
    for load in queue_of_one.LOADS:
        for name, q in queue_of_one.STATISTICS.items():
            expected = queue_of_one.expected_ns(load, q)
            found.append(queue_of_one.Waiting(load, name, told(expected + 5000), told(expected), expected))
    return found


def beside() -> four_scenarios.Beside:
    percentiles = {"p50": told(14e3), "p90": told(15e3), "p99": told(30e3)}
    ours = {**dict.fromkeys(four_scenarios.OURS, percentiles), "Offline": {"time a sample": told(7e3)}}
    theirs = {name: {one: told(3e3 + value.value) for one, value in side.items()} for name, side in ours.items()}
    call = {f"{kind} {name}": one for kind in ("cold", "warm") for name, one in percentiles.items()}
    empty = {f"empty {name}": told(3e3) for name in (*percentiles, "time a sample")}
    return four_scenarios.Beside(ours, {name: {**side, **call, **empty} for name, side in theirs.items()}, [900] * 3)


@pytest.fixture
def sections(monkeypatch: pytest.MonkeyPatch) -> dict[str, Section]:
    """Every section with every line that the program makes, of figures that nobody measured."""

    def turns(sides: dict[str, Any], *_: object) -> dict[str, list[float]]:
        return {name: [1e6] for name in sides}

    both = {whole_runs.OURS: [1e6], whole_runs.HAND: [1e6]}
    around = {outside.OURS: [1e9], outside.OUTSIDE_LOOP: [2e9], outside.THEIRS: [1e9]}
    monkeypatch.setattr(fresh, "measured", figures_of)
    monkeypatch.setattr(program, "take_turns", turns)
    monkeypatch.setattr(whole_runs, "in_turns", lambda *_: both)
    monkeypatch.setattr(outside, "in_turns", lambda *_: around)
    load = {"p50": (1e6, 1e6, 2e6), "p90": (2e6, 2e6, 3e6), "p99": (3e6, 3e6, 9e6)}
    monkeypatch.setattr(queue_of_one, "measure", lambda: (waited(), [Point(500.0, load)]))
    late = [(9000, 90_000)] * 3
    monkeypatch.setattr(arriving, "measure", lambda: arriving.Arriving(late, told(190e6), told(1e6)))
    searches = dict.fromkeys((peak_rate.LOADGEN, peak_rate.ANALYZER), peak_rate.Search([700.0], [30.0]))
    monkeypatch.setattr(peak_rate, "measure", lambda: peak_rate.Searched(told(770.0), 34.0, searches))
    monkeypatch.setattr(four_scenarios, "measure", lambda: {name: beside() for name in four_scenarios.MODELS})
    monkeypatch.setattr(ten_million, "measure", lambda: ten_million.Large(200 << 20, 100 << 20, 0.5, 0.5))
    without_votes(monkeypatch)
    return {title: measure() for title, measure in program.SECTIONS.items()}


def without_votes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every population of the verdicts, without a run; every run to a verdict, without one either."""

    class Judged:
        def __init__(self, population: Population) -> None:
            self.name = population.name

        def tallies(self, _: object, name: str = "") -> list[Tally]:
            votes = tuple(Answers(factor, 1000, 1000 * (factor > 1), 0, 8, 150) for factor in FACTORS)
            calls = tuple(Answers(factor, 1000, 400, 200) for factor in FACTORS)
            return [Tally(name or self.name, metric, 1e6, 2e6, votes, calls, calls) for metric in METRICS]

    at_truth = Answers(1.0, 1000, 5, 5, 8, 150, 0.5, 0.5)
    one = process(0), np.ones(1, np.uint64)
    recorded = [(Population(recording.title(name), (one[0],), (one[1],)), "2026-01-01") for name in recording.CALLS]
    runs = [soon.Verdict(1_900_000_000, 3_000_000_000, 10**9, 8, "met")]
    monkeypatch.setattr(verdicts, "Judged", Judged)
    monkeypatch.setattr(verdicts, "at_the_truth", lambda _, metrics, __: dict.fromkeys(metrics, at_truth))
    monkeypatch.setattr(by_pool, "at_the_truth", lambda *_: at_truth)
    shares = Shares(1000, 0, 5, 3, 60.0)
    monkeypatch.setattr(counting_calls, "shares_of", lambda *_: shares)
    monkeypatch.setattr(counting_calls, "simulated", lambda name, *_: Population(name, (), ()))
    monkeypatch.setattr(counting_calls, "compared", lambda *_: [(48, 20, 0.8), (180, 100, 0.95)])
    monkeypatch.setattr(verdicts, "simulated", lambda name, *_: Population(name, (one[0],), (one[1],)))
    monkeypatch.setattr(recording, "recordings", lambda: recorded)
    asked = product(soon.SUBJECTS, soon.PERCENTILES, soon.FACTORS)
    found = {soon.Asked(*one): runs for one in asked}
    monkeypatch.setattr(soon, "measure", lambda: found)


def what_of(text: str) -> list[tuple[str, str]]:
    return [(row.section, row.what) for row in reading.rows(text)]


def test_the_page_in_docs_has_every_line_that_the_program_has_and_no_other(sections: dict[str, Section]) -> None:
    """Where this fails, the program has changed since the page was written: run `make bench` on a quiet machine."""
    lines = [(title, line.what) for title, section in sections.items() for line in lines_of(section)]
    assert len(lines) > 25
    assert what_of(TEXT) == lines


def test_the_page_in_docs_says_how_it_was_measured_in_the_programs_words() -> None:
    """Where this fails, as above: run `make bench`."""
    core = re.search(r"pinned to core (\d+)", TEXT)
    assert core is not None
    assert page.how(int(core[1])) in TEXT


def test_the_plot_in_docs_is_drawn_from_the_page() -> None:
    """Where this fails, as above: run `make bench`."""
    assert program.PLOT.read_text(encoding="utf-8") == plot.draw(TEXT)


def test_every_figure_and_answer_of_the_page_in_docs_follows_from_what_it_prints() -> None:
    assert reading.wrong(TEXT) == []


def test_a_rendered_page_reads_back_as_its_lines(sections: dict[str, Section]) -> None:
    text = page.render(sections, cores=2, core=1, took_s=1.0)
    assert what_of(text) == [(title, line.what) for title, section in sections.items() for line in lines_of(section)]
    assert reading.wrong(text) == []


def test_a_section_measured_again_is_named_once_with_the_priority_it_had(
    sections: dict[str, Section], monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the words on how to read the page are the program's own, whatever stood there."""
    title = "Under load: lateness and stalls"
    text = page.render(sections, cores=2, core=1, took_s=1.0).replace("**Peers.** What", "**Peers.** Whatever")
    for said in ("", " (at real-time priority)"):
        monkeypatch.setattr(page, "priority", lambda said=said: said)
        text = page.renewed(text, {title: sections[title]})
        assert f"- measured anew since then (`--again`): {title}{said}\n" in text
    assert page.how(1) in text
    assert reading.wrong(text) == []


@pytest.mark.parametrize(
    ("was", "becomes", "complaint"),
    [
        ("| 1 ms | 1 ms | 1.000 (1.000–1.000) | ≤ 1.02 ×", "| 1.2 ms | 1 ms | 1.000 (1.000–1.000) | ≤ 1.02 ×", "1.200"),
        ("1.000 (1.000–1.000) | ≤ 1.02 × | kept", "1.030 (1.000–1.030) | ≤ 1.02 × | kept", "against 1.02"),
        ("1.000 (1.000–1.000) | ≤ 1.02 × | kept", "1.000 (1.000–1.000) | ≤ 1.02 × | **not kept**", "against 1.02"),
        ("1.000 (1.000–1.000) | ≤ 1.02 × | kept", "1.000 (1.001–1.002) | ≤ 1.02 × | kept", "quartiles"),
        ("quietest ≤ 200 ns | kept", "quietest ≤ 98 ns | kept", "99 against 98"),
        ("≤ 400 MB | kept", "≤ 200 MB | kept", "2e+08"),
        ("≤ 3 × + 60 ms | kept", "≤ 3 × + 60 ms | **not kept**", "not kept"),
        ("met 0.00 % (bound 0.30 %)", "met 0.00 % (bound 2.6 %)", "1.04 against 1"),
        ("missed 0.00 % (bound 0.30 %)", "missed 1.4 % (bound 2.4 %)", "1.4 against 1"),
        ("≤ 2 s, decided | kept", "≤ 1 s, decided | kept", "against 1e+09"),
        (" targets kept**", " targets, kept**", "header"),
        ("505 µs [495 µs, 515 µs] |", "605 µs [595 µs, 615 µs] |", "over 500 µs"),
        ("[495 µs, 515 µs]", "[510 µs, 515 µs]", "`kept`"),
        ("1.010 (1.010–1.010) | ± 5 %", "1.060 (1.010–1.060) | ± 5 %", "`kept`"),
        ("≤ 50 µs above theirs | kept", "≤ 4 µs above theirs | kept", "`kept`"),
        ("[ ] meet, 3 µs off theirs | kept", "[ ] meet, 300 ns off theirs | kept", "`kept`"),
        ("770/s [755/s, 785/s] | 773/s", "600/s [755/s, 785/s] | 773/s", "not 0.995"),
    ],
)
def test_a_page_that_contradicts_itself_is_caught(
    was: str, becomes: str, complaint: str, sections: dict[str, Section]
) -> None:
    text = page.render(sections, cores=2, core=1, took_s=1.0)
    assert was in text
    found = reading.wrong(text.replace(was, becomes, 1))
    assert any(complaint in one for one in found), found
