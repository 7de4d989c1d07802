"""Recorded arrivals that a contract names: read here, because their rate and length are part of what is to be run."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.contract.model import ScenarioSettings, Target, Trace
from bench.contract.paths import exists, inside
from bench.contract.problems import Problems, quoted
from bench.device.trace import rate_of, read_trace

Offsets = NDArray[np.int64]


def with_traces(targets: Sequence[Target], folder: Path, problems: Problems) -> tuple[Target, ...]:
    """The targets, their scenarios that play a trace completed; a trace that is wrong is noted once."""
    known: dict[Trace, Offsets | None] = {}

    def completed(settings: ScenarioSettings) -> ScenarioSettings:
        trace = settings.trace
        if trace is None:
            return settings
        if trace not in known:
            known[trace] = _read(trace, folder, problems)
        offsets = known[trace]
        return settings if offsets is None else _playing(settings, trace, folder, offsets)

    return tuple(
        replace(one, limits=replace(one.limits, scenarios=tuple(map(completed, one.limits.scenarios))))
        for one in targets
    )


def _read(trace: Trace, folder: Path, problems: Problems) -> Offsets | None:
    """The arrivals; None, with a problem noted, where they cannot be played."""
    text = str(trace.path)
    path = inside(folder, text, trace.place, problems)
    if path is None or not exists(path, folder, trace.place, problems):
        return None
    try:
        offsets: Offsets = read_trace(path)
    except (OSError, ValueError) as error:
        problems.add(trace.place, f"{quoted(text)}: {getattr(error, 'strerror', None) or error}")
        return None
    return offsets


def _playing(settings: ScenarioSettings, trace: Trace, folder: Path, offsets: Offsets) -> ScenarioSettings:
    """The scenario for as long as the trace goes on, or as its ``time`` says; the rate is that of what is played."""
    rate, window_ns = rate_of(offsets, 0.0, settings.max_ns, settings.max_queries)
    sha256 = hashlib.sha256(offsets.astype("<i8").tobytes()).hexdigest()
    whole = replace(trace, path=folder / trace.path, sha256=sha256, count=len(offsets), length_ns=int(offsets[-1]))
    least_ns = min(settings.min_ns, window_ns)
    return replace(settings, trace=whole, rate_per_s=rate, max_ns=window_ns, min_ns=least_ns)
