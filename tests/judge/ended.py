"""How long a process measures whose vote on one limit is all that is asked for: the project's own rule ends it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from bench.contract.model import Requirement
from bench.device.scenarios import BLOCK_NS
from bench.judge.readings import Reading, reading, vote
from bench.judge.stop import StopRule
from bench.results import Block, ProcessRun
from bench.stats import CONFIDENCE
from bench.stats.pool import Estimate, Pool

Timings = NDArray[np.uint64]


def cut(timings: Timings) -> tuple[Block, ...]:
    """Blocks as long as a run's, of a loop that does nothing beside these calls."""
    size = max(1, round(BLOCK_NS / float(timings.mean())))
    some = [timings[first : first + size] for first in range(0, len(timings), size)]
    return tuple(Block(len(one), len(one), 0, int(one.sum()), 0) for one in some)


class Ended:
    """One process, measured for each of many limits by itself: what several limits look at is computed once.

    ``timings`` (ns) are all that it would make in its whole time, ``blocks`` what they came in, if that is known.
    ``pooled``: as where the pool of calls is promised.
    """

    def __init__(
        self, run: ProcessRun, timings: Timings, blocks: Sequence[Block] = (), *, pooled: bool = False
    ) -> None:
        self._run, self._timings, self._pooled = run, timings, pooled
        self._blocks = blocks or cut(timings)
        self._pools: dict[int, Pool] = {}
        self._after: dict[Requirement, int] = {}
        self._readings: dict[tuple[str, int], Reading] = {}

    def after(self, limit: Requirement) -> int:
        """How many of its calls it makes for this limit."""
        if limit not in self._after:
            self._after[limit] = self._ended(_Rule(limit, self._pools, self._pooled))
        return self._after[limit]

    def vote(self, limit: Requirement) -> bool | None:
        """What it says of the limit once it has ended for it."""
        return vote(limit, self.reading(limit.metric, self.after(limit)))

    def reading(self, metric: str, calls: int) -> Reading:
        """Its own figure of so many calls, and what it may vote with."""
        if (metric, calls) not in self._readings:
            run = replace(self._run, blocks=self._made(calls))
            self._readings[metric, calls] = reading(metric, run, self._timings[:calls])
        return self._readings[metric, calls]

    def _made(self, calls: int) -> tuple[Block, ...]:
        """The blocks that its first calls came in."""
        counts = np.cumsum([one.count for one in self._blocks])
        return tuple(self._blocks[: int(np.searchsorted(counts, calls)) + 1])

    def _ended(self, rule: StopRule) -> int:
        last = 0
        for block in self._blocks:
            first, last = last, last + block.count
            if rule.block(block, self._timings[first:last]):
                break
        return last


class _Rule(StopRule):
    """The rule of one limit, on pools that another limit's rule made of the same calls."""

    def __init__(self, limit: Requirement, pools: dict[int, Pool], pooled: bool) -> None:
        super().__init__([limit], votes=True, pooled=pooled)
        self._pools = pools

    def pool(self) -> Pool:
        if self._count not in self._pools:
            self._pools[self._count] = _Pool(super().pool().processes)
        return self._pools[self._count]


class _Pool(Pool):
    """A pool that is asked the same for several limits."""

    def __init__(self, processes: Sequence[Timings]) -> None:
        super().__init__(processes)
        self._estimates: dict[tuple[float, float], Estimate | None] = {}
        self._ends: dict[tuple[float, float], tuple[float | None, float | None, int]] = {}

    def percentile(self, q: float, confidence: float = CONFIDENCE) -> Estimate | None:
        if (q, confidence) not in self._estimates:
            self._estimates[q, confidence] = super().percentile(q, confidence)
        return self._estimates[q, confidence]

    def between(self, q: float, confidence: float) -> tuple[float | None, float | None, int]:
        if (q, confidence) not in self._ends:
            self._ends[q, confidence] = super().between(q, confidence)
        return self._ends[q, confidence]
