"""Whole runs: what `benchpact run` stores for a model, beside a process that only has the hand-written loop."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

from bench.device.loop import quiet
from bench.store import load_timings
from tests.speed import contracts, fresh
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
        return take_turns(
            {OURS: lambda _: _stored(contract), HAND: lambda _: float(fresh.measured("whole_runs", name))}, rounds, 0.4
        )


def _stored(contract: Path) -> float:
    run = contracts.run(contract)
    timings = run.stored.cases[0].process_runs[0].timings
    assert timings is not None
    return nearest_rank(load_timings(run.folder, timings).tolist(), 0.5)


def hand_timed(name: str, folder: Path) -> float:
    """The hand-written loop's median in this process, in ns; no garbage collection, as in our own loop."""
    side = by_hand.ort(subject(name, folder))
    with quiet():
        side(0.1)
        return side(0.4)


def main() -> None:
    """The process by hand: ``python -m tests.speed.whole_runs SUBJECT FILE``."""
    into = Path(sys.argv[2])
    into.write_text(json.dumps(hand_timed(sys.argv[1], into.parent)), encoding="utf-8")


if __name__ == "__main__":
    main()
