"""What a device says of queries by its own clock, between the timed blocks: beside the host's latencies, never instead.

No timed query is touched: each look runs a few more of the same queries, outside every block.
"""

from __future__ import annotations

from math import ceil
from time import perf_counter_ns
from typing import Any, Dict, List, Mapping, Sequence

from .adapter import Session

A_LOOK, A_LOOK_NS = 8, 5_000_000
"""Most queries between two blocks, and about the longest that they may take: a fifth of a block."""
PERCENTILES = {"p50_ns": 0.5, "p90_ns": 0.9, "p99_ns": 0.99}


class OwnClock:
    """Asks a session that has ``device_times``; of others it asks nothing."""

    def __init__(self, session: Session) -> None:
        self._ask = getattr(session, "device_times", None)
        self._found: Dict[str, List[int]] = {}
        self._next = 0

    def look(self, pool: Sequence[Any]) -> None:
        """A few queries of the pool, in turn."""
        if self._ask is None:
            return
        until = perf_counter_ns() + A_LOOK_NS
        for _ in range(A_LOOK):
            told: Mapping[str, int] = self._ask(pool[self._next % len(pool)])
            self._next += 1
            for name, ns in told.items():
                self._found.setdefault(name, []).append(max(0, int(ns)))
            if perf_counter_ns() >= until:
                return

    def told(self) -> Dict[str, Dict[str, int]]:
        """By the name of each time, ns: how many there are, mean, least, most, and percentiles by the nearest rank."""
        return {name: _summary(sorted(times)) for name, times in self._found.items()}


def _summary(times: List[int]) -> Dict[str, int]:
    count = len(times)
    ranked = {name: times[max(0, ceil(q * count) - 1)] for name, q in PERCENTILES.items()}
    return dict(ranked, count=count, mean_ns=sum(times) // count, least_ns=times[0], most_ns=times[-1])
