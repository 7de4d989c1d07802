"""The time a three-case run spends outside measuring, beside what the three frameworks take to import and load."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter_ns

from bench.device import records
from bench.results import StoredRun
from tests.speed import contracts
from tests.speed.peers import by_hand
from tests.speed.rounds import take_turns
from tests.speed.subjects import Subject, subject

SCENARIO = "latency p50: 1 s, processes: 1, min time: 200 ms, time: 200 ms"
MEASURING = (records.WARM_UP, records.AUDIT, records.MEASURE)
BACKENDS = ("onnxruntime", "openvino", "pytorch")
OURS, THEIRS = "benchpact run", "the frameworks"


def in_turns(rounds: int) -> dict[str, list[float]]:
    """A run's time outside measuring, and the three frameworks' own import and load, in ns."""
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        targets = {backend: backend for backend in BACKENDS}
        contract = contracts.write(folder, subject("digits", folder), targets, SCENARIO)
        return take_turns({OURS: lambda _: _outside(contract), THEIRS: lambda _: _frameworks(folder)}, rounds, 0)


def _outside(contract: Path) -> float:
    run = contracts.run(contract)
    return run.wall_ns - measuring_ns(run.stored)


def measuring_ns(stored: StoredRun) -> int:
    """Time in the phases that measure: warm-up, audit and the timed loop."""
    processes = [one for case in stored.cases for one in case.process_runs]
    return sum(phase.duration_ns for one in processes for phase in one.phases if phase.name in MEASURING)


def _frameworks(folder: Path) -> float:
    total = 0
    for backend in BACKENDS:
        into = folder / "load.json"
        subprocess.run([sys.executable, "-m", "tests.speed.outside", backend, str(into)], check=True)
        total += int(json.loads(into.read_text(encoding="utf-8")))
    return total


def load(backend: str, raced: Subject) -> None:
    """Import the framework and load the model, nothing else."""
    if backend == "onnxruntime":
        by_hand.ort_session(raced)
    elif backend == "openvino":
        by_hand.openvino_request(raced)
    else:
        by_hand.torch_module(raced)


def main() -> None:
    """One framework in a fresh process: ``python -m tests.speed.outside BACKEND FILE``."""
    raced = subject("digits", Path())
    begin = perf_counter_ns()
    load(sys.argv[1], raced)
    Path(sys.argv[2]).write_text(json.dumps(perf_counter_ns() - begin), encoding="utf-8")


if __name__ == "__main__":
    main()
