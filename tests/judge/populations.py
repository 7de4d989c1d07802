"""Many processes of one kind, to draw runs from: simulated ones, or recorded ones.

A run draws its processes with replacement, so what is true of all of them is known, and each draw is independent of
the one before, whatever the calls of one process are.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from statistics import median

import numpy as np
from numpy.typing import NDArray

from bench.results import Memory, ProcessRun
from bench.stats.pool import Pool, rank
from tests.judge.cases import process
from tests.judge.ended import cut
from tests.stats.series import MEDIAN_NS, Rng, autoregressive, bursty, independent

EFFECT = 0.02
"""How much the processes of a dependent series differ."""
PAGE_BYTES, PAGES, TWICE = 4096, 25_600, 0.1


@dataclass(frozen=True)
class Population:
    """Processes as the judge takes them, and the timings (ns) of each, all that its blocks hold."""

    name: str
    runs: tuple[ProcessRun, ...]
    timings: tuple[NDArray[np.uint64], ...]

    def typical_ns(self, q: float) -> float:
        """The median process's own percentile: what the votes are about."""
        return median(self.own_ns(q))

    def own_ns(self, q: float) -> list[float]:
        """Each process's own percentile of all its calls."""
        return [float(np.partition(one, rank(q, len(one)) - 1)[rank(q, len(one)) - 1]) for one in self.timings]

    def pool_ns(self, q: float) -> float:
        """The percentile of all calls of all processes: what rules that count calls are about."""
        pool = Pool(self.timings)
        return float(pool.at(rank(q, pool.count)))


@dataclass(frozen=True)
class Kind:
    """How the calls of a simulated process come: standard values, their scale, how processes differ."""

    values: Callable[[Rng, int], NDArray[np.float64]]
    sigma: float
    effect: float = 0.0


KINDS: Mapping[str, Kind] = {
    "independent, σ 0.1": Kind(independent, 0.1),
    "independent, σ 0.3": Kind(independent, 0.3),
    "AR(1), correlation 0.95": Kind(autoregressive, 0.1, EFFECT),
    "bursts of 40 calls": Kind(bursty, 0.1, EFFECT),
}
HARSH: Mapping[str, Kind] = {
    "bursts of 40 calls of ten times the length": Kind(partial(bursty, height=10 * math.log(10)), 0.1, EFFECT),
    "bursts of 120 calls": Kind(partial(bursty, length=120, share=0.15), 0.1, EFFECT),
}
"""Bursts that weigh most on a mean, and bursts of more calls than a p90 leaves out; each once in 800 calls."""


def memories(processes: int, seed: int) -> Population:
    """Processes that hold about 100 MiB at most (2 % apart, in whole pages), one in ten of them twice as much."""
    rng = np.random.default_rng(seed)
    pages = np.exp(EFFECT * rng.normal(size=processes)) * np.where(rng.random(processes) < TWICE, 2, 1) * PAGES
    runs = (
        replace(process(index), memory=Memory(None, None, PAGE_BYTES * int(own), "VmHWM"))
        for index, own in enumerate(pages)
    )
    one_call = np.array([10**6], np.uint64)
    return Population("one process of ten holds twice as much", tuple(runs), (one_call,) * processes)


def simulated(name: str, processes: int, calls: int, seed: int) -> Population:
    """Log-normal timings of about 1 ms of one of the ``KINDS``, or a ``HARSH`` one."""
    rng, kind = np.random.default_rng([seed, *name.encode()]), {**KINDS, **HARSH}[name]
    timings = []
    for _ in range(processes):
        logs = np.log(MEDIAN_NS) + kind.sigma * kind.values(rng, calls) + kind.effect * rng.normal()
        timings.append(np.asarray(np.exp(logs), dtype=np.uint64))
    runs = (replace(process(index), blocks=cut(own)) for index, own in enumerate(timings))
    return Population(name, tuple(runs), tuple(timings))
