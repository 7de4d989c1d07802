"""Whole runs under load: `benchpact run` as a user starts it, on all cores, with devices of known behaviour.

The host and the process that serves need a core each: on one, the host would stand in the way of queries.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from bench.results import CaseResult, ProcessRun
from bench.store import load_timings
from tests.run.backends_on_path import offer
from tests.speed import contracts
from tests.speed.agreement import Told
from tests.speed.contracts import Finished
from tests.speed.rounds import nearest_rank, on_all_cores
from tests.speed.subjects import subject

SPINNING, STALLING = "spinning", "stalling"
DEVICES = {SPINNING: "tests.device.spinning:Spinning", STALLING: "tests.device.stalling:Stalling"}
SERVICE_NS = 1_000_000
"""How long a query takes these devices."""
SETTINGS = "device: cpu, threads: 1, precision: fp32, residency: host"


def target(backend: str, limits: str) -> str:
    """All that a contract says of a target."""
    options = f", options: {{microseconds: {SERVICE_NS // 1000}}}" if backend in DEVICES else ""
    return f"backend: '{backend}', {SETTINGS}{options}, limits: {{{limits}}}"


@contextmanager
def ran(
    targets: Mapping[str, str], model: str = "tiny", files: Mapping[str, bytes] | None = None
) -> Iterator[Finished]:
    """A finished run of the model on the targets; its files are there as long as the context."""
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        for name, content in (files or {}).items():
            (folder / name).write_bytes(content)
        environment = offer(folder / "site", DEVICES)
        contract = contracts.write_targets(folder, subject(model, folder), targets)
        with on_all_cores():
            finished = contracts.run(contract, environment)
        yield finished


def case_of(run: Finished, name: str, scenario: str) -> CaseResult:
    """The target's case in the scenario."""
    (found,) = (one for one in run.stored.cases if (one.target, one.scenario) == (name, scenario))
    return found


def latencies_ns(run: Finished, process: ProcessRun) -> list[int]:
    """The process's raw timings, in order."""
    assert process.timings is not None
    return [int(one) for one in load_timings(run.folder, process.timings)]


def figure(case: CaseResult, metric: str) -> Told | None:
    """A figure of the stored run, with the processes that have one of their own; None where it was not measured."""
    (found,) = (one for one in case.figures if one.metric == metric)
    own = tuple(one for one in found.processes if one is not None)
    if found.value is None or found.low is None or found.high is None or not own:
        return None
    return Told(found.value, found.low, found.high, own)


def percentile(run: Finished, case: CaseResult, q: float) -> Told | None:
    """A percentile of latency with the stored run's interval, and that of each process by its raw timings."""
    found = figure(case, f"latency p{q * 100:g}")
    if found is None:
        return None
    own = tuple(nearest_rank(latencies_ns(run, one), q) for one in case.process_runs)
    return Told(found.value, found.low, found.high, own)
