"""Latencies as one line of text: a histogram whose bins are equally wide on a logarithmic scale."""

from __future__ import annotations

from collections.abc import Sequence

BARS = " ▁▂▃▄▅▆▇█"
MAX_BINS = 48


def bins(latencies_ns: Sequence[int], count: int) -> tuple[int, ...]:
    """How many latencies fall in each of ``count`` logarithmic bins from the lowest to the highest."""
    import numpy as np

    logs = np.log(np.maximum(np.asarray(latencies_ns, dtype=np.float64), 1.0))
    low, high = float(logs.min()), float(logs.max())
    if high - low < 1e-9:
        return (len(logs),)
    counted, _ = np.histogram(logs, bins=count, range=(low, high))
    return tuple(int(one) for one in counted)


def line(latencies_ns: Sequence[int], width: int) -> str:
    """``1.1 ms ▁▃█▅▂▁   ▁ 9.8 ms``; a bin that holds any latency shows at least the lowest bar."""
    from bench.units import show

    counts = bins(latencies_ns, max(8, min(width, MAX_BINS)))
    tallest = max(counts)
    bars = "".join(BARS[-(-one * (len(BARS) - 1) // tallest)] for one in counts)
    return f"{show(int(min(latencies_ns)), 'ns')} {bars} {show(int(max(latencies_ns)), 'ns')} (log scale)"
