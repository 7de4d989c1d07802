"""How fast a series rises, whatever outliers and steps are in it: Theil and Sen's slope, with its interval.

The slope is the median of the slopes of all pairs of points: Theil, *Proc. Kon. Ned. Akad. Wetensch.* A53 (1950),
p. 386; its interval is made of two of those slopes by rank: Sen, *JASA* 63 (1968), p. 1379, with Kendall's variance
corrected for ties.

Sen takes the points as independent. What a process holds is mostly what it held before, so

- the variance is multiplied by (1 + φ) / (1 - φ), for the lag-one correlation φ of what is left without the slope
  (Bayley & Hammersley, *J. Roy. Stat. Soc. Suppl.* 8, 1946, p. 184), and Student's t stands for the normal z. Taking
  the slope off makes φ look smaller by about (2 + 5φ) / n: Kendall (*Biometrika* 41, 1954, p. 403) has this bias for a
  mean; for a slope it was simulated here, and ``tests/stats/test_trend.py`` holds what follows from it;
- where what is left looks like a walk, or the ranks do not reach so far, the interval is widened to Student's over the
  rises over ``PIECES`` pieces of the series: that holds for a random walk too, whose steps are independent, and is
  too wide for anything that comes back. It looks like one where φ is above ``PERSISTENT``, or where the mean of the
  correlations over ``LAGS`` lags is above ``LINGERING``: a walk under noise has a small φ that hardly falls with the
  lag. A walk has a φ below ``PERSISTENT`` once in a hundred times (Dickey & Fuller, *JASA* 74 (1979), p. 427: of 50
  points with a slope taken off), and then the other interval; so the wider one is taken at ``SURE``, and the two
  together call a walk a slope less than 2 times in 100 each way. Only a walk under noise of twice its steps is still
  taken for noise too often (9 in 100 each way; ``tests/stats/test_trend.py``).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.stats import CONFIDENCE
from bench.stats.distributions import normal_z, student_t

Values = NDArray[np.float64]
PERSISTENT = 0.5
LAGS, LINGERING = 5, 0.15
PIECES = 10
SURE = 0.99
"""The confidence of the wider interval, or what is asked for where that is more."""


@dataclass(frozen=True)
class Trend:
    """A slope, in units of y a unit of x, and its interval."""

    slope: float
    low: float
    high: float


def trend(x: Values, y: Values, confidence: float = CONFIDENCE) -> Trend:
    """The slope of y over x, which rises; at least ``2 * PIECES`` points."""
    middle, slopes = _pairs(x, y)
    rest = y - middle * x
    correlation = lag_one(rest)
    factor = (1 + correlation) / (1 - correlation)
    reach = student_t(max(1, int(len(y) / factor) - 2), confidence)
    first, last = _ranks(slopes, reach * math.sqrt(max(0.0, factor * _kendall_variance(x, y))))
    is_out = first < 0 or last >= len(slopes)
    found = Trend(middle, *(middle, middle) if is_out else (float(slopes[first]), float(slopes[last])))
    is_walk = correlation > PERSISTENT or lingering(rest) > LINGERING
    return _widened(found, x, y, max(SURE, confidence)) if is_out or is_walk else found


def theil_sen(x: Values, y: Values, confidence: float = CONFIDENCE) -> Trend:
    """The same for independent points, as scipy's ``theilslopes`` has it."""
    middle, slopes = _pairs(x, y)
    first, last = _ranks(slopes, normal_z(confidence) * math.sqrt(max(0.0, _kendall_variance(x, y))))
    return Trend(middle, float(slopes[max(0, first)]), float(slopes[min(last, len(slopes) - 1)]))


def lag_one(rest: Values) -> float:
    """The correlation of each point's rank with the next one's, in a series whose slope was taken off; from 0 on."""
    found, n = _correlations(rest, 1)[0], len(rest)
    return min(0.99, (n * found + 2) / (n - 5)) if found > 0 and n > 5 else 0.0


def lingering(rest: Values) -> float:
    """The mean correlation of ranks over ``LAGS`` lags; 4 / n is added, about what taking the slope off takes away."""
    return float(np.mean(_correlations(rest, LAGS))) + 4 / len(rest)


def _correlations(rest: Values, lags: int) -> list[float]:
    """Of each point's rank with that of the next, the one after it, …; 0 where all are equal."""
    _, which, counts = np.unique(rest, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts + 1) / 2)[which]
    ranks = ranks - ranks.mean()
    square = float(ranks @ ranks)
    return [float(ranks[lag:] @ ranks[:-lag]) / square if square else 0.0 for lag in range(1, lags + 1)]


def _pairs(x: Values, y: Values) -> tuple[float, Values]:
    """The median slope of all pairs, and all their slopes, sorted."""
    dx, dy = x[:, None] - x, y[:, None] - y
    slopes: Values = np.sort(dy[dx > 0] / dx[dx > 0])
    return float(np.median(slopes)), slopes


def _ranks(slopes: Values, reach: float) -> tuple[int, int]:
    """Which slopes are the interval's ends, from 0."""
    return round((len(slopes) - reach) / 2) - 1, round((len(slopes) + reach) / 2)


def _widened(found: Trend, x: Values, y: Values, confidence: float) -> Trend:
    ends = np.linspace(0, len(y) - 1, PIECES + 1).astype(int)
    rises = np.diff(y[ends]) / np.diff(x[ends])
    half = student_t(len(rises) - 1, confidence) * float(rises.std(ddof=1)) / math.sqrt(len(rises))
    centre = float(rises.mean())
    return Trend(found.slope, min(found.low, centre - half), max(found.high, centre + half))


def _kendall_variance(x: Values, y: Values) -> float:
    """Of Kendall's S: Sen 1968, equation 2.6, less what ties take off."""
    return (_term(len(y)) - sum(map(_term, _ties(x))) - sum(map(_term, _ties(y)))) / 18


def _term(count: int) -> float:
    return float(count) * (count - 1) * (2 * count + 5)


def _ties(values: Values) -> list[int]:
    return [int(count) for count in np.unique(values, return_counts=True)[1] if count > 1]
