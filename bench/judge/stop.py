"""When a process run has seen enough: every timed requirement is clearly met or clearly missed.

The rule looks at one process alone, while it runs. What it decides is only how long to measure: the
verdict is made later, of all processes, from whatever was measured. Stopping when the answer looks
clear could favour lucky stretches, so a look counts only if it is much clearer than a verdict must be:

- the process's own interval is taken at 99.9 % instead of 95 %. Looks come each time the count has
  grown by half, so there are at most 30 of them in 10 million timings, and the chance that any of them
  is wrong about this process stays below 30 · 0.1 % = 3 % (Bonferroni), under the 5 % of a verdict;
- the interval, widened by ``MARGIN`` of the value for the processes still to come, must be clear of the
  limit. So a process ends early only where the limit is far away, and where the bias of stopping,
  a small part of the interval's width, cannot change the answer.

In the server scenario only a miss is clear: a queue that grows slowly looks short in the beginning, and a
limit that is met early may be missed later.

A sequential test whose error over all looks and processes is exact is not claimed.

In an adaptive case (``typical``) each process only votes. One that errs now and then costs a further process and makes
no wrong answer, as long as it errs to either side alike. So there (but for a server, whose queue goes on) a process may
end sooner:

- once its vote is well founded, whatever it will be: each percentile has ``FOUNDED`` times the *effective* timings that
  it needs, each mean an interval of ``CLOSE`` of its value. That looks at how far the timings can be trusted, not at
  where the limit lies;
- once a percentile's limit is ``FAR`` off: beyond the margin above and an interval that is much narrower. A limit near
  the typical process's value is far to few processes, so most vote on it what they would have voted later.

Where the pool of calls is promised, a percentile never ends a process: what counts there is the share of its calls that
were slow. One that ended when its limit looked missed would bring in the share of its worst stretch, and one that ended
when no burst had come that of its best: with the limit at the truth, *missed* was wrong in up to 85 % of runs.

What errs to one side is a burst of slow calls that did not come yet: timings without one look as if they were
independent, and a mean and each percentile above the median is too low. So everything is founded on ``SEEN_BURSTS``
calls at least, such a percentile on ``SEEN`` times those that it needs. No mean, and no percentile above the median,
is called met on fewer than ``SEEN_BURSTS`` calls, or ``FOUNDED`` times those that it needs, however far its limit is
(``tests/judge/test_ended_early.py``).

Where each call is promised (``independent``), a process ends as soon as it has its share of the calls that decide.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bench.contract.model import Requirement
from bench.device.records import OPEN_LOOPS
from bench.judge.independent import Counting
from bench.judge.timing import is_timed, rates
from bench.judge.verdict import edges
from bench.metrics import THROUGHPUT, TIMED, percentile_of
from bench.results import Block
from bench.stats.pool import Estimate, Pool, mean_of, needed, rank

CONFIDENCE = 0.999
MARGIN = 0.1
"""Of the value: processes of one model differ by some per cent, and their interval is wider than that."""
FOUNDED = 4
"""Times the effective timings that a percentile needs: fewer make a vote near the limit one that cannot be told."""
CLOSE = 0.02
"""Of the value, to either side: the interval of a mean that a vote can rest on."""
SEEN = 32
"""Times the calls that a percentile above the median needs, dependent as they are: so long bursts may be rare."""
SEEN_BURSTS = 1472
"""Calls in which bursts that come once in 800 have come to most processes. With fewer, more than half of all processes
are within what the typical one shows in a longer measurement, and with bursts of ten times the length of a call far
within it."""
FAR = 0.7
"""Confidence of the interval beyond which a vote's limit is far."""
FIRST_LOOK_NS, FIRST_VOTE_NS = 200_000_000, 100_000_000
"""Measured before the first look; less where the process only votes: eight of them must not take long."""
GROWTH = 1.5
MAX_TIMINGS = 2_000_000
"""Beyond it the rule gives up and the process is measured to its end: memory and time stay small."""


def least_to_meet(metric: str) -> int:
    """Timings of a process that votes, before which no limit of the metric is called met, however far it is."""
    q = percentile_of(metric)
    if q is not None and q <= 0.5:
        return 0
    return SEEN_BURSTS if q is None else max(SEEN_BURSTS, FOUNDED * needed(q))


class StopRule:
    """Fed each block of one process run; says when every timed requirement is clear."""

    def __init__(
        self,
        requirements: Sequence[Requirement],
        votes: bool = False,
        indifference: float = 0.0,
        counting: Counting | None = None,
        pooled: bool = False,
    ) -> None:
        self._counting = counting
        self._votes, self._indifference = votes, indifference
        self._first_look_ns = FIRST_VOTE_NS if votes else FIRST_LOOK_NS
        self._timed = [one for one in requirements if one.block in TIMED and is_timed(one.metric)]
        self._latencies: list[NDArray[np.uint64]] = []
        self._blocks: list[Block] = []
        self._count, self._measured_ns, self._next_count = 0, 0, 1.0
        self._enough = {least_to_meet(one.metric) for one in self._timed} if votes else set()
        self._decided = not self._timed
        self._is_whole = pooled and any(percentile_of(one.metric) is not None for one in self._timed)

    def block(self, block: Block, latencies_ns: NDArray[np.uint64]) -> bool:
        """Take a block in; True once this process has decided every timed requirement, so that it may stop."""
        if self._decided or self._is_whole or self._count > MAX_TIMINGS:
            return self._decided
        if self._counting is not None and self._counting.block(latencies_ns):
            self._decided = True
            return True
        self._latencies.append(latencies_ns)
        self._blocks.append(block)
        self._count += len(latencies_ns)
        self._measured_ns += block.wall_ns
        if self._measured_ns >= self._first_look_ns and self._count >= self._next_count:
            self._next_count = min([self._count * GROWTH, *(one for one in self._enough if one > self._count)])
            self._decided = self._look()
        if self._decided or self._count > MAX_TIMINGS:
            self._latencies.clear()
        return self._decided

    @property
    def held_bytes(self) -> int:
        """Bytes of timings that the rule keeps."""
        return sum(one.nbytes for one in self._latencies)

    def pool(self) -> Pool:
        """What was measured so far."""
        return Pool([np.concatenate(self._latencies)])

    def _look(self) -> bool:
        pool = self.pool()
        return all(self._is_decided(one, pool) for one in self._timed)

    def _is_decided(self, requirement: Requirement, pool: Pool) -> bool:
        is_met, is_missed = self._clear(requirement, self._estimate(requirement.metric, pool))
        if not self._votes or requirement.block in OPEN_LOOPS:
            return is_met or is_missed
        q = percentile_of(requirement.metric)
        if q is not None:
            is_met, is_missed = self._far(requirement, q, pool)
        is_met = is_met and pool.count >= least_to_meet(requirement.metric)
        return is_met or is_missed or self._is_founded(requirement.metric, pool)

    def _is_founded(self, metric: str, pool: Pool) -> bool:
        """Whether a vote on the metric can rest on what was measured so far, wherever its limit lies."""
        q = percentile_of(metric)
        if q is not None:
            least = max(SEEN_BURSTS, SEEN * needed(q)) if q > 0.5 else SEEN_BURSTS
            return pool.count >= least and pool.even_odds(q)[2] >= FOUNDED * needed(q)
        found = self._estimate(metric, pool) if pool.count >= SEEN_BURSTS else None
        return found is not None and found.high is not None and found.high - found.value <= CLOSE * found.value

    def _far(self, requirement: Requirement, q: float, pool: Pool) -> tuple[bool, bool]:
        """Whether the limit is met, or missed, by so much that a longer look would hardly give another vote."""
        low, high, _ = pool.between(q, FAR)
        return self._clear(requirement, Estimate(float(pool.at(rank(q, pool.count))), low, high, (), pool.count))

    def _estimate(self, metric: str, pool: Pool) -> Estimate | None:
        if metric == THROUGHPUT.name:
            found = rates(self._blocks)
            return mean_of([found], self._count, CONFIDENCE) if found else None
        q = percentile_of(metric)
        return pool.mean(CONFIDENCE) if q is None else pool.percentile(q, CONFIDENCE)

    def _clear(self, requirement: Requirement, estimate: Estimate | None) -> tuple[bool, bool]:
        """Whether the limit (an edge of its zone) is clearly met, or missed: beyond the interval and the margin.

        An end of the interval that is not known is clear of nothing. A server never clearly meets a limit.
        """
        if estimate is None:
            return False, False
        slack = MARGIN * estimate.value
        above, below = edges(requirement, self._indifference)
        if requirement.direction == "at least":
            above, below = below, above
        is_above = estimate.high is not None and above.limit > estimate.high + slack
        is_below = estimate.low is not None and below.limit < estimate.low - slack
        is_met, is_missed = (is_above, is_below) if requirement.direction == "at most" else (is_below, is_above)
        return is_met and requirement.block not in OPEN_LOOPS, is_missed
