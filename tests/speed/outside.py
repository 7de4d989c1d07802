"""The time a three-case run spends outside measuring, beside what the three frameworks take to import and load."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from bench.device import records
from bench.results import StoredRun
from tests.speed import contracts
from tests.speed.loads import LOADS
from tests.speed.rounds import take_turns
from tests.speed.subjects import subject

SCENARIO = "latency p50: 1 s, processes: 1, min time: 200 ms, time: 200 ms"
MEASURING = (records.WARM_UP, records.AUDIT, records.MEASURE)
OURS, THEIRS = "benchpact run", "the frameworks"


def in_turns(rounds: int) -> dict[str, list[float]]:
    """A run's time outside measuring, and the three frameworks' own import and load, in ns."""
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        targets = {backend: backend for backend in LOADS}
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
    for backend in LOADS:
        into = folder / "load.json"
        subprocess.run([sys.executable, "-m", "tests.speed.loads", backend, str(into)], check=True)
        total += int(json.loads(into.read_text(encoding="utf-8")))
    return total
