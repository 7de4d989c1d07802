"""The Pareto front: the points that no other point beats. Pure.

A point dominates another if it is nowhere higher and somewhere lower: every coordinate is a cost, so a
measure of which more is better goes in with its sign turned. Kung, Luccio and Preparata, *On finding the
maxima of a set of vectors* (1975): in lexicographic order no point is dominated by a later one, so each has to
be compared only with the front of those before it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

STEP = 1.02
"""Measured values are compared in steps of 2 %: that far processes of one model differ by themselves."""


def front(points: Sequence[Sequence[float]]) -> frozenset[int]:
    """The indices of the points that no other dominates; equal points are on the front together."""
    order = sorted(range(len(points)), key=lambda index: tuple(points[index]))
    kept: list[int] = []
    for index in order:
        if not any(dominates(points[other], points[index]) for other in kept):
            kept.append(index)
    return frozenset(kept)


def dominates(one: Sequence[float], other: Sequence[float]) -> bool:
    """Whether ``one`` is nowhere higher than ``other`` and somewhere lower."""
    pairs = list(zip(one, other, strict=True))
    return all(mine <= theirs for mine, theirs in pairs) and any(mine < theirs for mine, theirs in pairs)


def stepped(value: float | None, *, more_is_better: bool = False) -> float:
    """A measured value as a cost, in steps of ``STEP``; what was not measured costs more than anything."""
    if value is None or not math.isfinite(value):
        return math.inf
    if value <= 0:
        return math.inf if more_is_better else -math.inf
    steps = round(math.log(value, STEP))
    return float(-steps if more_is_better else steps)
