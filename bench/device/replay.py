"""A queue by arithmetic: measured times of queries, sent through it again at other rates.

One server by Lindley, *Proc. Cambridge Phil. Soc.* 48 (1952), p. 277; several, each query by the one that is free
first, by Kiefer & Wolfowitz, *Trans. Amer. Math. Soc.* 78 (1955), p. 1.
"""

from __future__ import annotations

from heapq import heapreplace
from typing import Any, List, Sequence, Tuple

import numpy as np

from .arrivals import NS_PER_S, Arrivals

LOWEST, HIGHEST = 0.01, 0.998
"""Of the capacity: where a curve begins and ends, but for the capacity itself."""
STEPS = 30
"""Rates of a replayed curve."""
UNIT_PER_S = 1000.0
"""The rate that arrivals of a replay are drawn at before they are stretched to another."""


def sojourns(due_ns: Any, service_ns: Any, workers: int = 1) -> Any:
    """From arrival to answer where ``workers`` serve in order of arrival (arrays of ns, in order)."""
    if workers == 1:
        ended = np.cumsum(service_ns)
        return np.maximum.accumulate(due_ns - (ended - service_ns)) + ended - due_ns
    free, found = [0] * workers, []
    for due, service in zip(due_ns.tolist(), service_ns.tolist()):  # noqa: B905 - Python 3.8 knows no strict
        end = (free[0] if free[0] > due else due) + service
        heapreplace(free, end)
        found.append(end - due)
    return np.array(found)


def services(due_ns: Any, latencies_ns: Any, workers: int = 1) -> Any:
    """How long each query took once it was begun: the recursion, turned round.

    Where several work, answers may come before their queries could have begun, by what the clock tells: then 0.
    """
    ended = due_ns + latencies_ns
    if workers == 1:
        return ended - np.maximum(due_ns, np.concatenate([ended[:1] * 0, ended[:-1]]))
    free, found = [0] * workers, []
    for due, end in zip(due_ns.tolist(), ended.tolist()):  # noqa: B905
        found.append(max(0, end - max(free[0], due)))
        heapreplace(free, end)
    return np.array(found)


def replay(
    service_ns: Any, limits_ns: Sequence[int], kind: str, seed: int, queries: int, workers: int = 1
) -> List[List[Tuple[float, float]]]:
    """For each limit (rate, share of queries that take longer), by rate; the last rate is the capacity.

    More queries are over at a higher rate, never fewer: the same arrivals, drawn together.
    """
    service = np.resize(service_ns, queries)
    arrivals = Arrivals(kind, UNIT_PER_S, seed).next(queries) * (UNIT_PER_S / NS_PER_S)
    capacity = workers * NS_PER_S / max(1.0, float(service_ns.mean()))
    curves: List[List[Tuple[float, float]]] = [[] for _ in limits_ns]
    for step in range(STEPS + 1):
        rate = (LOWEST + (HIGHEST - LOWEST) * step / STEPS) * capacity
        found = sojourns(arrivals * (NS_PER_S / rate), service, workers)
        for curve, limit in zip(curves, limits_ns):  # noqa: B905
            curve.append((rate, float(np.count_nonzero(found > limit)) / queries))
    return [[*curve, (capacity, 1.0)] for curve in curves]
