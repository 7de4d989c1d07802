"""Whether the timings that were measured are of one level: a warm-up that was not over, or a drift. Pure.

The warm-up itself sees some tenths of a second; a chip that grows hot in seconds is seen only here. The medians of a
process's blocks are cut into levels, as in Barrett et al., "Virtual machine warmup blows hot and cold", *OOPSLA*
(2017), where a series whose last change lies in its second half has not settled. The cuts are those with the least
squared deviation and a penalty for each (Killick, Fearnhead & Eckley, *JASA* 107 (2012), p. 1590; here by plain
dynamic programming, the series are short). A change is told only where it is as large as matters to a reader.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench import units
from bench.device.warmup import running_median
from bench.judge.readings import Timings
from bench.results import ProcessRun

CHANGE = 0.05
"""Of the final level, that another must be away from it."""
PENALTY = 4.0
"""Of a cut, times the noise's variance and the logarithm of the count: noise alone is rarely worth one."""
LEAST_NS = 100_000_000
"""Time that each level must have lasted."""
FEWEST, MOST = 20, 400
"""Medians that a series is looked at with: fewer say nothing, more are put together."""

Medians = NDArray[Any]


@dataclass(frozen=True)
class Change:
    """The last change of level: after how long, and how the level before it compares with the final one."""

    after_ns: int
    ratio: float
    early: bool
    """Whether all of the second half is one level; else the series has not settled."""


def change(run: ProcessRun, latencies: NDArray[np.uint64]) -> Change | None:
    """Where the level of a process's timings last changed; None where it never did, or in an open loop."""
    if run.serving is not None or len(run.blocks) < FEWEST:
        return None
    cuts = np.linspace(0, len(run.blocks), min(MOST, len(run.blocks)) + 1).astype(int)
    ends = np.concatenate([[0], np.cumsum([one.count for one in run.blocks])])[cuts]
    walls_ns = np.add.reduceat([one.wall_ns for one in run.blocks], cuts[:-1])
    medians = np.array([np.median(latencies[first:last]) for first, last in pairwise(ends)])
    last, ratio = _last_change(medians, walls_ns)
    return Change(int(walls_ns[:last].sum()), ratio, last <= len(medians) / 2) if last else None


def _last_change(raw: Medians, walls_ns: Medians) -> tuple[int, float]:
    """Where the last level ends that is away from the final one by as much as matters, and its ratio; 0 if none."""
    medians = running_median(raw)
    least = max(1, math.ceil(LEAST_NS / float(np.median(walls_ns))))
    ends = [0, *_cuts(medians, least, _variance(raw)), len(medians)]
    levels = [float(np.median(medians[first:last])) for first, last in pairwise(ends)]
    ratios = [level / max(levels[-1], 1.0) for level in levels]
    away = [(end, ratio) for end, ratio in zip(ends[1:], ratios, strict=True) if abs(ratio - 1) > CHANGE]
    return away[-1] if away else (0, 1.0)


def _variance(medians: Medians) -> float:
    """Of the noise from median to median, whatever the levels: from the middle of the steps between neighbours."""
    steps = np.abs(np.diff(medians))
    return float(max(1.4826 * np.median(steps), 1.0) ** 2 / 2)


def _cuts(series: Medians, least: int, variance: float) -> list[int]:
    """Where to cut the series into levels of at least that many values."""
    count = len(series)
    sums = np.concatenate([[0.0], np.cumsum(series - series.mean())])
    penalty = PENALTY * variance * math.log(count)
    best, came_from = np.full(count + 1, np.inf), np.zeros(count + 1, dtype=int)
    best[0] = 0.0
    for end in range(least, count + 1):
        starts = np.arange(end - least + 1)
        costs = best[starts] + penalty - (sums[end] - sums[starts]) ** 2 / (end - starts)  # less the sum of squares
        came_from[end] = np.argmin(costs)
        best[end] = costs[came_from[end]]
    cuts, at = [], count
    while at > 0 and came_from[at] > 0:
        at = int(came_from[at])
        cuts.append(at)
    return cuts[::-1]


def notes(runs: Sequence[ProcessRun], timings: Timings) -> tuple[str, ...]:
    """What is said of the process runs whose timings changed their level: the largest change of each kind."""
    finished = [one for one in runs if one.failure is None]
    arrays = [(one, timings(one)) for one in finished]
    changes = [found for one, array in arrays if array is not None and (found := change(one, array))]
    told = []
    for early in (True, False):
        kind = [one for one in changes if one.early is early]
        where = f"{len(kind)} of {len(finished)} processes"
        if kind:
            told.append(_told(max(kind, key=lambda one: abs(one.ratio - 1)), where))
    return tuple(told)


def _told(one: Change, where: str) -> str:
    after = units.show(one.after_ns, "ns")
    if not one.early:
        return f"the timings never settled in {where}: their level last changed after {after} of measuring"
    how = f"{abs(one.ratio - 1) * 100:.0f} % {'slower' if one.ratio > 1 else 'faster'}"
    why = "the warm-up was not over" if one.ratio > 1 else "something slows it down, such as heat"
    return f"the measured timings change in {where}: in the first {after} they were {how} than later: {why}"
