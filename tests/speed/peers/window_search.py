"""perf_analyzer's search for the highest rate under a p99, by its own rules, on a queue by arithmetic.

Its rules are those of its source (``inference_profiler.h`` and ``.cc`` of triton-inference-server/perf_analyzer) with
its defaults: windows of 5 s, ten at most a rate, three in a row that are alike within 10 %. ``--binary-search`` over
``--request-rate-range 100:1000:10`` takes a rate for kept if its windows got alike and their p99 is under the limit.
Such a search takes minutes, and what it finds differs from one to the next. So the device of 1 ms is replaced by the
arithmetic of its queue, which no other work on a machine disturbs, and the search is made many times.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.device.arrivals import NS_PER_S, POISSON, Arrivals
from bench.device.replay import sojourns
from tests.speed.peers.server_searches import LIMIT_NS, SERVICE_NS, Q

WINDOW_NS, ALIKE, WINDOWS, MOST_WINDOWS = 5 * NS_PER_S, 1.10, 3, 10
START_PER_S, END_PER_S, STEP_PER_S = 100.0, 1000.0, 10.0
SEARCHES = 21
Latencies = NDArray[Any]


def searches(count: int = SEARCHES) -> tuple[list[float], list[float]]:
    """What each search found (per second; 0: nothing), and the seconds that its windows take."""
    found = [searched(lambda rate, seed=seed: windows_at(rate, seed)) for seed in range(count)]  # type: ignore[misc]
    return [rate for rate, _ in found], [seconds for _, seconds in found]


def searched(at: Callable[[float], Iterable[Latencies]]) -> tuple[float, float]:
    """The rate and the seconds of one search: the first rate must be kept, the last must not, then the middle."""
    windows = 0

    def keeps(rate: float) -> bool:
        nonlocal windows
        kept, seen = settles(at(rate))
        windows += seen
        return kept

    low, high = START_PER_S, END_PER_S
    if not keeps(low):
        low = high = 0.0
    elif keeps(high):
        low = high
    while high - low > STEP_PER_S:
        middle = (low + high) / 2
        low, high = (middle, high) if keeps(middle) else (low, middle)
    return low, windows * WINDOW_NS / NS_PER_S


def settles(windows: Iterable[Latencies]) -> tuple[bool, int]:
    """Whether a rate is kept by its windows' latencies (ns), and how many of them were looked at.

    Alike: of the last three the largest throughput, and the largest p99, is at most 1.1 times the smallest. Where one
    of them is over the limit before, or ten were not enough, the rate is not kept.
    """
    seen: list[Latencies] = []
    for window in windows:
        seen.append(window)
        last = seen[-WINDOWS:]
        if len(last) == WINDOWS and all(len(one) for one in last):
            counts, p99s = [len(one) for one in last], [p99(one) for one in last]
            if max(counts) <= ALIKE * min(counts) and max(p99s) <= ALIKE * min(p99s):
                return p99(np.concatenate(last)) < LIMIT_NS, len(seen)
            if max(p99s) >= LIMIT_NS:
                break
    return False, len(seen)


def windows_at(rate: float, seed: int) -> Iterator[Latencies]:
    """The latencies (ns) of the queries that are answered in each window, one stream of arrivals for all of them."""
    due = Arrivals(POISSON, rate, seed).next(int(1.3 * rate * MOST_WINDOWS * WINDOW_NS / NS_PER_S))
    latencies = sojourns(due, np.full(len(due), SERVICE_NS))
    ends = np.searchsorted(due + latencies, np.arange(MOST_WINDOWS + 1) * WINDOW_NS)
    return (latencies[first:last] for first, last in pairwise(ends))


def p99(latencies: Latencies) -> float:
    """By nearest rank."""
    return float(np.percentile(latencies, 100 * Q, method="inverted_cdf"))
