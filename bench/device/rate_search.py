"""Looking for the highest rate of arrivals at which a percentile of latency keeps its limit.

A trial at one rate tells how many of its queries took longer than the limit. Their share grows with the rate, and
where it is ``1 - q`` the percentile ``q`` is the limit itself: the rate looked for.

How the share grows is told by a *replay*: the times that queries took the model, in their order, are sent through the
queue again, by arithmetic, at other rates (``replay``).
Nearly all of the time goes into real trials at the rate that the replay points to and a little to either side of it,
as in Watson & Pelli's QUEST, *Perception & Psychophysics* 33 (1983), p. 113: so what is replayed was measured under
the load that it is used for.

Where the model is slower behind a queue than its mere times tell, the trials show it: each one's queries over the
limit are compared with those of a replay of *its own arrivals*, and the replayed curve is moved by the difference of
the logits. The luck of the arrivals is in both and falls out (a control variate; Lavenberg & Welch, *Management
Science* 27 (1981), p. 322).

No rate is said to be kept from which the queue would grow without bound: the capacity is one over the mean time a
query takes the model, times the workers.

Where queries that wait are answered together, how long one takes depends on how many wait, and no replay of single
times tells it. Then the trials speak alone (``bracket``).
"""

from __future__ import annotations

import math
from typing import Any, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from .arrivals import NS_PER_S
from .replay import HIGHEST, LOWEST, replay, services, sojourns

TRIALS = 10
"""Parts that the time of a search is cut into."""
LEAST_QUERIES = 20
"""A trial with fewer tells nothing."""
FIRST_LOAD = 0.5
"""Of the capacity that the warm-up promised: where the first trial goes."""
JUMP = 4.0
SIDES = (0.0, 0.03, -0.03)
"""Where further trials go, in turn, relative to the best estimate so far."""
REPLAYED = 50_000
"""Queries of a replay that only says where to try next."""
LAST_REPLAYED = 400_000
"""Queries of the replay that the answer is read from."""
OF_SEVERAL = 0.1
"""Of both so much where there are several workers, whose queue takes longer to compute."""
BEGINNING = 8
"""The first eighth of a trial is left out: it begins with an empty queue."""
NEAR = 0.2
"""Trials within so much of the last rate have a say: the model may be quicker or slower under another load."""
FAITH = 2.0
"""Queries over the limit, seen and replayed, that a search begins with."""
CONTRADICTED = 2.0
"""Standard errors by which trials must differ from their replays before they are believed instead."""


class Aim(NamedTuple):
    """A percentile, as a fraction, and the latency that it must not exceed."""

    q: float
    limit_ns: int


class Trial(NamedTuple):
    """What was seen at one rate, the trial's own beginning left out. For each aim, queries longer than its limit."""

    rate_per_s: float
    queries: int
    over: Tuple[int, ...]
    replayed: Tuple[int, ...]
    """The same of a replay of the same arrivals; empty where nothing can be replayed."""


class Found(NamedTuple):
    """The rate; its standard error, where there were enough trials to tell."""

    rate_per_s: float
    error_per_s: Optional[float]


Curve = Sequence[Tuple[float, float]]
"""(rate, share of queries over the limit), by rate; of a replay the last rate is the capacity."""


def estimate(trials: Sequence[Trial], curve: Curve, aim: Aim, which: int) -> Found:
    """The highest rate that keeps the aim: where the curve, moved by what the trials show, meets ``1 - q``.

    0 where not even the lowest rate keeps it. The error is of the move alone, from how the trials differ in it.
    """
    shift, error = _shift(trials, which) if all(one.replayed for one in trials) else (0.0, None)
    if error is None or abs(shift) <= CONTRADICTED * error:
        shift = 0.0
    rate = meets(curve, logit(1 - aim.q) - shift)
    slope = (_logit_at(curve, rate * 1.01) - _logit_at(curve, rate * 0.99)) / (0.02 * rate) if rate else 0.0
    return Found(rate, error / slope if error is not None and slope > 0 else None)


def _shift(trials: Sequence[Trial], which: int) -> Tuple[float, Optional[float]]:
    """By how much the logit of the share was higher than replayed, and its standard error.

    ``FAITH`` queries that were over in both stand for the belief that a replay is right: few trials move it little.
    The error is that of a ratio of sums (Cochran, *Sampling Techniques* (1977), section 2.11).
    """
    queries = sum(trial.queries for trial in trials)
    seen = sum(trial.over[which] for trial in trials)
    expected = sum(trial.replayed[which] for trial in trials)
    shift = logit((seen + FAITH) / (queries + 2 * FAITH)) - logit((expected + FAITH) / (queries + 2 * FAITH))
    if len(trials) < 3:
        return shift, None
    ratio = (seen + FAITH) / (expected + FAITH)
    residuals = sum((trial.over[which] - ratio * trial.replayed[which]) ** 2 for trial in trials)
    spread = math.sqrt(residuals * len(trials) / (len(trials) - 1)) / (seen + FAITH)
    return shift, spread


def logit(p: float) -> float:
    """Bounded: a share of 0 or 1 has one too."""
    p = min(max(p, 1e-7), 1 - 1e-7)
    return math.log(p / (1 - p))


def _logit_at(curve: Curve, rate: float) -> float:
    """The curve's logit, a straight line between its points."""
    return float(np.interp(rate, [one for one, _ in curve], [logit(p) for _, p in curve]))


def meets(curve: Curve, most: float) -> float:
    """The highest rate of the curve up to which its logits stay at or below ``most``; 0 where none does."""
    if logit(curve[0][1]) > most:
        return 0.0
    for (low, p), (high, above) in zip(curve, curve[1:]):  # noqa: B905, RUF007
        first, last = logit(p), logit(above)
        if last > most:
            return low + (high - low) * (most - first) / (last - first)
    return curve[-1][0]


class RateSearch:
    """Says at which rate to try next, for several aims in turn.

    ``service_ns`` is one query's time, roughly; ``kind`` and ``seed`` are those of the arrivals.
    """

    def __init__(self, aims: Sequence[Aim], service_ns: float, kind: str, seed: int, workers: int = 1) -> None:
        self.aims = list(aims)
        self.trials: List[Trial] = []
        self.curves: List[List[Tuple[float, float]]] = []
        self._kind, self._seed, self._workers = kind, seed, workers
        self._service = np.array([max(1.0, service_ns)])
        self._seen: List[_Seen] = []

    def next_rate(self) -> float:
        """Queries a second for the next trial; within ``JUMP`` of the last one, which may have been disturbed."""
        capacity = self._workers * NS_PER_S / float(self._service.mean())
        if not self.trials:
            return FIRST_LOAD * capacity
        last = self._seen[-1].rate_per_s
        turn = len(self.trials) - 1
        which = turn % len(self.aims)
        found = estimate(self.trials, self.curves[which], self.aims[which], which)
        side = SIDES[turn // len(self.aims) % len(SIDES)]
        rate = max(LOWEST * capacity, min(found.rate_per_s * (1 + side), HIGHEST * capacity))
        return max(last / JUMP, min(rate, last * JUMP))

    def observe(self, rate_per_s: float, due_ns: Any, latencies_ns: Any) -> None:
        """Take a trial in: when its queries arrived, from 0, and their latencies, in order; at least one."""
        self._seen.append(_Seen(rate_per_s, due_ns, latencies_ns, services(due_ns, latencies_ns, self._workers)))
        near = [one for one in self._seen if abs(one.rate_per_s - rate_per_s) <= NEAR * rate_per_s]
        self._service = np.concatenate([one.service_ns for one in near])
        self.trials = [self._trial(one, index) for index, one in enumerate(near)]
        self._replay(REPLAYED)

    def finish(self) -> None:
        """Replay once more, and longer, for the answer."""
        self._replay(LAST_REPLAYED)

    def _replay(self, queries: int) -> None:
        limits_ns = [aim.limit_ns for aim in self.aims]
        queries = queries if self._workers == 1 else int(queries * OF_SEVERAL)
        self.curves = replay(self._service, limits_ns, self._kind, self._seed, queries, self._workers)

    def _trial(self, seen: "_Seen", index: int) -> Trial:
        """A trial beside the replay of its arrivals, with times of queries that are others than its own."""
        first = len(seen.due_ns) // BEGINNING
        again = np.random.Generator(np.random.PCG64([self._seed, index]))
        service = np.resize(np.roll(self._service, int(again.integers(len(self._service)))), len(seen.due_ns))
        both = (seen.latencies_ns[first:], sojourns(seen.due_ns, service, self._workers)[first:])
        over, replayed = (
            tuple(int(np.count_nonzero(latencies > aim.limit_ns)) for aim in self.aims) for latencies in both
        )
        return Trial(seen.rate_per_s, len(both[0]), over, replayed)


class _Seen(NamedTuple):
    rate_per_s: float
    due_ns: Any
    latencies_ns: Any
    service_ns: Any
