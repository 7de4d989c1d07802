"""Our four scenarios beside LoadGen's on the same session, one thread: percentiles, and time a sample offline.

LoadGen's server draws its arrivals from a seed of its own. They are recorded, and played in ours as a trace.
LoadGen's clock holds the way into Python and back, so the session's call alone is timed inside its test as well. There
it comes after LoadGen's own work, in ours after the same call. So it is also made again right away, inside LoadGen's
callback: if the figures add up, that call takes as long as ours.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from tests.speed import fresh
from tests.speed.agreement import Told, meet, near, of_processes
from tests.speed.contracts import Finished
from tests.speed.lines import Line, middle
from tests.speed.peers.four_scenarios import (
    ARRIVALS,
    BATCH,
    COLD,
    INSIDE,
    MULTI,
    NAMES,
    OFFLINE,
    PER_SAMPLE,
    SERVER,
    SINGLE,
    STREAMS,
    WARM,
)
from tests.speed.rounds import nearest_rank, on_all_cores
from tests.speed.under_load import runs

MODELS = ("tiny", "digits")
PROCESSES, SECONDS = 7, 0.3
OURS = {SINGLE: "single-stream", MULTI: "multi-stream", SERVER: "server", OFFLINE: "offline"}
Figures = Mapping[str, Mapping[str, Told]]
"""Scenario, then percentile (or the time a sample): ns."""


@dataclass(frozen=True)
class Beside:
    """Both sides' figures of one model; of LoadGen also what the call took inside its test."""

    ours: Figures
    theirs: Figures
    late_ns: float
    """How late our server issued, in the median: the part of its latency that is the harness's."""


def measure(processes: int = PROCESSES, seconds: float = SECONDS) -> dict[str, Beside]:
    """Each model's figures on both sides: LoadGen first, because it decides when queries arrive."""
    found = {}
    for name in MODELS:
        theirs, arrivals = _theirs(name, processes, seconds)
        target = runs.target("onnxruntime", _limits(processes, seconds))
        with runs.ran({"target": target}, name, {"arrivals.npy": _file(arrivals)}) as run:
            serving = [one.serving for one in runs.case_of(run, "target", "server").process_runs]
            late = middle([one.late_p50_ns or 0 for one in serving if one is not None])
            found[name] = Beside({one: _ours(run, one) for one in OURS}, theirs, late)
    return found


def lines(found: Mapping[str, Beside]) -> list[Line]:
    """A line a model, scenario and figure; kept where the intervals meet once what is LoadGen's own is off."""
    made = []
    for name, beside in found.items():
        for scenario, word in OURS.items():
            ours, theirs = beside.ours[scenario], beside.theirs[scenario]
            for figure in ours:
                off = _drivers_part(beside, scenario)
                if scenario in (SINGLE, MULTI):
                    off = _told_apart(theirs, figure)
                made.append(meet(f"{name}, {word}: {figure}", ours[figure], theirs[figure], off))
            if scenario in (SINGLE, MULTI):
                made += _of_the_call(f"{name}, {word}", ours["p50"], theirs)
    return made


def _told_apart(theirs: Mapping[str, Told], figure: str) -> float:
    """What LoadGen reports beyond the call, and what the call takes longer after LoadGen's work, at one percentile."""
    inside, cold, warm = (theirs[f"{what} {figure}"].value for what in (INSIDE, COLD, WARM))
    return max(0.0, theirs[figure].value - inside + cold - warm)


def _of_the_call(where: str, ours: Told, theirs: Mapping[str, Told]) -> list[Line]:
    """The call alone, by one clock, inside LoadGen's callback: after LoadGen's work, and made again right away."""
    cold, warm = theirs[f"{COLD} p50"], theirs[f"{WARM} p50"]
    return [
        near(f"{where}: the call alone, after LoadGen's work", ours, cold, within=None),
        near(f"{where}: the call alone, made again in LoadGen's callback", ours, warm),
    ]


def _drivers_part(beside: Beside, scenario: str) -> float:
    """What LoadGen reports beyond the session's call: in the median, or a sample; what ours was late by not counted."""
    theirs = beside.theirs[scenario]
    reported = theirs[PER_SAMPLE if scenario == OFFLINE else "p50"].value
    own = beside.late_ns if scenario == SERVER else 0.0
    return max(0.0, reported - theirs[INSIDE].value - own)


def _limits(processes: int, seconds: float) -> str:
    time = f"time: {seconds * 1000:.0f} ms, processes: {processes}"
    loop = f"latency p99: 9 s, {time}, min time: {seconds * 1000:.0f} ms"
    return (
        f"single-stream: {{{loop}}}, multi-stream: {{samples: {STREAMS}, {loop}}}, "
        f"server: {{trace: arrivals.npy, latency p99: 9 s, processes: {processes}}}, "
        f"offline: {{batch: {BATCH}, throughput: 1/s, {time}, min time: {seconds * 1000:.0f} ms}}"
    )


def _ours(run: Finished, scenario: str) -> dict[str, Told]:
    """Each process's own figures, by its raw timings."""
    processes = runs.case_of(run, "target", OURS[scenario]).process_runs
    if scenario == OFFLINE:
        spent = [sum(one.wall_ns for one in process.blocks) for process in processes]
        samples = [sum(one.samples for one in process.blocks) for process in processes]
        return {PER_SAMPLE: of_processes([ns / count for ns, count in zip(spent, samples, strict=True)])}
    timings = [runs.latencies_ns(run, one) for one in processes]
    return {name: of_processes([nearest_rank(one, float(q) / 100) for one in timings]) for name, q in NAMES.items()}


def _theirs(name: str, processes: int, seconds: float) -> tuple[dict[str, dict[str, Told]], list[int]]:
    """LoadGen's figures over its processes, and its arrivals in the first of them (the same in all)."""
    with on_all_cores():
        told: list[Any] = [fresh.measured("peers.four_scenarios", name, str(seconds)) for _ in range(processes)]
    figures = {
        scenario: {one: of_processes([process[scenario][one] for process in told]) for one in told[0][scenario]}
        for scenario in OURS
    }
    return figures, told[0][ARRIVALS]


def _file(offsets: list[int]) -> bytes:
    into = io.BytesIO()
    np.save(into, np.maximum.accumulate(np.array(offsets, np.int64)))
    return into.getvalue()
