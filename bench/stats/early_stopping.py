"""MLPerf's early stopping: how many queries its rule asks for. Shown beside our verdicts, never behind one.

The rule takes every query as independent of the others. LoadGen, ``early_stopping.cc``: with ``t`` queries over the
latency, at least ``h`` within it are needed so that ``P(Bin(h + t, 1 - p) <= t) <= 1 - c`` for percentile ``p`` and
confidence ``c``. MLPerf's inference rules, appendix on the early stopping criterion.
"""

from __future__ import annotations

import math

import numpy as np

CONFIDENCE = 0.99


def needed_within(overruns: int, percentile: float, confidence: float = CONFIDENCE) -> int:
    """The fewest queries within the latency that make up for so many ``overruns``."""
    high = 1
    while _log_odds(high, overruns, percentile) > math.log(1 - confidence):
        high *= 2
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        enough = _log_odds(middle, overruns, percentile) <= math.log(1 - confidence)
        low, high = (low, middle) if enough else (middle, high)
    return high


def fewest_single_stream(percentile: float, confidence: float = CONFIDENCE) -> int:
    """Queries with which single-stream gives an estimate at all: it asks for one that may be over."""
    return needed_within(1, percentile, confidence) + 1


def discarded(queries: int, percentile: float, confidence: float = CONFIDENCE) -> int | None:
    """How many of the highest latencies the single-stream estimate leaves out: the next one is the estimate.

    None where there are too few queries.
    """
    if queries < fewest_single_stream(percentile, confidence):
        return None
    low, high = 1, queries
    while high - low > 1:
        middle = (low + high) // 2
        enough = _log_odds(queries - middle, middle, percentile) <= math.log(1 - confidence)
        low, high = (middle, high) if enough else (low, middle)
    return low - 1


def _log_odds(within: int, overruns: int, percentile: float) -> float:
    """Log of the chance of at most so many overruns among all queries, if just ``1 - percentile`` are over."""
    n = within + overruns
    k = np.arange(overruns)
    steps = np.log((n - k) / (k + 1.0)) + math.log((1 - percentile) / percentile)  # of log pmf, from k to k + 1
    log_pmf = n * math.log(percentile) + np.concatenate(([0.0], np.cumsum(steps)))
    top = float(log_pmf.max())
    return top + math.log(float(np.exp(log_pmf - top).sum()))
