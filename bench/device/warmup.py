"""When a warm-up is over: where the medians of its blocks became steady, or that they have not yet.

The end of the warm-up is where MSER puts it: cut off as many blocks from the start as makes the standard error of
the mean of the rest smallest. White, "An effective truncation heuristic for bias reduction in simulation output",
*Simulation* 69 (1997), p. 323; White, Cobb & Spratt, "A comparison of five steady-state truncation heuristics",
*Winter Simulation Conference* (2000), p. 755. As there, an end in the second half of the series is none: what came
after it is too short to tell, and a series that drifts has its "end" there however long it gets.

MSER finds the end of any series, also of one that jumps about, so what is left must be level too. It works on a
running median of three (Tukey, *Exploratory Data Analysis* (1977), chapter 7), so that a block that other work
disturbed does not look like the end of something.
"""

from __future__ import annotations

from typing import Any, List, Optional, Sequence

import numpy as np

LEAST = 5
"""Fewest blocks after the warm-up."""
STEADY_NS = 50_000_000
"""Least time after it."""
TOLERANCE = 0.05
LEVEL = 0.9
TICK_NS = 20
"""A distance that is always allowed: medians of 60 ns cannot agree to 5 % on a clock that counts in tens."""
RULE = (
    "MSER puts the end of the warm-up into the first half of the blocks, %d %% of the medians after it lie within "
    "%d %% of their middle one, and they are at least %d, of %d ms"
    % (LEVEL * 100, TOLERANCE * 100, LEAST, STEADY_NS // 1_000_000)
)


def steady_from(medians_ns: Sequence[float]) -> Optional[int]:
    """How many blocks, from the first, were warm-up; None where the series does not settle, or is too short to say."""
    series = np.asarray(medians_ns, dtype=float)
    if len(series) < LEAST:
        return None
    first = truncation(running_median(series))
    return first if first <= len(series) / 2 and _is_level(series[first:]) else None


def truncation(series: Any) -> int:
    """The number of first values without which the standard error of the mean is smallest (MSER); all but 5 at most."""
    deviations = np.asarray(series, dtype=float) - np.median(series)
    kept = np.arange(len(deviations), 0, -1.0)
    sums = np.cumsum(deviations[::-1])[::-1]
    squares = np.cumsum(deviations[::-1] ** 2)[::-1]
    errors = np.maximum(0.0, squares - sums**2 / kept) / kept**2
    return int(np.argmin(errors[: max(1, len(errors) - LEAST + 1)]))


def running_median(series: Any) -> Any:
    """Each value the middle one of itself and its neighbours; the first and the last as they are."""
    smooth = np.array(series, dtype=float)
    if len(smooth) > 2:
        smooth[1:-1] = np.median([smooth[:-2], smooth[1:-1], smooth[2:]], axis=0)
    return smooth


def _is_level(medians: Any) -> bool:
    middle = np.median(medians)
    return bool(np.mean(np.abs(medians - middle) <= max(TOLERANCE * middle, TICK_NS)) >= LEVEL)


class Settling:
    """A warm-up as its blocks come."""

    def __init__(self) -> None:
        self._medians: List[float] = []
        self._walls: List[int] = []
        self._queries: List[int] = []

    def add(self, median_ns: float, wall_ns: int, queries: int) -> None:
        """A block that has ended."""
        self._medians.append(median_ns)
        self._walls.append(wall_ns)
        self._queries.append(queries)

    def unsteady_queries(self) -> Optional[int]:
        """Queries before the timings were steady; None while they are not, or not for ``STEADY_NS`` yet."""
        first = steady_from(self._medians)
        if first is None or sum(self._walls[first:]) < STEADY_NS:
            return None
        return sum(self._queries[:first])
