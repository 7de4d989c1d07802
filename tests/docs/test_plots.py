"""The plots of docs/ that explain: what the project's own statistics draw today, and what the text says of them."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from bench.device.arrivals import NS_PER_S
from tests.docs.fresh import ROOT
from tests.docs.plots import stakes, stalls, unlike, until_decided
from tests.docs.plots.__main__ import PLOTS
from tests.docs.plots.canvas import WIDTH, Axis, Panel, sheet
from tests.speed.under_load.arriving import expected_ns

NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
MOST_BYTES = 60_000
PAGE = " ".join((ROOT / "docs" / "how-it-decides.md").read_text(encoding="utf-8").split())


def words_and_numbers(svg: str) -> tuple[str, list[float]]:
    return NUMBER.sub("#", svg), [float(one) for one in NUMBER.findall(svg)]


@pytest.mark.parametrize(("name", "draw"), PLOTS.items())
def test_the_plot_in_docs_is_what_the_code_draws(name: str, draw: Callable[[], str]) -> None:
    words, numbers = words_and_numbers((ROOT / "docs" / name).read_text(encoding="utf-8"))
    drawn_words, drawn_numbers = words_and_numbers(draw())
    assert words == drawn_words, "draw it anew: make docs"
    # to a tenth of a unit: processors differ in the last digit of a logarithm
    assert numbers == pytest.approx(drawn_numbers, abs=0.11), "draw it anew: make docs"


@pytest.mark.parametrize("path", sorted((ROOT / "docs").glob("*.svg")), ids=lambda path: path.name)
def test_every_plot_is_small_has_a_ground_of_its_own_and_stands_in_a_page(path: Path) -> None:
    svg = path.read_text(encoding="utf-8")
    root = ElementTree.fromstring(svg)
    width, height = (float(one) for one in root.attrib["viewBox"].split()[2:])
    ground = root.find("{http://www.w3.org/2000/svg}rect")
    assert len(svg) < MOST_BYTES
    assert ground is not None
    assert (float(ground.attrib["width"]), float(ground.attrib["height"])) == (width, height)
    assert any(f"]({path.name})" in page.read_text(encoding="utf-8") for page in (ROOT / "docs").glob("*.md"))


def test_a_point_beyond_an_axis_lies_at_its_end() -> None:
    panel = Panel(10, 20, 100, 50, Axis(0, 10, (), ""), Axis(0.1, 10, (), "", log=True))
    assert [panel.at((x, y)) for x, y in ((0, 0.1), (5, 1), (10, 10), (99, 0.001))] == [
        (10, 70),
        (60, 45),
        (110, 20),
        (110, 70),
    ]


def test_axes_name_what_they_are_and_their_ticks() -> None:
    panel = Panel(50, 20, 100, 50, Axis(0, 2, [(1, "one")], "time, s"), Axis(0, 2, [(2, "two")], "latency, ms"))
    words = "".join(ElementTree.fromstring(sheet(100, "a plot", panel.axes("above"))).itertext()).split("\n")
    assert [one for one in words if one] == ["a plot", "above", "two", "one", "time, s", "latency, ms"]
    assert f'viewBox="0 0 {WIDTH} 100"' in sheet(100, "a plot", [])


def test_the_text_says_of_the_recorded_processes_what_they_are() -> None:
    timings = unlike.population().timings
    medians = [float(np.median(one)) for one in timings]
    low, high = np.quantile(medians, [0.05, 0.95]) / 1e3
    said = f"{unlike.holding()} of the {len(medians)}"
    assert said in PAGE
    assert f"one of them has {max(medians) / 1e3:.1f} µs" in PAGE
    slow = [one > np.quantile(one, 0.9) for one in timings]
    again = sum((one[1:] & one[:-1]).sum() for one in slow) / sum(one[:-1].sum() for one in slow)
    assert "by another such call in more than half of all cases" in PAGE
    assert 0.5 < again < 0.7
    assert f"between {low:.2f} and {high:.2f} µs" in PAGE


def test_the_text_says_how_the_drawn_runs_ended() -> None:
    below, at, above = (stakes.ends(factor) for factor, _ in stakes.LIMITS)
    assert (above["met"], "has 100 after 8 processes" in PAGE) == (stakes.RUNS, True)
    assert below["missed"] > 0.8 * stakes.RUNS
    assert "it takes some processes more" in PAGE
    assert (below["met"], "The blue one is ruined in every run" in PAGE) == (0, True)
    assert (at["open"], "no run was decided" in PAGE) == (stakes.RUNS, True)


def test_a_limit_farther_off_costs_less_and_the_truth_itself_stays_open() -> None:
    near, far, truth, within = (until_decided.cost("latency p50", factor) for factor in (1.03, 1.2, 1.0, 0.98))
    assert all(np.median(until_decided.cost("latency p50", factor).processes) == 8 for factor in (0.94, 1.06))
    assert within.decided < 0.5
    assert far.decided == 1.0 > near.decided > 0.5 > 0.02 > truth.decided
    assert np.median(far.processes) == 8 < np.median(near.processes) < 40
    assert np.median(far.seconds) < np.median(near.seconds) / 5


def test_a_closed_loop_does_not_see_the_stall_and_an_open_one_does() -> None:
    closed, opened = (stalls.p99_ms(loop(50 * NS_PER_S)) for loop in (stalls.closed, stalls.opened))
    assert closed == 1.0
    assert opened == pytest.approx(expected_ns() / 1e6, rel=0.03)
