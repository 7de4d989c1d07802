"""Servers that could not keep up: what those queries prove that were answered. Pure.

Where a queue grows from the beginning to the end, each latency says when it was measured, and an interval of all of
them says little. But a query that comes later waits longer, so a percentile of all that arrived, those that were never
answered counted as slower than every one that was, can only grow: what it is already, it is at least.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from bench import units
from bench.contract.model import Requirement
from bench.judge.serving import GROWING, overload, overloaded
from bench.judge.verdict import edges, keeps
from bench.metrics import LATENCY_MEAN, percentile_of
from bench.results import Outcome, ProcessRun, Verdict
from bench.stats.pool import rank

Timings = Callable[[ProcessRun], NDArray[np.uint64] | None]


def least_ns(metric: str, run: ProcessRun, latencies: NDArray[np.uint64] | None) -> float | None:
    """What the percentile, or the mean, of a process is at least whose queue grew; None of any other process."""
    if not overloaded(run) or run.serving is None or latencies is None or not len(latencies):
        return None
    q = percentile_of(metric)
    if q is None:
        return float(latencies.mean()) if metric == LATENCY_MEAN.name else None
    at = min(rank(q, len(latencies) + run.serving.unanswered), len(latencies))
    return float(np.partition(latencies, at - 1)[at - 1])


def missed_already(
    one: Verdict, requirement: Requirement, runs: Sequence[ProcessRun], timings: Timings, indifference: float = 0.0
) -> Verdict:
    """*Missed* instead of *undecided* where every process shows it of itself."""
    whole = [run for run in runs if run.is_whole]
    if one.outcome is not Outcome.UNDECIDED or not whole or not all(overloaded(run) for run in whole):
        return one
    least = [least_ns(requirement.metric, run, timings(run)) for run in whole]
    stricter = edges(requirement, indifference)[1]
    if any(own is None or keeps(stricter, own) for own in least):
        return one
    best = units.show(min(own for own in least if own is not None), requirement.unit)
    name = "mean" if percentile_of(requirement.metric) is None else requirement.metric.removeprefix("latency ")
    who = f"every process's own {name}" if len(whole) > 1 else f"the {name}"
    told = f"{who} of all queries that arrived is above the limit already, {best} at least"
    return replace(one, outcome=Outcome.MISSED, reason=f"{told}; {GROWING}")


def with_growth(one: Verdict, runs: Sequence[ProcessRun]) -> Verdict:
    """The verdict on a latency, with what is to be known beside it: that the queue grew to the end."""
    if one.outcome is Outcome.NOT_MEASURED or GROWING in one.reason or not overload(runs):
        return one
    return replace(one, reason=f"{one.reason} ({GROWING})")
