"""What a device says of queries by its own clock, after the timed ones: beside the host's latencies, never instead.

No timed query is touched, and nothing that is counted beside them: a few more of the same queries are run.
"""

from __future__ import annotations

from math import ceil
from time import perf_counter_ns
from typing import Any, Dict, List, Mapping, Sequence

from .adapter import Session

FEWEST, MOST, ABOUT_NS = 8, 200, 100_000_000
"""Queries that are asked of: as many as take about so long, within these bounds."""
PERCENTILES = {"p50_ns": 0.5, "p90_ns": 0.9, "p99_ns": 0.99}


def told(session: Session, pool: Sequence[Any]) -> Dict[str, Dict[str, int]]:
    """By the name of each time, ns: how many, mean, least, most, percentiles by the nearest rank.

    Of a session that has no ``device_times`` nothing is asked.
    """
    ask = getattr(session, "device_times", None)
    found: Dict[str, List[int]] = {}
    if ask is None:
        return {}
    until = perf_counter_ns() + ABOUT_NS
    for index in range(MOST):
        times: Mapping[str, int] = ask(pool[index % len(pool)])
        for name, ns in times.items():
            found.setdefault(name, []).append(max(0, int(ns)))
        if index + 1 >= FEWEST and perf_counter_ns() >= until:
            break
    return {name: _summary(sorted(times)) for name, times in found.items()}


def _summary(times: List[int]) -> Dict[str, int]:
    count = len(times)
    ranked = {name: times[max(0, ceil(q * count) - 1)] for name, q in PERCENTILES.items()}
    return dict(ranked, count=count, mean_ns=sum(times) // count, least_ns=times[0], most_ns=times[-1])
