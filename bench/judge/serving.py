"""Whether a server scenario's system kept up with its arrivals: what is said where it did not."""

from __future__ import annotations

from collections.abc import Sequence

from bench import units
from bench.results import ProcessRun

NS_PER_S = 1_000_000_000
FULL = 1.0
"""The load from which on a queue grows without bound: Kleinrock, *Queueing Systems* I (1975), section 2.1."""
GROWING = "the queue was still growing: longer measured, latencies would be longer"


def load(run: ProcessRun) -> float | None:
    """Mean time that a query takes the model, over the time that the rate leaves for it; None in other scenarios.

    Of the second half of the queries: a system that slows down is judged as it is at the end.
    """
    served = _second_half(run)
    return None if served is None or run.serving is None else served * run.serving.rate_per_s / NS_PER_S


def overload(runs: Sequence[ProcessRun]) -> str:
    """One sentence where a process could not keep the rate, of the one that was worst; else nothing."""
    loads = [(found, run) for run in runs if run.failure is None and (found := load(run)) is not None]
    worst, run = max(loads, key=lambda pair: pair[0], default=(0.0, None))
    taken = None if run is None else _second_half(run)
    if worst < FULL or run is None or run.serving is None or taken is None:
        return ""
    rate, longest = units.show(run.serving.rate_per_s, "per_s"), max(block.queue_max or 0 for block in run.blocks)
    left = f", and {run.serving.unanswered:,} were never answered" if run.serving.unanswered else ""
    return (
        f"the system cannot keep {rate}: a query takes it {units.show(taken, 'ns')} on average, {worst:.3g} times what "
        f"the rate leaves, so the queue grew ({longest:,} at most{left})"
    )


def why_not_met(runs: Sequence[ProcessRun]) -> str:
    """Why no latency of a server case can be called met, however short it is; else nothing."""
    if overload(runs):
        return GROWING
    unanswered = sum(run.serving.unanswered for run in runs if run.serving is not None)
    return f"{unanswered:,} queries were not answered when the measurement ended" if unanswered else ""


def _second_half(run: ProcessRun) -> float | None:
    """Mean time (ns) a query takes the model, of those blocks that begin after half of the queries."""
    total, before, busy_ns, count = sum(block.count for block in run.blocks), 0, 0, 0
    for block in run.blocks:
        if block.busy_ns is not None and (2 * before >= total or before + block.count == total):
            busy_ns, count = busy_ns + block.busy_ns, count + block.count
        before += block.count
    return busy_ns / count if count else None
