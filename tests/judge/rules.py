"""Two rules that take calls as independent, each from a sorted pool of timings: what the votes stand beside."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from bench.stats import distributions, early_stopping

Sorted = NDArray[np.uint64]
ONE_PERCENT_EACH_WAY = 0.98
_ranks = lru_cache(maxsize=64)(distributions.binomial_ranks)
_discarded = lru_cache(maxsize=64)(early_stopping.discarded)


def by_calls(pool: Sorted, q: float) -> tuple[int, int]:
    """The 98 % interval of the percentile, every call counted: met below it, missed above."""
    low, high = _ranks(len(pool), q, ONE_PERCENT_EACH_WAY)
    return int(pool[max(low, 1) - 1]), int(pool[min(high, len(pool)) - 1])


def by_early_stopping(pool: Sorted, q: float) -> int:
    """MLPerf's estimate, which claims to lie below the percentile 1 % of the time: a limit from it on is met."""
    return int(pool[len(pool) - 1 - (_discarded(len(pool), q) or 0)])
