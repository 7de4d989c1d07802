"""Our four scenarios beside LoadGen's on the same session, one thread: percentiles, and time a sample offline.

LoadGen's server draws its arrivals from a seed of its own. They are recorded, and played in ours as a trace.
LoadGen's clock holds the way into Python and back, so LoadGen is asked what it reports of a call that does nothing as
well. There the call comes after LoadGen's own work, in ours after the same call. So it is also made again right away,
inside LoadGen's callback. What LoadGen reports must then be ours, and both of these. The sides take turns, process by
process, because the machine's own speed changes by more than they differ.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tests.speed import fresh
from tests.speed.agreement import NOT_MEASURED, Told, meet, near, of_processes
from tests.speed.contracts import Finished
from tests.speed.lines import Line, middle
from tests.speed.peers.four_scenarios import (
    ARRIVALS,
    BATCH,
    COLD,
    EMPTY,
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
OfProcess = Mapping[str, Mapping[str, float]]
Figures = Mapping[str, Mapping[str, Told]]
"""Scenario, then percentile (or the time a sample): ns."""


@dataclass(frozen=True)
class Beside:
    """Both sides' figures of one model; of LoadGen also what an empty call takes, and the call made again."""

    ours: Figures
    theirs: Figures
    late_ns: Sequence[int | None]
    """How late each of our servers issued, in the median: the part of its latency that is the harness's."""


def measure(processes: int = PROCESSES, seconds: float = SECONDS) -> dict[str, Beside]:
    """Each model's figures on both sides, in turns. LoadGen is first, because it decides when queries arrive."""
    found = {}
    for name in MODELS:
        theirs, ours = [], []  # type: list[Any], list[tuple[OfProcess, int | None]]
        for _ in range(processes):
            theirs.append(_theirs(name, seconds))
            ours.append(_ours(name, seconds, _file(theirs[0][ARRIVALS])))
        found[name] = Beside(_told([one for one, _ in ours]), _told(theirs), [late for _, late in ours])
    return found


def lines(found: Mapping[str, Beside]) -> list[Line]:
    """A line a model, scenario and figure; kept where the intervals meet once what is LoadGen's own is off."""
    made = []
    for name, beside in found.items():
        for scenario, word in OURS.items():
            ours, theirs = beside.ours[scenario], beside.theirs[scenario]
            for figure in ours:
                what, off = f"{name}, {word}: {figure}", _off(beside, scenario, figure)
                if off is None:
                    made.append(Line(what, NOT_MEASURED, theirs[figure].text(), None, "[ ] meet", False))
                else:
                    made.append(meet(what, ours[figure], theirs[figure], off))
            if scenario in (SINGLE, MULTI):
                made += _of_the_call(f"{name}, {word}", ours["p50"], theirs)
    return made


def _off(beside: Beside, scenario: str, figure: str) -> float | None:
    """What is LoadGen's own in one of its figures, by other tests than the one that reported it; the middle process.

    That is what it reports of an empty call, and in single- and multi-stream what the call takes longer after LoadGen's
    work; in the server what ours was late by is ours (None where that is not known).
    """
    theirs = beside.theirs[scenario]
    own = list(theirs[f"{EMPTY} {figure}"].processes)
    if scenario in (SINGLE, MULTI):
        pairs = zip(theirs[f"{COLD} {figure}"].processes, theirs[f"{WARM} {figure}"].processes, strict=True)
        own = [empty + cold - warm for empty, (cold, warm) in zip(own, pairs, strict=True)]
    if scenario == SERVER:
        late = [one for one in beside.late_ns if one is not None]
        if not late:
            return None
        return max(0.0, middle(own) - middle(late))
    return max(0.0, middle(own))


def _of_the_call(where: str, ours: Told, theirs: Mapping[str, Told]) -> list[Line]:
    """The call alone, by one clock, inside LoadGen's callback: after LoadGen's work, and made again right away.

    The latter by the quickest process of each side: what else the machine does only ever adds to a call.
    """
    cold, warm = theirs[f"{COLD} p50"], theirs[f"{WARM} p50"]
    again = f"{where}: the call alone, made again in LoadGen's callback, the quickest process"
    return [
        near(f"{where}: the call alone, after LoadGen's work", ours, cold, within=None),
        near(again, _quickest(ours), _quickest(warm)),
    ]


def _quickest(told: Told) -> Told:
    least = min(told.processes)
    return Told(least, least, max(told.processes), (least,))


def _limits(seconds: float) -> str:
    time = f"time: {seconds * 1000:.0f} ms, processes: 1"
    loop = f"latency p99: 9 s, {time}, min time: {seconds * 1000:.0f} ms"
    return (
        f"single-stream: {{{loop}}}, multi-stream: {{samples: {STREAMS}, {loop}}}, "
        "server: {trace: arrivals.npy, latency p99: 9 s, processes: 1}, "
        f"offline: {{batch: {BATCH}, throughput: 1/s, {time}, min time: {seconds * 1000:.0f} ms}}"
    )


def _ours(name: str, seconds: float, arrivals: bytes) -> tuple[OfProcess, int | None]:
    """One process a scenario: its own figures by its raw timings, and how late its server issued."""
    with runs.ran({"target": runs.target("onnxruntime", _limits(seconds))}, name, {"arrivals.npy": arrivals}) as run:
        found = {scenario: _figures(run, scenario) for scenario in OURS}
        (server,) = runs.case_of(run, "target", OURS[SERVER]).process_runs
        return found, None if server.serving is None else server.serving.late_p50_ns


def _figures(run: Finished, scenario: str) -> dict[str, float]:
    (process,) = runs.case_of(run, "target", OURS[scenario]).process_runs
    if scenario == OFFLINE:
        return {PER_SAMPLE: sum(one.wall_ns for one in process.blocks) / sum(one.samples for one in process.blocks)}
    timings = runs.latencies_ns(run, process)
    return {name: nearest_rank(timings, float(q) / 100) for name, q in NAMES.items()}


def _theirs(name: str, seconds: float) -> Any:
    """LoadGen's figures of one process, and under ``arrivals`` when its server's queries arrive."""
    with on_all_cores():
        return fresh.measured("peers.four_scenarios", name, str(seconds))


def _told(processes: Sequence[OfProcess]) -> dict[str, dict[str, Told]]:
    """Each figure over the processes."""
    return {
        scenario: {
            one: of_processes([process[scenario][one] for process in processes]) for one in processes[0][scenario]
        }
        for scenario in OURS
    }


def _file(offsets: list[int]) -> bytes:
    into = io.BytesIO()
    np.save(into, np.maximum.accumulate(np.array(offsets, np.int64)))
    return into.getvalue()
