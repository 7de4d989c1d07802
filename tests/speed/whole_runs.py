"""Whole runs: what `benchpact run` stores for a model, beside a process that only has the hand-written loop."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from bench.store import load_timings
from tests.speed import contracts
from tests.speed.peers import by_hand
from tests.speed.rounds import nearest_rank, take_turns
from tests.speed.subjects import subject

SCENARIO = "latency p50: 1 s, processes: 1, min time: 400 ms, time: 400 ms"
OURS, HAND = "benchpact run", "a process by hand"


def in_turns(name: str, rounds: int) -> dict[str, list[float]]:
    """A whole run and a process by hand in turns; the median latency of each, in ns."""
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        contract = contracts.write(folder, subject(name, folder), {"ort": "onnxruntime"}, SCENARIO)
        return take_turns({OURS: lambda _: _stored(contract), HAND: lambda _: _by_hand(name, folder)}, rounds, 0.4)


def _stored(contract: Path) -> float:
    run = contracts.run(contract)
    timings = run.stored.cases[0].process_runs[0].timings
    assert timings is not None
    return nearest_rank(load_timings(run.folder, timings).tolist(), 0.5)


def _by_hand(name: str, folder: Path) -> float:
    into = folder / "hand.json"
    subprocess.run([sys.executable, "-m", "tests.speed.whole_runs", name, str(into)], check=True)
    return float(json.loads(into.read_text(encoding="utf-8")))


def main() -> None:
    """The process by hand: ``python -m tests.speed.whole_runs SUBJECT FILE``."""
    into = Path(sys.argv[2])
    side = by_hand.ort(subject(sys.argv[1], into.parent))
    side(0.1)
    into.write_text(json.dumps(side(0.4)), encoding="utf-8")


if __name__ == "__main__":
    main()
