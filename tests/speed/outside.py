"""The time a three-case run spends outside measuring, beside what the three frameworks take to import and load.

Warm-up and closure audit count as measuring: they run the model. So that nobody has to take that on trust, the same
runs' time outside the timed loop alone is told too.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Collection
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
OUTSIDE_LOOP = "benchpact run, all but the timed loop"


def in_turns(rounds: int) -> dict[str, list[float]]:
    """A run's time outside measuring and outside the timed loop, and the frameworks' own import and load, in ns."""
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        targets = {backend: backend for backend in LOADS}
        contract = contracts.write(folder, subject("digits", folder), targets, SCENARIO)
        outside_loop: list[float] = []

        def ours(_: float) -> float:
            run = contracts.run(contract)
            outside_loop.append(run.wall_ns - phases_ns(run.stored, (records.MEASURE,)))
            return run.wall_ns - phases_ns(run.stored, MEASURING)

        figures = take_turns({OURS: ours, THEIRS: lambda _: _frameworks(folder)}, rounds, 0)
        return {**figures, OUTSIDE_LOOP: outside_loop[-rounds:]}  # the first run warmed up, and is not in the figures


def phases_ns(stored: StoredRun, names: Collection[str]) -> int:
    """Time in the phases of these names, over all process runs."""
    processes = [one for case in stored.cases for one in case.process_runs]
    return sum(phase.duration_ns for one in processes for phase in one.phases if phase.name in names)


def _frameworks(folder: Path) -> float:
    total = 0
    for backend in LOADS:
        into = folder / "load.json"
        subprocess.run([sys.executable, "-m", "tests.speed.loads", backend, str(into)], check=True)
        total += int(json.loads(into.read_text(encoding="utf-8")))
    return total
