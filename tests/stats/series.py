"""Series of timings whose truth is known: independent, autocorrelated, bursty, with unlike processes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Rng = np.random.Generator
MEDIAN_NS, NOISE = 1e6, 0.1


def independent(rng: Rng, count: int) -> NDArray[np.float64]:
    return rng.normal(size=count)


def autoregressive(rng: Rng, count: int, phi: float = 0.95) -> NDArray[np.float64]:
    """Standard normal values, each correlated with the one before by ``phi``."""
    values: NDArray[np.float64] = rng.normal(size=count) * np.sqrt(1 - phi**2)
    values[0] /= np.sqrt(1 - phi**2)
    for index in range(1, count):
        values[index] += phi * values[index - 1]
    return values


def bursty(rng: Rng, count: int, length: int = 40, share: float = 0.05, height: float = 8) -> NDArray[np.float64]:
    """Ordinary values, and bursts of ones higher by ``height`` that last ``length`` on the average."""
    values = rng.normal(size=count)
    at = int(rng.exponential(length / share))
    while at < count:
        end = at + 1 + int(rng.exponential(length))
        values[at:end] += height
        at = end + int(rng.exponential(length / share))
    return values


def timings(values: NDArray[np.float64], process_effect: float = 0.0) -> NDArray[np.uint64]:
    """Lognormal timings (ns) of a process that is slower by ``process_effect`` (0.02: by 2 %)."""
    latencies: NDArray[np.uint64] = np.exp(np.log(MEDIAN_NS) + NOISE * values + process_effect).astype(np.uint64)
    return latencies
