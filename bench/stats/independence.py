"""Do calls look independent, in each process and from one process to the next? A check; it cannot prove that they are.

All of it is of ranks over all processes together, so it does not matter how timings are distributed, or how slow the
slowest is. Under independence each figure is close to a standard normal one:

- *neighbours*: the correlation of each timing with the next one of its process (Wald & Wolfowitz, *Ann. Math. Stat.* 14
  (1943), p. 378), by the pool's mean: what makes a whole process slow shows here as well;
- *stretches*: whether processes, quarters and sixteenths of them differ by more than independent calls would: Kruskal &
  Wallis, *J. Am. Stat. Assoc.* 47 (1952), p. 583. That is batch means at several lengths, and a slow drift shows in
  them. The chi-square is made normal by Wilson & Hilferty, *PNAS* 17 (1931), p. 684;
- *pairs*: how often a call over the limit follows one, where few are over: more often than all but ``RARE`` of Poisson
  counts.

What it cannot see is what is not in the calls: a burst that comes less often than these calls last.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Timings = NDArray[np.uint64]

MOST_STRETCHES = {1: 1.0, 4: 1.6, 16: 2.0}
"""Into how many parts each process is cut, and the most of the standard normal figure: independent calls are above it
16, 5 and 2 times in 100. Whole processes are held to the strictest: that a few of them differ is hardest to see."""
LEAST = 4
"""Calls of a stretch."""
MOST_NEIGHBOURS = 2.3
"""Standard normal: independent calls are above it once in 100."""
RARE = 0.005
PLAIN = 4.5
"""Standard normal: above it, not even one of 100 000 runs of independent calls."""


@dataclass(frozen=True)
class Independence:
    """What was found."""

    neighbours: float
    stretches: tuple[tuple[int, float], ...]
    """For each number of parts that a process was cut into, how unlike the stretches are."""
    pairs: bool
    """Whether calls over the limit follow each other more often than chance lets them."""
    effective: float
    """How many independent timings would tell a mean rank as well as the stretches do, as a share of all; at most 1."""

    @property
    def is_refuted(self) -> bool:
        """Whether it is plain that calls depend on each other, however often one looks."""
        return max(self.neighbours, *(unlike for _, unlike in self.stretches), 0.0) > PLAIN

    @property
    def holds(self) -> bool:
        """Whether nothing speaks against independence."""
        alike = all(unlike <= MOST_STRETCHES[parts] for parts, unlike in self.stretches)
        return alike and self.neighbours <= MOST_NEIGHBOURS and not self.pairs


def independence(processes: Sequence[Timings], over: Sequence[NDArray[np.bool_]]) -> Independence:
    """Of these processes' timings in time order, and which of them are over the limit."""
    ranks = _centred_ranks(np.concatenate(processes))
    variance = float(np.mean(ranks**2))
    if not variance:  # all timings are the same: nothing tells whether they depend on each other
        return Independence(0.0, (), False, 1.0)
    cuts = np.cumsum([len(one) for one in processes])[:-1]
    own = np.split(ranks, cuts)
    neighbours = sum(len(one) - 1 for one in own)
    product = math.fsum(float(np.dot(one[1:], one[:-1])) for one in own)
    found = [(parts, *_stretches(own, parts, variance)) for parts in MOST_STRETCHES]
    effects = [chi_square / df for _, chi_square, df in found if df]
    return Independence(
        neighbours=product / variance / math.sqrt(neighbours) if neighbours else 0.0,
        stretches=tuple((parts, _normal(chi_square, df)) for parts, chi_square, df in found if df),
        pairs=_pairs(over),
        effective=1 / max(1.0, *effects) if effects else 1.0,
    )


def _centred_ranks(values: Timings) -> NDArray[np.float64]:
    """Ranks, the middle one of equal values, less their mean."""
    _, at, counts = np.unique(values, return_inverse=True, return_counts=True)
    middle = np.cumsum(counts) - (counts - 1) / 2
    return np.asarray(middle[at.reshape(-1)] - (len(values) + 1) / 2, dtype=np.float64)


def _stretches(processes: Sequence[NDArray[np.float64]], parts: int, variance: float) -> tuple[float, int]:
    """Kruskal and Wallis' statistic over the stretches, and its degrees of freedom."""
    found = [stretch for one in processes for stretch in _cut(one, parts)]
    count = sum(len(one) for one in found)
    square = math.fsum(float(one.sum()) ** 2 / len(one) for one in found)
    return square / variance * (count - 1) / count, len(found) - 1


def _cut(one: NDArray[np.float64], parts: int) -> list[NDArray[np.float64]]:
    cuts = np.linspace(0, len(one), max(1, min(parts, len(one) // LEAST)) + 1).astype(np.intp)
    return [one[first:last] for first, last in pairwise(cuts.tolist())]


def _normal(chi_square: float, df: int) -> float:
    """The standard normal value that is exceeded as rarely."""
    spread = 2 / (9 * df)
    return float(((chi_square / df) ** (1 / 3) - (1 - spread)) / math.sqrt(spread))


def _pairs(over: Sequence[NDArray[np.bool_]]) -> bool:
    """Whether pairs of neighbours over the limit are more than chance lets them be, where few calls are over."""
    neighbours, count = sum(max(0, len(one) - 1) for one in over), sum(len(one) for one in over)
    share = sum(int(one.sum()) for one in over) / count
    pairs, expected = sum(int(np.count_nonzero(one[1:] & one[:-1])) for one in over), neighbours * share**2
    term = below = math.exp(-expected)
    for number in range(1, pairs):
        term *= expected / number
        below += term
    return bool(pairs) and share < 0.1 and 1 - below < RARE
