"""Latencies as one line of text: a histogram whose bins are equally wide on a logarithmic scale."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

BARS = " ▁▂▃▄▅▆▇█"
MAX_BINS = 48
CHUNK = 1 << 18
"""So many latencies are looked at together: ten millions from a mapped file never stand in memory at once."""


def bins(latencies_ns: Sequence[int], count: int) -> tuple[int, ...]:
    """How many latencies fall in each of ``count`` logarithmic bins from the lowest to the highest."""
    return _counted(latencies_ns, count, *_bounds(latencies_ns))


def line(latencies_ns: Sequence[int], width: int) -> str:
    """``1.1 ms ▁▃█▅▂▁   ▁ 9.8 ms``; a bin that holds any latency shows at least the lowest bar."""
    from bench.units import show

    low, high = _bounds(latencies_ns)
    counts = _counted(latencies_ns, max(8, min(width, MAX_BINS)), low, high)
    tallest = max(counts)
    bars = "".join(BARS[-(-one * (len(BARS) - 1) // tallest)] for one in counts)
    return f"{show(low, 'ns')} {bars} {show(high, 'ns')} (log scale)"


def _bounds(latencies_ns: Sequence[int]) -> tuple[int, int]:
    lows, highs = zip(*((int(chunk.min()), int(chunk.max())) for chunk in _chunks(latencies_ns)), strict=True)
    return min(lows), max(highs)


def _counted(latencies_ns: Sequence[int], count: int, low: int, high: int) -> tuple[int, ...]:
    import numpy as np

    first, last = math.log(max(low, 1)), math.log(max(high, 1))
    if last - first < 1e-9:
        return (len(latencies_ns),)
    total = np.zeros(count, np.int64)
    for chunk in _chunks(latencies_ns):
        places = (np.log(np.maximum(chunk, 1)) - first) * (count / (last - first))
        total += np.bincount(np.clip(places.astype(np.int64), 0, count - 1), minlength=count)
    return tuple(int(one) for one in total)


def _chunks(latencies_ns: Sequence[int]) -> Iterator[Any]:
    """The latencies as short arrays, in order; without queries that were never answered."""
    import numpy as np

    from bench.device.records import NEVER_NS

    for first in range(0, len(latencies_ns), CHUNK):
        chunk = np.asarray(latencies_ns[first : first + CHUNK])
        answered = chunk[chunk < NEVER_NS]
        if len(answered):
            yield answered
