"""Sides that take turns: each measures a little, again and again, so that a slow minute hits them all."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from bench.device.loop import quiet

CORES = frozenset(os.sched_getaffinity(0))
"""Those that this process had before it pinned itself."""
Side = Callable[[float], float]
"""Measures for about so many seconds; answers its figure, in ns."""


@dataclass(frozen=True)
class Ratio:
    """The median of one ratio a round, and the quartiles of the rounds."""

    value: float
    low: float
    high: float


def nearest_rank(values: Sequence[float], quantile: float) -> float:
    """The ``ceil(quantile * n)``-th smallest."""
    return sorted(values)[max(1, math.ceil(quantile * len(values))) - 1]


def take_turns(sides: Mapping[str, Side], rounds: int, seconds: float) -> dict[str, list[float]]:
    """Each side's figure in each round. The order rotates, so that no side is always after the same one."""
    names = list(sides)
    figures: dict[str, list[float]] = {name: [] for name in names}
    with quiet():
        for side in sides.values():  # the first turn warms up and is not kept
            side(seconds)
        for turn in range(rounds):
            first = turn % len(names)
            for name in names[first:] + names[:first]:
                figures[name].append(sides[name](seconds))
    return figures


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> Ratio:
    """Ours over theirs, round by round."""
    ratios = [mine / other for mine, other in zip(ours, theirs, strict=True)]
    return Ratio(nearest_rank(ratios, 0.5), nearest_rank(ratios, 0.25), nearest_rank(ratios, 0.75))


def pin(core: int | None = None) -> int:
    """Keep this process and its children on one core: the last one it may use, if none is said."""
    chosen = max(os.sched_getaffinity(0)) if core is None else core
    os.sched_setaffinity(0, {chosen})
    return chosen


@contextmanager
def on_all_cores() -> Iterator[None]:
    """What is started meanwhile may use every core again."""
    pinned = os.sched_getaffinity(0)
    os.sched_setaffinity(0, CORES)
    try:
        yield
    finally:
        os.sched_setaffinity(0, pinned)
