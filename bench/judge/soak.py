"""What only shows in hours: memory that grows, queries that get slower, a processor that does. Pure.

The first tenth of each process is left out as its warm-up: caches fill, arenas grow to what the load needs.

- **Memory growth**: the rest is cut into ``STRETCHES`` of equal time, each with the median of what was held in it;
  the growth is Theil and Sen's slope over them (``stats.trend``), so that one step or outlier does not make it. An
  allocator takes memory in pieces of ``GRAIN_BYTES``, and what grows by less than one cannot be seen: the interval is
  a piece wider over the time that was looked at, on both sides.
- **Latency drift**: the median of the last tenth over that of the second, less 1. Its interval is Student's over the
  logarithms of the medians of stretches of each (batch means: ``stats.dependence``), of both together.
- **Frequency drop**: the same of the frequency that each block told.

Each figure is the worst process's.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from bench import units
from bench.judge.undecided import WHOLE
from bench.metrics import SOAK
from bench.results import Figure, Outcome, ProcessRun, Verdict
from bench.stats.dependence import Uncertainty, edges, series, within
from bench.stats.trend import trend

NS_PER_H = 3_600_000_000_000
LEFT_OUT = 0.1
"""Of the time, at the beginning; and how much of it the two ends are that are compared."""
STRETCHES = 50
LEAST_STRETCHES = 20
GRAIN_BYTES = 132 << 10
"""What glibc's malloc takes from the system at once: a page, and M_TOP_PAD of 128 KiB (mallopt(3))."""
LEAST_TIMINGS = 16
"""In each of the two ends."""
ENOUGH = 0.95
"""Of the time that was asked for: less is cut short."""
GROWTH, DRIFT, DROP = (metric.name for metric in SOAK)
NO_MEMORY = "this system does not tell how much memory a process holds now"
NO_FREQUENCY = "this machine does not tell its processor's frequency"

Timings = Callable[[ProcessRun], NDArray[np.uint64] | None]


@dataclass(frozen=True)
class Found:
    """A value and its interval."""

    value: float
    low: float
    high: float


def soak_figures(runs: Sequence[ProcessRun], timings: Timings, invalid: str = "") -> list[Figure]:
    """Growth, drift and frequency of the processes that measured anything, also of those that failed later."""
    runs = [run for run in runs if run.blocks]
    units_of = {metric.name: metric.unit for metric in SOAK}
    found = {
        GROWTH: [growth(run) for run in runs],
        DRIFT: [drift(run, timings(run)) for run in runs],
        DROP: [frequency_drop(run) for run in runs],
    }
    nothing = invalid or "no process run measured anything"
    return [_worst(name, units_of[name], [] if invalid else told, nothing) for name, told in found.items()]


def held(run: ProcessRun) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """When memory was looked at (hours since the measurement began) and what was held (bytes)."""
    looks = [(one.start_ns + one.wall_ns, one.seen.rss_bytes) for one in run.blocks if one.seen.rss_bytes is not None]
    return np.array([at for at, _ in looks]) / NS_PER_H, np.array([held for _, held in looks], dtype=float)


def growth(run: ProcessRun) -> Found | str:
    """Bytes an hour; or why it is not known."""
    at, bytes_held = held(run)
    if not len(at):
        return NO_MEMORY
    whole = at[-1]
    at, bytes_held = at[at > LEFT_OUT * whole], bytes_held[at > LEFT_OUT * whole]
    which = np.minimum((at - LEFT_OUT * whole) / ((1 - LEFT_OUT) * whole) * STRETCHES, STRETCHES - 1).astype(int)
    groups = [which == one for one in np.unique(which)]
    if len(groups) < LEAST_STRETCHES:
        return f"growth needs at least {LEAST_STRETCHES} looks at memory: measure longer (`time`)"
    x = np.array([at[group].mean() for group in groups])
    slope = trend(x, np.array([np.median(bytes_held[group]) for group in groups]))
    grain = GRAIN_BYTES / (x[-1] - x[0])
    return Found(slope.slope, slope.low - grain, slope.high + grain)


def drift(run: ProcessRun, latencies: NDArray[np.uint64] | None) -> Found | str:
    """How much longer the median query takes at the end, as a share; or why it is not known."""
    ends = np.concatenate([[0], np.cumsum([one.count for one in run.blocks])])
    (a, b), (c, d) = _ends(run)
    if latencies is None or min(ends[b] - ends[a], ends[d] - ends[c]) < LEAST_TIMINGS:
        return f"a drift needs at least {LEAST_TIMINGS} timings in each tenth of the time: measure longer (`time`)"
    return _change(latencies[ends[a] : ends[b]].astype(float), latencies[ends[c] : ends[d]].astype(float))


def frequency_drop(run: ProcessRun) -> Found | str:
    """How much lower the frequency is at the end, as a share; or why it is not known."""
    (a, b), (c, d) = _ends(run)
    first, last = (
        np.array([one.seen.frequency_khz for one in run.blocks[i:j] if one.seen.frequency_khz], dtype=float)
        for i, j in ((a, b), (c, d))
    )
    if not any(one.seen.frequency_khz for one in run.blocks):
        return NO_FREQUENCY
    if min(len(first), len(last)) < LEAST_TIMINGS:
        return f"a frequency drop needs at least {LEAST_TIMINGS} blocks in each tenth: measure longer (`time`)"
    found = _change(first, last)
    return Found(-found.value, -found.high, -found.low)


def _ends(run: ProcessRun) -> tuple[tuple[int, int], tuple[int, int]]:
    """Which blocks the second tenth of the time is, and which the last: from, up to."""
    done_ns = np.cumsum([one.wall_ns for one in run.blocks])
    cuts = np.array([LEFT_OUT, 2 * LEFT_OUT, 1 - LEFT_OUT]) * done_ns[-1]
    a, b, c = (int(at) for at in np.searchsorted(done_ns, cuts))
    return (a, b), (c, len(done_ns))


def _change(first: NDArray[np.float64], last: NDArray[np.float64]) -> Found:
    """The median of the last over that of the first, less 1, with its interval."""
    middle = math.log(max(1.0, float(np.median(last))) / max(1.0, float(np.median(first))))
    medians = [_log_medians(one) for one in (first, last)]
    told = [within([series(one, np.ones(len(one)))]) for one in medians]
    variance = sum(one.variance for one in told if one is not None)
    half = Uncertainty(variance, min(one.df for one in told if one is not None)).half_width()
    centre = float(medians[1].mean() - medians[0].mean())
    low, high = min(centre - half, middle), max(centre + half, middle)
    return Found(math.expm1(middle), math.expm1(low), math.expm1(high))


def _log_medians(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.array([math.log(max(1.0, float(np.median(values[i:j])))) for i, j in pairwise(edges(len(values)))])


def _worst(name: str, unit: str, told: Sequence[Found | str], nothing: str) -> Figure:
    found = [one for one in told if isinstance(one, Found)]
    if not found:
        return Figure(name, unit, None, why_not=next((one for one in told if isinstance(one, str)), nothing))
    own = tuple(one.value if isinstance(one, Found) else None for one in told)
    value, low, high = max(o.value for o in found), max(o.low for o in found), max(o.high for o in found)
    return Figure(name, unit, value, low, high, own, len(found))


def cut_short(runs: Sequence[ProcessRun], asked_ns: int) -> str:
    """Why nothing of a soak can be called met: it did not last as long as was asked for; else nothing."""
    lasted = [sum(one.wall_ns for one in run.blocks) for run in runs if run.blocks]
    least = min(lasted, default=asked_ns)
    if least >= ENOUGH * asked_ns:
        return ""
    return f"only {units.show(least, 'ns')} of {units.show(asked_ns, 'ns')} were measured"


def with_length(one: Verdict, runs: Sequence[ProcessRun], asked_ns: int) -> Verdict:
    """The verdict of a soak that was cut short, by Ctrl-C or a time budget, with how long it was."""
    why = cut_short(runs, asked_ns)
    if not why or why in one.reason:
        return one
    remedy = f": {WHOLE}" if one.outcome is Outcome.UNDECIDED else ""  # what was not measured says itself what helps
    return replace(one, reason=f"{one.reason} ({why}{remedy})")
