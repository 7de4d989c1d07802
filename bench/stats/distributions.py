"""The two distributions that intervals need.

Both are exact and short; scipy is what the tests compare them with. It is no dependency of the
project itself: a third of a second of import and a hundred megabytes for two functions.
"""

from __future__ import annotations

import math
from functools import lru_cache
from statistics import NormalDist

import numpy as np

_EXACT_DF = 200


@lru_cache(maxsize=1024)
def binomial_ranks(n: int, q: float, confidence: float) -> tuple[int, int]:
    """Ranks (low, high) of the order statistics of ``n`` independent values that enclose quantile ``q``.

    Each side misses it with at most half of what ``confidence`` leaves. ``low`` is 0 and ``high`` is
    ``n + 1`` where no order statistic reaches that far. Hahn & Meeker, *Statistical Intervals* (1991),
    section 5.2: the number of values below the quantile is binomial (n, q).
    """
    tail = (1 - confidence) / 2
    reach = 10 * math.sqrt(n * q * (1 - q)) + 40
    first, last = max(0, math.floor(n * q - reach)), min(n, math.ceil(n * q + reach))
    k = np.arange(first, last)
    steps = np.log((n - k) / (k + 1.0)) + math.log(q / (1 - q))  # of log pmf, from k to k + 1
    log_pmf = np.concatenate(([0.0], np.cumsum(steps)))
    pmf = np.exp(log_pmf - log_pmf.max())
    cdf = np.cumsum(pmf) / pmf.sum()
    low = first + int(np.searchsorted(cdf, tail, side="right"))
    high = first + int(np.searchsorted(cdf, 1 - tail, side="left")) + 1
    return low, high


@lru_cache(maxsize=256)
def student_t(df: int, confidence: float) -> float:
    """The t for which a Student variable with ``df`` degrees of freedom lies within ±t so often.

    Abramowitz & Stegun, *Handbook of Mathematical Functions*: the finite sums 26.7.3 and 26.7.4 up to
    200 degrees of freedom, above them the expansion 26.7.5 (its error is below 1e-8 there).
    """
    if df < 1:
        raise ValueError(f"Student's t needs at least one degree of freedom, not {df}")
    if df > _EXACT_DF:
        return _expanded_t(df, normal_z(confidence))
    low, high = 0.0, 1.0
    while _within(high, df) < confidence:
        high *= 2
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if _within(middle, df) < confidence else (low, middle)
    return high


def normal_z(confidence: float) -> float:
    """The z for which a normal variable lies within ±z standard deviations so often."""
    return NormalDist().inv_cdf((1 + confidence) / 2)


def _within(t: float, df: int) -> float:
    """How often |T| < t for ``df`` degrees of freedom."""
    theta = math.atan2(t, math.sqrt(df))
    sin, cos = math.sin(theta), math.cos(theta)
    if df == 1:
        return 2 * theta / math.pi
    odd = df % 2
    term = cos if odd else 1.0
    total = term
    for k in range(2 if odd else 1, df - 2, 2):
        term *= k / (k + 1) * cos * cos
        total += term
    return 2 / math.pi * (theta + sin * total) if odd else sin * total


def _expanded_t(df: int, z: float) -> float:
    g1 = (z**3 + z) / 4
    g2 = (5 * z**5 + 16 * z**3 + 3 * z) / 96
    g3 = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    return z + g1 / df + g2 / df**2 + g3 / df**3
