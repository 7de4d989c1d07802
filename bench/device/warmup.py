"""When a warm-up is over: a stated rule over the medians of its blocks."""

from __future__ import annotations

from typing import Sequence

WINDOW = 5
TOLERANCE = 0.05
RULE = "the medians of the last %d blocks lie within %d %% of their middle one" % (WINDOW, TOLERANCE * 100)


def is_steady(block_medians_ns: Sequence[float]) -> bool:
    """Whether the last ``WINDOW`` block medians (ns) all lie within ``TOLERANCE`` of their median.

    A clock tick of distance is always allowed: the medians of a call of 60 ns cannot agree to 5 %
    on a clock that counts in tens.
    """
    if len(block_medians_ns) < WINDOW:
        return False
    last = sorted(block_medians_ns[-WINDOW:])
    middle = last[WINDOW // 2]
    slack = max(middle * TOLERANCE, 20.0)
    return last[-1] - middle <= slack and middle - last[0] <= slack
