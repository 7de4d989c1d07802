"""Latency and throughput of a case's finished process runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

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
    invalid: str = "",
) -> list[Figure]:
    """Throughput, the mean and the percentiles, those in ``wanted`` even where they are not measured.

    ``invalid`` says why no timing can be believed; then nothing is measured.
    """
    names = list(dict.fromkeys([*PERCENTILES, *(one for one in wanted if percentile_of(one) is not None)]))
    names.sort(key=lambda name: percentile_of(name) or 0.0)
    why = invalid or ("" if finished else "no process run finished")
    if why:
        figures = [_not_measured(name, "ns", why) for name in (*names, LATENCY_MEAN.name)]
        return [*figures, _not_measured(THROUGHPUT.name, "per_s", why)]
    if any(block.samples != block.count * run.batch for run in finished for block in run.blocks):
        latencies = [_not_measured(name, "ns", OVERLAPPED) for name in (*names, LATENCY_MEAN.name) if name in wanted]
    else:
        latencies = _latencies([timings(run) for run in finished], names, wanted)
    return [*latencies, throughput(finished)]


def throughput(finished: Sequence[ProcessRun]) -> Figure:
    """Samples over the wall time of the timed blocks, pooled over the processes."""
    found = [one for one in (rates(run.blocks) for run in finished) if one is not None]
    if not found:
        return _not_measured(THROUGHPUT.name, "per_s", "no timed block was finished")
    count = sum(block.count for run in finished for block in run.blocks)
    return _figure(THROUGHPUT.name, "per_s", mean_of(found, count))


def _latencies(
    arrays: Sequence[NDArray[np.uint64] | None], names: Sequence[str], wanted: Sequence[str]
) -> list[Figure]:
    pool = Pool([one for one in arrays if one is not None])
    figures = []
    for name in names:
        q = percentile_of(name)
        assert q is not None
        estimate = pool.percentile(q)
        if estimate is not None:
            figures.append(_figure(name, "ns", estimate))
        elif name in wanted:
            why = f"{name[8:]} needs at least {needed(q):,} timings, there are {pool.count:,}: measure longer"
            figures.append(_not_measured(name, "ns", why, pool.count))
    mean = pool.mean()
    if mean is None or mean.low is None:
        few = f"a mean with an interval needs at least 4 timings a process, there are {pool.count} in all"
        return [*figures, _not_measured(LATENCY_MEAN.name, "ns", few, pool.count)]
    return [*figures, _figure(LATENCY_MEAN.name, "ns", mean)]


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


def _not_measured(name: str, unit: str, why: str, count: int = 0) -> Figure:
    return Figure(name, unit, None, count=count, why_not=why)
