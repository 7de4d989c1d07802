"""Percentiles of the pool of several processes' timings.

A percentile is the nearest rank: the ``ceil(q·n)``-th smallest of the pool. Its interval is made of

- two order statistics of the pool, at the ranks that enclose the quantile in as many *independent*
  timings as these are worth (``dependence.effective_size``): Woodruff, *JASA* 47 (1952), p. 635;
- where the processes' own percentiles differ by more than that explains, Student's interval over them
  (independent replications; Alexopoulos & Seila 1998, section 7.2.5).

It is widened to hold each process's own percentile. Where the processes are too short to have one of
their own, how they differ goes into the effective size instead.

Times and rates are positive and differ by factors, so Student's interval is one of their logarithms, and
goes from the value by a factor to either side: it never reaches 0, and a limit of a thousandth of what
was measured is missed however few the processes. Over replications it is exact where they are lognormal;
of a mean the relative error stands for the logarithm's, ``exp(±t·se/mean)`` (the delta method: Casella &
Berger, *Statistical Inference* (2002), section 5.5.4; the interval: Meeker & Escobar, *Statistical Methods
for Reliability Data* (1998), chapter 7). ``tests/stats/test_coverage.py`` holds it to what it promises.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise
from statistics import stdev

import numpy as np
from numpy.typing import NDArray

from bench.stats import CONFIDENCE
from bench.stats.dependence import (
    Series,
    Uncertainty,
    edges,
    effective_size,
    pooled_mean,
    series,
    uncertainty,
    within,
)
from bench.stats.distributions import binomial_ranks, student_t

Timings = NDArray[np.uint64]


@dataclass(frozen=True)
class Estimate:
    """A value, its interval, and the value of each process (None where its own count is too small)."""

    value: float
    low: float | None
    high: float | None
    processes: tuple[float | None, ...]
    count: int


def rank(q: float, n: int) -> int:
    """The nearest rank ``ceil(q·n)``, from 1; exact, whatever binary fraction stands for ``q``."""
    return max(1, math.ceil(_exact(q) * n))


@lru_cache(maxsize=64)
def _exact(q: float) -> Fraction:
    return Fraction(q).limit_denominator(10**7)


def needed(q: float) -> int:
    """The fewest timings whose count alone can support the percentile.

    Below it, not even the largest timing lies above the quantile with a confidence of 97.5 %
    (``q^n > 0.025``): an upper limit does not exist. Below the median the same holds of the smallest.
    """
    return max(1, math.ceil(math.log((1 - CONFIDENCE) / 2) / math.log(max(q, 1 - q))))


def told_from(q: float) -> int:
    """The fewest independent timings of which the largest is as likely above the percentile as not (``even_odds``)."""
    return max(1, math.ceil(math.log(0.5) / math.log(max(q, 1 - q))))


class Pool:
    """The timings (ns) of a case's processes, each in time order; sorted once, for every percentile.

    Holds a sorted copy, of four bytes a timing where none is above 4.29 s, and each percentile that it was asked for.
    """

    def __init__(self, processes: Sequence[Timings]) -> None:
        self.processes = [np.asarray(one) for one in processes if len(one)]
        self.count = sum(len(one) for one in self.processes)
        largest = max((int(one.max()) for one in self.processes), default=0)
        self._dtype = np.dtype(np.uint32 if largest < 1 << 32 else np.uint64)
        self._sorted = [one.astype(self._dtype) for one in self.processes]
        for one in self._sorted:
            one.sort()
        self._known: dict[float, tuple[int, list[Series], Uncertainty | None]] = {}

    def at(self, rank: int) -> int:
        """The ``rank``-th smallest timing of the pool, from 1; ranks outside go to the nearest."""
        rank = min(max(rank, 1), self.count)
        if len(self._sorted) == 1:
            return int(self._sorted[0][rank - 1])
        low, high = min(int(one[0]) for one in self._sorted), max(int(one[-1]) for one in self._sorted)
        while low < high:
            middle = (low + high) // 2
            if self._upto(middle) >= rank:
                high = middle
            else:
                low = middle + 1
        return low

    def percentile(self, q: float, confidence: float = CONFIDENCE) -> Estimate | None:
        """The nearest-rank percentile; None where the count cannot support it (see ``needed``)."""
        if self.count < needed(q):
            return None
        value, shares, found = self._told(q)
        own = tuple(float(one[rank(q, len(one)) - 1]) if len(one) >= needed(q) else None for one in self._sorted)
        told = [one for one in own if one is not None]
        replicated = len(told) == len(own) > 1
        if replicated:
            found = within(shares)
        low, high = self._order_statistics(q, effective_size(shares, found, confidence), confidence)
        if replicated and found is not None:
            half = _between_processes(told, (_log(high) - _log(low)) / 2 / student_t(found.df, confidence), confidence)
            low, high = min(low, value / factor(half)), max(high, value * factor(half))
        return Estimate(float(value), min([low, *told]), max([high, *told]), own, self.count)

    def even_odds(self, q: float) -> tuple[float | None, float | None, int]:
        """Between which two timings the percentile lies as likely on one side as on the other, and what they are worth.

        The true percentile is below the first at most half the time, and above the second at most half the
        time: order statistics at the ranks next to the median of a binomial (size, q), for the effective size
        that is given too. None where no timing lies that far out: 68 independent timings have no second for p99.
        """
        return self.between(q, 0.0)

    def between(self, q: float, confidence: float) -> tuple[float | None, float | None, int]:
        """Two timings that the percentile lies between with this confidence, and what all of them are worth.

        None where no timing lies that far out.
        """
        if not self.count:
            return None, None, 0
        _, shares, found = self._told(q)
        size = min(self.count, effective_size(shares, found))
        first, last = binomial_ranks(size, q, confidence)
        low, high = self._order_statistics(q, size, confidence)
        return low if first >= 1 else None, high if last <= size else None, size

    def mean(self, confidence: float = CONFIDENCE) -> Estimate | None:
        """The mean of all timings; None where there are none."""
        return mean(self.processes, confidence)

    def _told(self, q: float) -> tuple[int, list[Series], Uncertainty | None]:
        """The percentile, the shares of timings up to it, and how far these can be trusted."""
        if q not in self._known:
            value = self.at(rank(q, self.count))
            shares = self._shares(value, q)
            self._known[q] = value, shares, uncertainty(shares)
        return self._known[q]

    def _upto(self, value: int) -> int:
        key = self._dtype.type(value)
        return sum(int(np.searchsorted(one, key, side="right")) for one in self._sorted)

    def _order_statistics(self, q: float, size: int, confidence: float) -> tuple[float, float]:
        """The pool's values at the ranks that enclose the quantile in ``size`` independent timings."""
        first, last = binomial_ranks(min(size, self.count), q, confidence)
        low = self.at((first - 1) * self.count // size + 1)
        return float(low), float(self.at(-(-last * self.count // size)))

    def _shares(self, value: int, q: float) -> list[Series]:
        """The share of timings at or below ``value`` — or strictly below it, where ties put that nearer to q."""
        at_or_below = self._upto(value) / self.count
        below = self._upto(value - 1) / self.count if value else 0.0
        strictly = below > 0 and (at_or_below == 1 or abs(below - q) < abs(at_or_below - q))
        key = np.uint64(value - 1 if strictly else value)
        return [_series(one, lambda stretch: float(np.count_nonzero(stretch <= key))) for one in self.processes]


def mean(processes: Sequence[Timings], confidence: float = CONFIDENCE) -> Estimate | None:
    """The mean of all timings of these processes; None where there are none."""
    found = [_series(one, lambda stretch: float(stretch.sum(dtype=np.float64))) for one in processes if len(one)]
    return mean_of(found, sum(len(one) for one in processes), confidence) if found else None


def _series(timings: Timings, total: Callable[[Timings], float]) -> Series:
    """One process, ``total`` taken of each of its stretches."""
    cuts = edges(len(timings))
    totals = np.array([total(timings[a:b]) for a, b in pairwise(cuts)])
    return series(totals, np.diff(cuts).astype(float))


def _between_processes(own: Sequence[float], within_se: float, confidence: float) -> float:
    """Half of Student's interval over the logarithms of the processes' own percentiles.

    0 where ``within_se``, the standard error of the pool's logarithm within processes, explains their spread.
    """
    half = log_half_width(own, confidence)
    return half if half > student_t(len(own) - 1, confidence) * within_se else 0.0


def log_half_width(own: Sequence[float], confidence: float = CONFIDENCE) -> float:
    """Half of Student's interval over the logarithms of two or more times or rates, one a process."""
    return student_t(len(own) - 1, confidence) * stdev(map(_log, own)) / math.sqrt(len(own))


def mean_of(processes: Sequence[Series], count: int, confidence: float = CONFIDENCE) -> Estimate:
    """The pooled mean of times or rates, Student's interval of its logarithm, widened to hold each process's own."""
    value, own = pooled_mean(processes), tuple(one.mean for one in processes)
    found = uncertainty(processes)
    if found is None:
        return Estimate(value, None, None, own, count)
    reach = factor(found.half_width(confidence) / value) if value > 0 else 1.0
    return Estimate(value, min([value / reach, *own]), max([value * reach, *own]), own, count)


def _log(value: float) -> float:
    """Of a time (ns) or a rate; a time of 0, too short for the clock, counts as 1 ns."""
    return math.log(value) if value > 0 else 0.0


def factor(half: float) -> float:
    """What to multiply with and divide by for ``half`` of an interval of logarithms; finite."""
    return math.exp(min(half, 300.0))
