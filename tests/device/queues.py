"""A queue with one server, by arithmetic: what the server scenario must measure."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from decimal import Decimal, localcontext
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bench.device.arrivals import Arrivals

NS_PER_S = 1_000_000_000


def arrivals(rate_per_s: float, seed: int, window_ns: int, kind: str = "poisson") -> NDArray[np.int64]:
    """All arrivals of a window, drawn at once."""
    offsets = Arrivals(kind, rate_per_s, seed).next(int(2 * rate_per_s * window_ns / NS_PER_S) + 100)
    return np.asarray(offsets[offsets < window_ns])


def sojourns(due_ns: NDArray[Any], service_ns: NDArray[Any]) -> NDArray[np.int64]:
    """From arrival to answer, first come, first served: Lindley, *Proc. Cambridge Phil. Soc.* 48 (1952), p. 277."""
    found, free = [], 0
    for due, service in zip(due_ns.tolist(), service_ns.tolist(), strict=True):
        free = max(due, free) + service
        found.append(free - due)
    return np.array(found, np.int64)


def mean_wait_ns(rate_per_s: float, service_ns: float) -> float:
    """M/D/1 by Pollaczek and Khinchine: ρ·D / (2·(1 - ρ)); Kleinrock, *Queueing Systems* I, equation 5.62."""
    load = rate_per_s * service_ns / NS_PER_S
    return load * service_ns / (2 * (1 - load))


def waits_at_most(rate_per_s: float, service_ns: float, wait_ns: float) -> float:
    """M/D/1: the share of queries that wait no longer; Erlang (1909), as in Crommelin, *POEEJ* 25 (1932), p. 41.

    ``(1 - ρ)·Σ_k (-λ·(t - k·D))^k / k! · exp(λ·(t - k·D))`` over the k with k·D ≤ t. The terms alternate and are large
    where the sum is not, so they are added in decimals, as many as the largest term needs.
    """
    with localcontext() as context:
        service, waited = Decimal(service_ns), Decimal(max(0.0, wait_ns))
        per_ns = Decimal(rate_per_s) / NS_PER_S
        context.prec = 30 + int(per_ns * waited)
        total, factorial = Decimal(0), Decimal(1)
        for k in range(int(waited // service) + 1):
            factorial *= max(1, k)
            left = per_ns * (waited - k * service)
            total += (-left) ** k / factorial * left.exp() if k else left.exp()
        return float((1 - per_ns * service) * total)


@lru_cache(maxsize=1024)
def wait_ns(rate_per_s: float, service_ns: float, q: float) -> float:
    """M/D/1: the wait that a share ``q`` of all queries does not exceed, by halving."""
    low, high = 0.0, service_ns
    if waits_at_most(rate_per_s, service_ns, 0.0) >= q - 1e-9:
        return 0.0
    while waits_at_most(rate_per_s, service_ns, high) < q:
        high *= 2
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if waits_at_most(rate_per_s, service_ns, middle) < q else (low, middle)
    return high


def highest_rate_per_s(service_ns: float, q: float, latency_ns: float) -> float:
    """M/D/1: the rate at which a share ``q`` of all queries is answered within ``latency_ns``, by halving."""
    low, high = 0.0, NS_PER_S / service_ns
    for _ in range(40):
        middle = (low + high) / 2
        kept = waits_at_most(middle, service_ns, latency_ns - service_ns) >= q
        low, high = (middle, high) if kept else (low, middle)
    return low


def mean_wait_in_bursts_ns(rate_per_s: float, service_ns: float, size: int) -> float:
    """The same with arrivals in bursts of one size: a burst waits as one long query, a query for those before it.

    Chaudhry and Templeton, *A First Course in Bulk Queues* (1983), section 3.1, for constant sizes and services.
    """
    load = rate_per_s * service_ns / NS_PER_S
    return (load + size - 1) * service_ns / (2 * (1 - load))


class Answers(NamedTuple):
    """What became of each query, in order of arrival (None: dropped), and the sizes of the batches."""

    latencies_ns: list[int | None]
    batches: list[int]


def simulate(
    due_ns: NDArray[Any],
    service_ns: Callable[[int], int],
    workers: int = 1,
    max_batch: int = 1,
    max_wait_ns: int = 0,
    queue: int | None = None,
) -> Answers:
    """Event by event: arrivals, workers that get free, and batches that have waited long enough.

    Written from the words of docs/numbers.md alone; ``service_ns`` is of a batch's size.
    """
    events = [(int(due), 1, number) for number, due in enumerate(due_ns)]
    heapq.heapify(events)
    found: list[int | None] = [None] * len(events)
    waiting: list[tuple[int, int]] = []
    batches, idle = [], workers
    while events:
        now, kind, number = heapq.heappop(events)
        if kind == 0:
            idle += 1
        elif kind == 1 and (queue is None or len(waiting) < queue + idle * max_batch):
            waiting.append((number, now))
            heapq.heappush(events, (now + max_wait_ns, 2, 0))
        while idle and waiting and (len(waiting) >= max_batch or now >= waiting[0][1] + max_wait_ns):
            batch, waiting = waiting[:max_batch], waiting[max_batch:]
            ended, idle = now + service_ns(len(batch)), idle - 1
            heapq.heappush(events, (ended, 0, 0))
            batches.append(len(batch))
            for one, due in batch:
                found[one] = ended - due
    return Answers(found, batches)
