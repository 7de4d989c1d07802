"""The highest rate by trials alone: for a server that answers queries that wait together, which no replay tells.

The rate is doubled or halved until one trial keeps the percentile and one does not, the bracket between them is halved
(by the geometric mean) until it is narrow, and the rest of the trials goes to the estimate and a little to either side.
The share of queries over the limit can only grow with the rate, so the trials' shares are made to: neighbours that
contradict each other are pooled (Ayer et al., *Ann. Math. Statist.* 26 (1955), p. 641).
"""

from __future__ import annotations

import math
from typing import Any, List, Sequence, Tuple

import numpy as np

from .arrivals import NS_PER_S
from .rate_search import BEGINNING, FIRST_LOAD, SIDES, Aim, Trial, logit, meets

NARROW = 1.1
"""A bracket's upper rate over its lower one from which on trials go to the estimate."""
STRIDE = 2.0


def rising(trials: Sequence[Trial], which: int) -> List[Tuple[float, float]]:
    """(rate, share of queries over the limit), by rate, never falling; below the lowest rate tried as there."""
    pools: List[Tuple[List[float], int, int]] = []
    for rate in sorted({one.rate_per_s for one in trials}):
        same = [one for one in trials if one.rate_per_s == rate]
        pools.append(([rate], sum(one.over[which] for one in same), sum(one.queries for one in same)))
        while len(pools) > 1 and pools[-2][1] * pools[-1][2] >= pools[-1][1] * pools[-2][2]:
            rates, over, queries = pools.pop()
            before = pools.pop()
            pools.append((before[0] + rates, before[1] + over, before[2] + queries))
    shares = [(rate, over / max(1, queries)) for rates, over, queries in pools for rate in rates]
    return [(shares[0][0] / STRIDE, shares[0][1]), *shares]


class Bracket:
    """Says at which rate to try next, for several aims in turn; in the place of a ``RateSearch``."""

    def __init__(self, aims: Sequence[Aim], service_ns: float, workers: int = 1) -> None:
        self.aims = list(aims)
        self.trials: List[Trial] = []
        self.curves: List[List[Tuple[float, float]]] = []
        self._first_per_s = FIRST_LOAD * workers * NS_PER_S / max(1.0, service_ns)

    def next_rate(self) -> float:
        """Queries a second for the next trial."""
        if not self.trials:
            return self._first_per_s
        turn = len(self.trials) - 1
        which = turn % len(self.aims)
        aim = self.aims[which]
        kept = [one.rate_per_s for one in self.trials if one.over[which] <= (1 - aim.q) * one.queries]
        over = [one.rate_per_s for one in self.trials if one.over[which] > (1 - aim.q) * one.queries]
        if not over:
            return STRIDE * max(kept)
        if not kept:
            return min(over) / STRIDE
        low, high = max(kept), min(over)
        if low < high and high / low > NARROW:
            return math.sqrt(low * high)
        side = SIDES[turn // len(self.aims) % len(SIDES)]
        return meets(self.curves[which], logit(1 - aim.q)) * (1 + side) or min(low, high) / STRIDE

    def observe(self, rate_per_s: float, due_ns: Any, latencies_ns: Any) -> None:
        """Take a trial in, its beginning left out."""
        rest = latencies_ns[len(due_ns) // BEGINNING :]
        over = tuple(int(np.count_nonzero(rest > aim.limit_ns)) for aim in self.aims)
        self.trials.append(Trial(rate_per_s, len(rest), over, ()))
        self.finish()

    def finish(self) -> None:
        """The curves are those of the trials."""
        self.curves = [rising(self.trials, which) for which in range(len(self.aims))]
