"""Whether a query is so short that its latencies are mostly the clock: timed in groups and said, never corrected."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from bench import units
from bench.contract.model import Requirement
from bench.device.grouping import FLOOR
from bench.device.records import LOOP_RECORDED
from bench.judge.timing import is_timed
from bench.metrics import percentile_of
from bench.results import ProcessRun

Timings = Callable[[ProcessRun], NDArray[np.uint64] | None]


def clock_ns(runs: Sequence[ProcessRun]) -> float:
    """What the clock itself adds to a query's timing: the process's in which it was most; 0 where none told."""
    told = [(run.facts.get(LOOP_RECORDED), run.calls_per_timing) for run in runs]
    return max((float(one) / calls for one, calls in told if isinstance(one, int | float)), default=0.0)


def note(runs: Sequence[ProcessRun], timings: Timings) -> str:
    """One sentence where queries were timed in groups, or the median one of a process is below the floor."""
    whole = [run for run in runs if run.is_whole]
    arrays = [array for run in whole if (array := timings(run)) is not None and len(array)]
    least, cost = min((float(np.median(array)) for array in arrays), default=0.0), clock_ns(whole)
    if not arrays:
        return ""
    query, clock, calls = units.show(least, "ns"), units.show(cost, "ns"), max(run.calls_per_timing for run in whole)
    is_below = least < FLOOR * cost
    if calls > 1:
        still = f", which is still below {FLOOR} times the {clock} that the clock adds to each" if is_below else ""
        return (
            f"queries were timed in groups of {calls}, because one takes only {query}{still}: a timing is the mean of "
            f"{calls}, and so are percentiles of timings (`calls per timing: 1` times each query by itself)"
        )
    if not is_below:
        return ""
    return (
        f"a query takes {query} in the median, and the clock itself {clock} of it: below {FLOOR} times the clock's own "
        "cost percentiles tell much of the clock and little of the model; more of it is timed by a larger `batch`, "
        "where the model takes one"
    )


def below(requirement: Requirement, runs: Sequence[ProcessRun]) -> str:
    """What to add to the reason of a verdict on means of groups, or whose limit is below the floor; else nothing."""
    if requirement.unit != "ns" or not is_timed(requirement.metric):
        return ""
    cost, calls = clock_ns(runs), max((run.calls_per_timing for run in runs), default=1)
    told = [f"of means of {calls} queries timed together"] if calls > 1 and percentile_of(requirement.metric) else []
    if requirement.limit < FLOOR * cost:
        clock = units.show(cost, "ns")
        told.append(f"the limit is below {FLOOR} times the clock's own {clock}: the clock is judged too")
    return f" ({'; '.join(told)})" if told else ""
