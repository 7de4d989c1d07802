"""Timings of many fresh processes, recorded by ``benchpact run`` itself and kept for a day.

``python -m tests.speed.recording MODEL PROCESSES CALLS FILE`` makes one recording.
"""

from __future__ import annotations

import sys
import tempfile
from datetime import datetime, timedelta, timezone
from pathlib import Path

import numpy as np

from bench.store import load_timings
from tests.judge import recorded
from tests.judge.populations import Population
from tests.speed import contracts
from tests.speed.subjects import ROOT, subject

KEPT = ROOT / "tests" / ".cache" / "recordings"
CALLS = {"tiny": 140_000, "digits": 45_000}
"""Of each process, half a second long: a process that only votes may end from a tenth of a second on."""
PROCESSES = 200
YOUNG = timedelta(days=1)


def recordings(folder: Path = KEPT, processes: int = PROCESSES) -> list[tuple[Population, str]]:
    """Each model's processes and when they were recorded: anew, where what is kept is a day old."""
    found = []
    for name, calls in CALLS.items():
        path = folder / f"{name}-{processes}-{calls}.npz"
        if not _is_young(path):
            recorded.write(path, _now(), record(name, processes, calls))
        found.append(recorded.read(path))
    return found


def record(name: str, processes: int, calls: int) -> Population:
    """So many fresh processes of a model on ONNX Runtime, one thread, so many calls each."""
    budget = f"processes: {processes}, min time: 60 s, time: 60 s, queries: {calls}, calls per timing: 1"
    with tempfile.TemporaryDirectory() as text:
        folder, limit = Path(text), f"latency p50: 1 s, {budget}"
        contract = contracts.write(folder, subject(name, folder), {"ort": "onnxruntime"}, limit)
        run = contracts.run(contract)
        runs = run.stored.cases[0].process_runs
        timings = tuple(np.array(load_timings(run.folder, str(one.timings))) for one in runs)
    return Population(title(name), runs, timings)


def title(name: str) -> str:
    """What the processes of a model are called."""
    return f"recorded, {name}"


def _is_young(path: Path) -> bool:
    if not path.exists():
        return False
    modified = datetime.fromtimestamp(path.stat().st_mtime, timezone.utc)
    return datetime.now(timezone.utc) - modified < YOUNG


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="minutes")


def main() -> None:
    """Record one model into a file."""
    name, processes, calls, path = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4])
    recorded.write(path, _now(), record(name, processes, calls))


if __name__ == "__main__":
    main()
