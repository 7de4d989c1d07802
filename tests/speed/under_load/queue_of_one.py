"""The server scenario on a device that takes exactly 1 ms, beside the queue by arithmetic (M/D/1)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.device.arrivals import NS_PER_S
from bench.results import CaseResult
from tests.device.queues import arrivals, mean_wait_ns, sojourns, wait_ns
from tests.speed.agreement import Told, above, near
from tests.speed.contracts import Finished
from tests.speed.lines import Line
from tests.speed.rounds import nearest_rank
from tests.speed.under_load import runs
from tests.speed.under_load.drawing import Point
from tests.speed.under_load.runs import SERVICE_NS

LOADS = (0.3, 0.5, 0.7, 0.8)
PROCESSES, SECONDS = 4, 4.0
STATISTICS: dict[str, float | None] = {"mean": None, "p50": 0.5, "p90": 0.9, "p99": 0.99}
SMALL_NS = SERVICE_NS // 20
"""Below so much waiting, a twentieth of the service, no ratio is looked at."""


@dataclass(frozen=True)
class Waiting:
    """One statistic of waiting under one load: measured, by arithmetic on the same arrivals, by M/D/1's formula."""

    load: float
    statistic: str
    measured: Told | None
    same: Told
    expected_ns: float


def measure(processes: int = PROCESSES, seconds: float = SECONDS) -> tuple[list[Waiting], list[Point]]:
    """A run with a target a load: what is waited in each, and the latencies for the plot."""
    words = f"latency mean: 9 s, latency p99: 9 s, time: {seconds * 1000:.0f} ms, processes: {processes}"
    targets = {
        name_of(load): runs.target(runs.SPINNING, f"server: {{rate: {rate_of(load):g}/s, {words}}}") for load in LOADS
    }
    with runs.ran(targets) as run:
        cases = {load: runs.case_of(run, name_of(load), "server") for load in LOADS}
        waited = [one for load, case in cases.items() for one in _waiting(run, load, case, int(seconds * NS_PER_S))]
        return waited, [Point(rate_of(load), _percentiles(case)) for load, case in cases.items()]


def lines(waited: list[Waiting]) -> list[Line]:
    """A line a load and statistic."""
    found = []
    for one in waited:
        what = f"ρ = {one.load:g}: {one.statistic} of the waiting"
        if one.expected_ns < SMALL_NS:
            found.append(above(what, one.measured, one.same.value, SMALL_NS))
        else:
            found.append(near(what, one.measured, one.same, one.expected_ns))
    return found


def rate_of(load: float) -> float:
    """Queries a second."""
    return load * NS_PER_S / SERVICE_NS


def name_of(load: float) -> str:
    """The target's name."""
    return f"rho-{load * 100:.0f}"


def expected_ns(load: float, q: float | None) -> float:
    """M/D/1: the mean of the waiting, or its percentile."""
    if q is None:
        return mean_wait_ns(rate_of(load), SERVICE_NS)
    return wait_ns(rate_of(load), SERVICE_NS, q)


def _waiting(run: Finished, load: float, case: CaseResult, window_ns: int) -> list[Waiting]:
    same = []
    for process in case.process_runs:
        assert process.serving is not None
        due = arrivals(rate_of(load), process.serving.seed, window_ns)[: process.timings_count]
        same.append(sojourns(due, np.full(len(due), SERVICE_NS)) - SERVICE_NS)
    measured = [np.array(runs.latencies_ns(run, one)) - SERVICE_NS for one in case.process_runs]
    found = []
    for name, q in STATISTICS.items():
        told, theirs = runs.figure(case, f"latency {name}"), _told(same, q)
        ours = (
            None
            if told is None
            else replace(_told(measured, q), low=told.low - SERVICE_NS, high=told.high - SERVICE_NS)
        )
        found.append(Waiting(load, name, ours, theirs, expected_ns(load, q)))
    return found


def _told(waits: list[NDArray[Any]], q: float | None) -> Told:
    """The value of all processes together, and each one's own; no interval."""
    statistic: Callable[[NDArray[Any]], float] = (
        (lambda one: float(one.mean())) if q is None else (lambda one: nearest_rank(one.tolist(), q))
    )
    value = statistic(np.concatenate(waits))
    return Told(value, value, value, tuple(statistic(one) for one in waits))


def _percentiles(case: CaseResult) -> dict[str, tuple[float, float, float]]:
    told = {name: runs.figure(case, f"latency {name}") for name, q in STATISTICS.items() if q is not None}
    return {name: (one.value, one.low, one.high) for name, one in told.items() if one is not None}
