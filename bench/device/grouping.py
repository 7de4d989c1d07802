"""How many calls one timing holds: one, unless a call is so short that its timing would be mostly the clock.

Then groups of calls are timed, each between two readings of the clock, and a timing is the mean of its calls. A
session with state is never timed so: what moves it on lies between two calls, and would be in the timing.
"""

from __future__ import annotations

import numpy as np

from .scenarios import Issuer

FLOOR = 20
"""Times the clock's own cost in a latency; below it more than 5 % of what is recorded is the clock."""
MOST_CALLS = 1024
TRIED = 63
"""Timings of each size that is tried."""


def choose_calls(issuer: Issuer, recorded_ns: float, most: int) -> int:
    """The smallest power of two whose calls take ``FLOOR`` times ``recorded_ns`` together, by the median.

    ``recorded_ns`` is what the clock itself adds to a timing. At most ``most`` and ``MOST_CALLS``; 1 for a session
    with state. The issuer times that many from now on.
    """
    issuer.calls, most = 1, min(most, MOST_CALLS) if issuer.advance is None else 1
    while 2 * issuer.calls <= most and _median_ns(issuer) < FLOOR * recorded_ns:
        issuer.calls *= 2
    return issuer.calls


def _median_ns(issuer: Issuer) -> float:
    """How long the calls of one timing take together."""
    return float(np.median(issuer.block(TRIED * issuer.calls).latencies_ns)) * issuer.calls
