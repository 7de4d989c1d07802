"""Limits proposed from a short measurement on this machine, with headroom, each said to be a proposal."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bench import units
from bench.device import records
from bench.metrics import Unit
from bench.propose import trial
from bench.propose.draft import Draft
from bench.propose.trial import Heard

PROCESSES = 2
MEASURE_NS = 500_000_000
OFFLINE_BATCH = 8
LEAST_FOR_P99 = 400
"""Timings below which a 99th percentile says too little to propose a limit by."""
SLOW_START_NS = 5_000_000_000
"""A start from which on few processes are proposed: the default begins with 8 of them in every scenario."""
_LADDER = (1.0, 1.2, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0)


@dataclass(frozen=True)
class Line:
    """One line of a limit block: the limit, and what was measured."""

    metric: str
    limit: str
    measured: str


@dataclass(frozen=True)
class Proposal:
    """Limit lines by block, and the notes that a reader should see; no lines where nothing could be measured."""

    blocks: dict[str, tuple[Line, ...]]
    note: str = ""
    cpu: str = ""
    slow_start: str = ""
    """What a process takes to start, where that is long: ``21 s``."""
    nan_output: str = ""
    """An output that was not a number (NaN) in all that was measured: nothing of such a model is ever met."""


def measure(draft: Draft, backend: str) -> Proposal:
    """Single-stream in two fresh processes, and one offline process where there is a batch dimension."""
    bounds: dict[str, Any] = {"min_ns": MEASURE_NS, "max_ns": MEASURE_NS, "warm_up_max_ns": MEASURE_NS}
    heard = [trial.run(trial.job_of(draft, backend, **bounds)) for _ in range(PROCESSES)]
    failed = next((one.failure for one in heard if one.failure is not None), None)
    if failed is not None:
        return Proposal({}, f"limits could not be proposed: {failed.error}: {failed.message}")
    blocks = {"single-stream": _single_stream(heard), "cold-start": _cold_start(heard)}
    if draft.batch is not None and not draft.state:
        job = trial.job_of(draft, backend, "offline", batch=OFFLINE_BATCH, **bounds)
        offline = trial.run(job)
        if offline.failure is None:
            blocks["offline"] = (_throughput(offline),)
    told = next((str(one.run.machine.get("cpu_model") or "") for one in heard if one.run is not None), "")
    kept = {name: lines for name, lines in blocks.items() if lines}
    silent = next((str(name) for one in heard if one.run and (name := one.run.facts.get(records.NAN_MEASURED))), "")
    return Proposal(kept, cpu=" ".join(told.split()), slow_start=_slow_start(_starts(heard)), nan_output=silent)


def _single_stream(heard: Sequence[Heard]) -> tuple[Line, ...]:
    pool = np.sort(np.concatenate([timings for one in heard for timings in one.timings]))
    lines = [_at_most("latency p50", _percentile(pool, 0.5), "ns", 1.5)]
    if len(pool) >= LEAST_FOR_P99:
        lines.append(_at_most("latency p99", _percentile(pool, 0.99), "ns", 2.0))
    peaks = [one.run.memory.peak_bytes for one in heard if one.run is not None and one.run.memory is not None]
    known = [peak for peak in peaks if peak is not None]
    return (*lines, *([_at_most("peak memory", max(known), "bytes", 1.25)] if known else ()))


def _starts(heard: Sequence[Heard]) -> list[int]:
    return [one.run.cold_start_ns for one in heard if one.run is not None and one.run.cold_start_ns is not None]


def _slow_start(starts: Sequence[int]) -> str:
    """The quickest start, where it is slow: the first one may have read the files from a cold disk."""
    return units.show(min(starts), "ns") if starts and min(starts) >= SLOW_START_NS else ""


def _cold_start(heard: Sequence[Heard]) -> tuple[Line, ...]:
    starts = _starts(heard)
    loads = [
        phase.duration_ns
        for one in heard
        if one.run is not None
        for phase in one.run.phases
        if phase.name == records.LOAD
    ]
    lines = [_at_most("cold start", max(starts), "ns", 2.0)] if starts else []
    return (*lines, *([_at_most("load time", max(loads), "ns", 2.0)] if loads else ()))


def _throughput(heard: Heard) -> Line:
    blocks = heard.run.blocks if heard.run is not None else ()
    rate = sum(block.samples for block in blocks) / max(1, sum(block.wall_ns for block in blocks)) * 1e9
    return Line(
        "throughput",
        _plain(_friendly(rate / 1.5, down=True), "per_s"),
        f"{units.show(rate, 'per_s')}, ÷ 1.5, rounded down",
    )


def _percentile(ordered: np.ndarray[tuple[int], np.dtype[np.uint64]], share: float) -> int:
    """The nearest rank."""
    return int(ordered[max(1, math.ceil(share * len(ordered))) - 1])


def _at_most(metric: str, value: float, unit: Unit, headroom: float) -> Line:
    factor = 1 << 20 if unit == "bytes" else 1
    limit = _friendly(value * headroom / factor) * factor
    return Line(metric, _plain(limit, unit), f"{units.show(value, unit)}, × {headroom:g}, rounded up")


def size_line(size_bytes: int) -> Line:
    """A limit for the artifact's own size."""
    unit = next(one for one in (1 << 20, 1 << 10, 1) if size_bytes >= one or one == 1)
    limit = _friendly(size_bytes * 1.1 / unit) * unit
    return Line("artifact size", _plain(limit, "bytes"), f"{units.show(size_bytes, 'bytes')}, × 1.1, rounded up")


def _friendly(value: float, *, down: bool = False) -> float:
    """The next number that a person would write: 1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6 or 8, times a power of ten."""
    if value <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    choose: Callable[[float], bool] = (
        (lambda step: step * power <= value) if down else (lambda step: step * power >= value)
    )
    steps = [step for step in _LADDER if choose(step)]
    return (max(steps) if down else min(steps)) * power if steps else value


def _plain(value: float, unit: Unit) -> str:
    """As ``units`` shows it, without gaps between digits: gaps would have to be quoted by nobody, but read badly."""
    text = units.show(value, unit)
    return text.replace(" ", "") if unit == "per_s" else text
