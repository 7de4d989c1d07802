"""Latency and throughput of a case's finished process runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from bench.device.records import NEVER_NS
from bench.metrics import LATENCY_MEAN, THROUGHPUT, percentile_of
from bench.results import Block, Figure, ProcessRun
from bench.stats.dependence import Series, edges, series
from bench.stats.pool import Estimate, Pool, mean_of, needed

PERCENTILES = ("latency p50", "latency p90", "latency p95", "latency p99", "latency p99.9")
"""Told of every timed case, as far as its count supports them."""
OVERLAPPED = "queries overlap here, one timing is a group of them: the latency of one is not known"


def timing_figures(
    finished: Sequence[ProcessRun],
    timings: Callable[[ProcessRun], NDArray[np.uint64] | None],
    wanted: Sequence[str],
    *,
    may_overlap: bool = False,
    invalid: str = "",
) -> list[Figure]:
    """Throughput, the mean and the percentiles, those in ``wanted`` even where they are not measured.

    ``may_overlap`` holds for a scenario that lets a session work on several queries at once (offline).
    ``invalid`` says why no timing can be believed: then, or where no process finished, none is measured.
    """
    wanted = [one for one in wanted if is_timed(one)]
    why = invalid or ("" if finished else "no process run finished")
    if why:
        return [_not_measured(name, why) for name in wanted]
    if may_overlap and any(overlapped(run) for run in finished):
        latencies = [_not_measured(name, OVERLAPPED) for name in wanted if name != THROUGHPUT.name]
    else:
        latencies = _latencies([timings(run) for run in finished], wanted)
    return [*latencies, throughput(finished)]


def overlapped(run: ProcessRun) -> bool:
    """Whether one timing of this process is a group of queries that were worked on together.

    A group that was timed together because a single query is near the clock's own cost was still answered one by one.
    """
    each = run.batch * run.calls_per_timing
    return run.serving is None and any(block.samples != block.count * each for block in run.blocks)


def is_timed(metric: str) -> bool:
    """Whether the metric is made of the timed loop: latency or throughput."""
    return metric in (LATENCY_MEAN.name, THROUGHPUT.name) or percentile_of(metric) is not None


def throughput(finished: Sequence[ProcessRun]) -> Figure:
    """Samples over the wall time of the timed blocks, pooled over the processes."""
    found = [one for one in (rates(run.blocks) for run in finished) if one is not None]
    count = sum(block.count for run in finished for block in run.blocks)
    estimate = mean_of(found, count) if found else None
    if estimate is None or estimate.low is None:
        blocks = sum(len(run.blocks) for run in finished)
        why = f"a throughput with an interval needs at least 4 blocks, or 2 processes; there are {blocks} blocks"
        return _not_measured(THROUGHPUT.name, f"{why}: measure longer (`time`)", count)
    return _figure(THROUGHPUT.name, "per_s", estimate)


def _latencies(arrays: Sequence[NDArray[np.uint64] | None], wanted: Sequence[str]) -> list[Figure]:
    """The mean and the percentiles; those in ``wanted`` also where they are not measured."""
    pool = Pool([one for one in arrays if one is not None])
    figures = []
    quantiles = {name: q for name in (*PERCENTILES, *wanted) if (q := percentile_of(name)) is not None}
    for name, q in sorted(quantiles.items(), key=lambda pair: pair[1]):
        estimate = pool.percentile(q)
        if estimate is not None:
            figures.append(_figure(name, "ns", estimate))
        elif name in wanted:
            why = f"{name[8:]} needs at least {needed(q):,} timings, there are {pool.count:,}: measure longer (`time`)"
            figures.append(_not_measured(name, why, pool.count))
    mean = pool.mean()
    if pool.count and pool.at(pool.count) >= NEVER_NS:
        lost = "queries were dropped: what is never answered has no latency to average"
        figures.append(_not_measured(LATENCY_MEAN.name, lost, pool.count))
    elif mean is not None and mean.low is not None:
        figures.append(_figure(LATENCY_MEAN.name, "ns", mean))
    elif LATENCY_MEAN.name in wanted:
        why = f"a mean with an interval needs at least 4 timings, or 2 processes; there are {pool.count:,} timings"
        figures.append(_not_measured(LATENCY_MEAN.name, why, pool.count))
    return figures


def rates(blocks: Sequence[Block]) -> Series | None:
    """Samples a second of stretches of consecutive blocks, weighted by their wall time."""
    samples = np.array([block.samples for block in blocks], dtype=float)
    seconds = np.array([block.wall_ns for block in blocks], dtype=float) / 1e9
    if not seconds.sum() > 0:
        return None
    cuts = edges(len(blocks))[:-1]
    totals, weights = np.add.reduceat(samples, cuts), np.add.reduceat(seconds, cuts)
    if not weights.all():
        totals, weights = totals.sum(keepdims=True), weights.sum(keepdims=True)
    return series(totals, weights)


def _figure(name: str, unit: str, estimate: Estimate) -> Figure:
    return Figure(name, unit, estimate.value, estimate.low, estimate.high, estimate.processes, estimate.count)


def _not_measured(name: str, why: str, count: int = 0) -> Figure:
    unit = THROUGHPUT.unit if name == THROUGHPUT.name else LATENCY_MEAN.unit
    return Figure(name, unit, None, count=count, why_not=why)
