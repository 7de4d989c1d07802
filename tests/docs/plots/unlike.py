"""Processes that a loop would call one model: their calls in order, and how far they lie from each other."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np

from tests.docs.plots.canvas import BLUE, GREEN, GREY, ORANGE, Axis, Panel, Parts, sheet, text
from tests.judge import recorded
from tests.judge.populations import Population
from tests.judge.rules import by_calls

RECORDED = Path(recorded.__file__).with_name("recorded-tiny.npz")
MEDIAN, TOGETHER, BEGUN = 0.5, 25, 2
"""The percentile that is looked at, the calls whose median is one point of a line, and points left out: a start."""
RANKS = ((0.1, GREEN, "a quick process"), (0.5, BLUE, "a middling one"), (0.9, ORANGE, "a slow one"))
"""Which processes are drawn call by call: by the rank of their own median among all."""
LOW_US, TOP_US = 3.86, 4.2
LATENCY = Axis(LOW_US, TOP_US, [(tick, f"{tick:.2f}") for tick in (3.9, 4.0, 4.1, 4.2)], "latency, µs")


@lru_cache(maxsize=1)
def population() -> Population:
    """60 fresh processes, 2,000 calls each."""
    return recorded.read(RECORDED)[0]


def typical_us() -> float:
    """The median process's own median."""
    return population().typical_ns(MEDIAN) / 1e3


def spans_us() -> list[tuple[float, float]]:
    """For each process, in the order in which they ran, the 98 % interval of its median that counts its calls."""
    found = (by_calls(np.sort(one), MEDIAN) for one in population().timings)
    return [(low / 1e3, high / 1e3) for low, high in found]


def holding() -> int:
    """How many of those intervals hold the median process's value."""
    return sum(low <= typical_us() <= high for low, high in spans_us())


def draw() -> str:
    """Left, three processes call by call; right, what counting calls says of each of all."""
    return sheet(366, "Fresh processes of one model differ by more than an interval that counts calls", _parts())


def _parts() -> Parts:
    return [*_call_by_call(), *_all_of_them()]


def _call_by_call() -> Parts:
    timings = population().timings
    calls = len(timings[0])
    ticks = [(at, f"{at:,}") for at in range(0, calls + 1, 500)]
    panel = Panel(68, 62, 290, 250, Axis(0, calls, ticks, "call of a process"), LATENCY)
    found = panel.axes()
    found.append(text((68, 26), f"Three processes, medians of {TOGETHER} calls", bold=True, size=13))
    order = sorted(range(len(timings)), key=lambda one: float(np.median(timings[one])))
    for (rank, colour, name), across in zip(RANKS, (0, 106, 210), strict=True):
        own = timings[order[round(rank * (len(order) - 1))]].astype(float) / 1e3
        medians = np.median(own.reshape(-1, TOGETHER), axis=1)
        at = [(TOGETHER * (index + 0.5), float(one)) for index, one in enumerate(medians)]
        found += [panel.line(at[BEGUN:], colour, 1.5), text((68 + across, 48), name, colour)]
    return found


def _all_of_them() -> Parts:
    spans = spans_us()
    numbers = [(at, str(at)) for at in (1, 20, 40, 60)]
    axis = Axis(0, len(spans) + 1, numbers, "fresh process, in the order in which they ran")
    panel = Panel(430, 62, 306, 250, axis, LATENCY)
    found = panel.axes()
    found.append(text((430, 26), f"All {len(spans)}: their medians, with an interval", bold=True, size=13))
    inside = [(number, low, high) for number, (low, high) in enumerate(spans, 1) if high <= TOP_US]
    for colour, holds in ((ORANGE, False), (BLUE, True)):
        some = [one for one in inside if (one[1] <= typical_us() <= one[2]) is holds]
        found.append(panel.bars(some, colour, 2))
        found.append(panel.dots([(number, (low + high) / 2) for number, low, high in some], colour, 4))
    beyond = [(number, high) for number, (_, high) in enumerate(spans, 1) if high > TOP_US]
    found += [panel.word((number, TOP_US), f"↑ {high:.1f} µs", ORANGE, "middle", 12) for number, high in beyond]
    words = f"dashed: the middle process; {holding()} intervals reach it"
    return [*found, panel.level(typical_us()), text((430, 48), words, GREY)]
