"""How far a mean can be trusted when what it was made of is not independent.

Two estimates of the variance of a mean over several processes are taken, and the larger one is used:

- *within*: batch means. A process's series is cut into stretches; the variance of their means says
  how far the process's own mean can be trusted, whatever the correlation inside a stretch.
  Alexopoulos & Seila, "Output Data Analysis", *Handbook of Simulation* (1998), section 7.2. Stretches
  that are too short hide a slow drift, so two lengths are tried and the larger variance counts.
- *between*: the variance of the processes' own means, which holds whatever makes one process unlike
  the next (memory layout, placement of threads). It has only as many degrees of freedom as there are
  processes less one, and Student's t pays for that.

With a single process nothing is known of the second; the docs say so.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.stats import CONFIDENCE
from bench.stats.distributions import normal_z, student_t

FINE, COARSE = 32, 8
"""Stretches a process is cut into."""


@dataclass(frozen=True)
class Series:
    """One process's mean, its weight in the pool, and the means of its stretches for each length tried."""

    weight: float
    mean: float
    stretches: tuple[NDArray[np.float64], ...]


@dataclass(frozen=True)
class Uncertainty:
    """The variance of a pooled mean, and the degrees of freedom it was estimated with."""

    variance: float
    df: int

    def half_width(self, confidence: float = CONFIDENCE) -> float:
        """What to go to either side of the mean."""
        return student_t(self.df, confidence) * math.sqrt(self.variance)


def edges(count: int) -> NDArray[np.intp]:
    """Where to cut ``count`` items in time order: 32 or 8 stretches, fewer for less than 16 items, 1 below 4."""
    stretches = FINE if count >= 2 * FINE else COARSE if count >= 2 * COARSE else max(1, count // 2)
    return np.linspace(0, count, stretches + 1).astype(np.intp)


def series(totals: NDArray[np.float64], weights: NDArray[np.float64]) -> Series:
    """A process from its stretches' totals and weights (counts, or wall times), in time order."""
    weight = float(weights.sum())
    kinds = [totals / weights]
    if len(totals) == FINE:
        kinds.append(totals.reshape(COARSE, -1).sum(1) / weights.reshape(COARSE, -1).sum(1))
    return Series(weight, float(totals.sum()) / weight, tuple(kinds))


def pooled_mean(processes: Sequence[Series]) -> float:
    """The mean over everything, each process by its weight."""
    total = math.fsum(one.weight for one in processes)
    return math.fsum(one.weight * one.mean for one in processes) / total


def uncertainty(processes: Sequence[Series]) -> Uncertainty | None:
    """How far the pooled mean can be trusted: the larger variance; None where there is too little to tell."""
    found = [one for one in (within(processes), between(processes)) if one is not None]
    return max(found, key=lambda one: one.variance, default=None)


def within(processes: Sequence[Series]) -> Uncertainty | None:
    """By batch means; None where a process has too few timings to be cut."""
    if any(len(one.stretches[-1]) < 2 for one in processes):
        return None
    total = math.fsum(one.weight for one in processes)
    variances = [
        math.fsum((one.weight / total) ** 2 * _variance_of_mean(one.stretches[kind]) for one in processes)
        for kind in (0, -1)
    ]
    return Uncertainty(max(variances), sum(len(one.stretches[-1]) - 1 for one in processes))


def between(processes: Sequence[Series]) -> Uncertainty | None:
    """By how the processes' own means differ; None for a single one."""
    many = len(processes)
    if many < 2:
        return None
    total, mean = math.fsum(one.weight for one in processes), pooled_mean(processes)
    square = math.fsum((one.weight / total * (one.mean - mean)) ** 2 for one in processes)
    return Uncertainty(square * many / (many - 1), many - 1)


def effective_size(processes: Sequence[Series], found: Uncertainty | None, confidence: float = CONFIDENCE) -> int:
    """How many independent timings would tell a share as precisely as these do; 1 to their number.

    The series' means are shares (of timings at or below a value), ``found`` says how far their mean can
    be trusted. The count is divided by the design effect — the share's variance over that of as many
    independent ones; Kish, *Survey Sampling* (1965), section 8.2 — and by (t/z)² for the variance's own
    degrees of freedom: Korn & Graubard, *Survey Methodology* 24 (1998), p. 193.
    """
    count = math.fsum(one.weight for one in processes)
    share = pooled_mean(processes)
    if found is None:
        return 1
    inflation = (student_t(found.df, confidence) / normal_z(confidence)) ** 2
    independent = share * (1 - share) / count
    effect = found.variance / independent if independent > 0 else 1.0
    return max(1, math.floor(count / (max(1.0, effect) * inflation)))


def _variance_of_mean(stretches: NDArray[np.float64]) -> float:
    return float(stretches.var(ddof=1)) / len(stretches)
