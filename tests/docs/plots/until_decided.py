"""How far a run gets, and what it costs, by how far the limit is from the truth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bench.contract.scenario_words import ADAPTIVE
from bench.stats.sequential import decide
from tests.docs.plots.canvas import BLUE, ORANGE, Axis, Panel, Parts, sheet, text
from tests.docs.plots.simulation import FACTORS, METRICS, measured_s, runs, votes

RUNS = 400
NINE_IN_TEN = 0.9
COLOURS = dict(zip(METRICS, (BLUE, ORANGE), strict=True))
TICKS = [(at, f"{at:g}") for at in (0.8, 0.9, 1.0, 1.1, 1.2)]


@dataclass(frozen=True)
class Cost:
    """At one limit: the share of runs that got an answer, and of each run the processes and the seconds measured."""

    decided: float
    processes: tuple[int, ...]
    seconds: tuple[float, ...]


def cost(metric: str, factor: float) -> Cost:
    """Of ``RUNS`` runs; one that stays open takes all the processes that it may."""
    voted, lasts = votes(metric, factor), measured_s(metric, factor)
    rows = runs(RUNS, ADAPTIVE.high)
    after = [decide([voted[one] for one in row]).after for row in rows]
    took = tuple(ADAPTIVE.high if one is None else one for one in after)
    seconds = tuple(sum(lasts[one] for one in row[:many]) for row, many in zip(rows, took, strict=True))
    return Cost(sum(one is not None for one in after) / RUNS, took, seconds)


def draw() -> str:
    """Three panels above each other: decided, processes, seconds."""
    x = Axis(0.8, 1.2, TICKS, "")
    below = Axis(0.8, 1.2, TICKS, "limit / truth")
    shares = Axis(0, 100, [(at, f"{at} %") for at in (0, 50, 100)], "decided")
    many = Axis(0, 40, [(at, str(at)) for at in (0, 8, 20, 40)], "processes")
    seconds = Axis(0, 80, [(at, f"{at} s") for at in (0, 20, 40, 60, 80)], "measured")
    panels = [
        Panel(84, top, 640, 112, one, y) for top, one, y in ((64, x, shares), (234, x, many), (404, below, seconds))
    ]
    names = (
        "Runs that got an answer, of 400",
        f"Processes it took: the middle run, shaded up to nine runs in ten; {ADAPTIVE.high} at most",
        "Time in the timed loops of all processes, at 1 ms a call; starts come on top",
    )
    found: Parts = [
        text((84, 26), "limit on the p50", BLUE, size=13),
        text((204, 26), "limit on the p90", ORANGE, size=13),
    ]
    for panel, name in zip(panels, names, strict=True):
        found += panel.axes(name)
    for metric in METRICS:
        found += _curves(panels, metric)
    return sheet(570, "Share of runs decided, processes and seconds it took, against the distance of the limit", found)


def _curves(panels: list[Panel], metric: str) -> Parts:
    costs = {factor: cost(metric, factor) for factor in FACTORS}
    colour = COLOURS[metric]
    share = [(factor, 100 * one.decided) for factor, one in costs.items()]
    found = [panels[0].line(share, colour), panels[0].dots(share, colour, 5)]
    for panel, values in ((panels[1], "processes"), (panels[2], "seconds")):
        middle, most = (
            [(factor, float(np.quantile(getattr(one, values), q))) for factor, one in costs.items()]
            for q in (0.5, NINE_IN_TEN)
        )
        found += [panel.band(middle, most, colour), panel.line(middle, colour), panel.dots(middle, colour, 5)]
    return found
