"""What MLPerf's rules say of a case that was measured by its preset. Shown beside our verdicts, never behind one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bench import units
from bench.contract.presets import MLPERF, PERCENTILES, departures
from bench.judge.readings import Timings
from bench.judge.soak import cut_short
from bench.metrics import percentile_of
from bench.plan import Case
from bench.results import ProcessRun
from bench.stats.early_stopping import discarded, needed_within


def notes(case: Case, runs: Sequence[ProcessRun], timings: Timings) -> tuple[str, ...]:
    """MLPerf's own figure, and where the contract or the measurement was not as its rules have it."""
    scenario = case.scenario
    if scenario.preset != MLPERF:
        return ()
    other = departures(scenario)
    told = [f"`preset: mlperf`, but not by its rules: {other}"] if other else []
    arrays = [array for run in runs if run.is_whole and (array := timings(run)) is not None and len(array)]
    if scenario.scenario in PERCENTILES and arrays:
        latencies = np.sort(np.concatenate(arrays))
        q = PERCENTILES[scenario.scenario]
        never = sum(run.serving.unanswered for run in runs if run.is_whole and run.serving is not None)
        is_server = scenario.scenario == "server"
        told.append(_overruns(case, latencies, q, never) if is_server else _estimate(latencies, q))
    return tuple(one for one in told if one)


def why_not_met(case: Case, runs: Sequence[ProcessRun]) -> str:
    """Why nothing can be called met by the preset: too short, or too few samples; else nothing."""
    settings = case.scenario
    measured = [run for run in runs if run.blocks]
    counts = [sum(block.count for block in run.blocks) for run in measured]
    if settings.preset is None or not measured or min(counts) >= settings.max_queries:
        return ""
    samples = min(sum(block.samples for block in run.blocks) for run in measured)
    if samples < settings.must_samples:
        return f"MLPerf asks for {settings.must_samples:,} samples, and {samples:,} were measured"
    return cut_short(measured, settings.min_ns)


def _estimate(latencies: np.ndarray[tuple[int], np.dtype[np.uint64]], q: float) -> str:
    out = discarded(len(latencies), q)
    if out is None:
        return f"MLPerf's early stopping gives no estimate of p{100 * q:g} from {len(latencies):,} queries"
    value = units.show(float(latencies[len(latencies) - 1 - out]), "ns")
    return f"MLPerf's early-stopping estimate of p{100 * q:g} is {value}, of {len(latencies):,} queries"


def _overruns(case: Case, latencies: np.ndarray[tuple[int], np.dtype[np.uint64]], q: float, never: int) -> str:
    """Whether so many queries were enough for so many that were over the contract's own p99.

    Those that were never answered are.
    """
    limits = [one for one in case.requirements if one.block == "server" and percentile_of(one.metric) == q]
    if not limits:
        return ""
    over, count = int(np.count_nonzero(latencies > limits[0].limit)) + never, len(latencies) + never
    needed, limit = needed_within(over, q) + over, units.show(limits[0].limit, "ns")
    answer = "within" if count >= needed else "not within"
    seen = f"{over:,} of {count:,} queries took longer, for which it needs {needed:,}"
    return f"by MLPerf's early stopping p{100 * q:g} is {answer} {limit}: {seen}"
