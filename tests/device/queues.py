"""A queue with one server, by arithmetic: what the server scenario must measure."""

from __future__ import annotations

from typing import Any

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
