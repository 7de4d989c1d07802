"""The page on numbers says what the code does: its constants and its table are compared with it."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest

from bench.contract.limits import STREAMS
from bench.contract.model import ScenarioSettings
from bench.device import loop, scenarios, serving, warmup
from bench.device.records import PHASES, Job
from bench.device.scenarios import CLOSED
from bench.jobs import LEAST_QUERIES
from bench.judge.serving import FULL
from bench.judge.stop import CONFIDENCE as STOP_CONFIDENCE
from bench.judge.stop import MARGIN
from bench.stats import CONFIDENCE
from bench.stats.dependence import COARSE, FINE
from bench.stats.distributions import student_t
from bench.stats.pool import needed

PAGE = " ".join((Path(__file__).resolve().parents[2] / "docs" / "numbers.md").read_text(encoding="utf-8").split())
NS_PER_US, NS_PER_MS, NS_PER_S = 1_000, 1_000_000, 1_000_000_000
JOB = {one.name: one.default for one in fields(Job)}
SCENARIO = ScenarioSettings("single-stream")


def test_the_table_of_timings_needed_is_the_codes_own() -> None:
    rows = re.findall(r"\| p([\d.]+) \| ([\d ]+) \|", PAGE)
    assert len(rows) == 5
    for percentile, count in rows:
        assert needed(float(percentile) / 100) == int(count.replace(" ", "")), percentile


@pytest.mark.parametrize(
    "sentence",
    [
        f"**blocks** of about {scenarios.BLOCK_NS // NS_PER_MS} ms",
        f"the medians of the last {warmup.WINDOW} blocks lie within {warmup.TOLERANCE * 100:.0f} % of their middle one",
        f"or after {int(str(JOB['warm_up_max_ns'])) // NS_PER_S} s",
        f"must be at least {CLOSED} of the wall time",
        f"`time` ({SCENARIO.max_ns // NS_PER_S} s unless the contract says otherwise)",
        f"`min time` ({SCENARIO.min_ns // NS_PER_MS} ms) and {LEAST_QUERIES} queries",
        f"A case takes {SCENARIO.processes} processes unless the contract says otherwise",
        f"clear of a {STOP_CONFIDENCE:.1%} interval".replace("%", " %"),
        f"with a margin of {MARGIN * 100:.0f} % of the value",
        f"comes with a {CONFIDENCE * 100:.0f} % interval",
        f"{COARSE} and {FINE} of them",
        f"up to {scenarios.BEST_BATCH_MAX} samples a query",
        f"(`samples`, {STREAMS} by default)",
        f"sleeps until {loop.SPIN_NS // NS_PER_US} µs before it",
        f"in gaps of at least {loop.IDLE_NS // NS_PER_MS} ms between arrivals",
        f"where for {serving.LOOK_BY_NS // NS_PER_MS} ms there is none",
        f"to {(2 ** (1 / serving.STEPS) - 1) * 100:.1f} %",
        f"`arrivals: {SCENARIO.arrivals}`, the default",
        f"At {FULL:.0f} and above the queue grows",
    ],
)
def test_every_constant_on_the_page_is_the_codes_own(sentence: str) -> None:
    assert sentence in PAGE


def test_what_few_processes_cost_is_students_own() -> None:
    factors = [student_t(n - 1, CONFIDENCE) / n**0.5 for n in (2, 3, 4, 5)]
    sentence = "by {:.0f} times their standard deviation with 2 processes, {:.1f} times with 3, {:.1f} times with 4, "
    assert (sentence + "{:.1f} times with 5").format(*factors) in PAGE


def test_every_phase_is_explained_in_order() -> None:
    named = [name for name in re.findall(r"\| `([\w-]+)` \|", PAGE) if name in PHASES]
    assert tuple(named) == PHASES
