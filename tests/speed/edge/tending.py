"""What looking after a board takes: it is prepared, prepared again, and answers a smoke test."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from bench.units import show
from tests.board import wheels
from tests.board.boards import Board
from tests.speed.lines import Line, bounded, middle
from tests.speed.subjects import ROOT

FIRST, AGAIN, SMOKE = (
    "`device prepare`, no environment there yet",
    "`device prepare` again",
    "`smoke` of the digits model",
)
MOST_NS = {AGAIN: 3_000_000_000, SMOKE: 60_000_000_000}
TIMES = {FIRST: 1, AGAIN: 3, SMOKE: 2}
TARGETS = (
    "targets:\n  pi4: {{host: {host}, cores: 0-1, backend: onnxruntime, device: cpu, threads: 2, precision: fp32}}\n"
)


def measure(board: Board) -> dict[str, list[float]]:
    """Wall times of the commands, in ns, one after the other as a person says them; RuntimeError where one fails."""
    with tempfile.TemporaryDirectory() as folder:
        targets = Path(folder) / "targets.yaml"
        targets.write_text(TARGETS.format(host=board.host))
        prepare = ["device", "prepare", "pi4", "--wheelhouse", str(wheels.wheelhouse())]
        smoke = ["smoke", str(ROOT / "configs/board.yaml"), "--on", "pi4", "--results", folder]
        words = {FIRST: prepare, AGAIN: prepare, SMOKE: smoke}
        said = {name: [*some, "--targets", str(targets)] for name, some in words.items()}
        return {name: [_took(said[name], board) for _ in range(count)] for name, count in TIMES.items()}


def _took(words: Sequence[str], board: Board) -> float:
    begin = time.perf_counter_ns()
    done = subprocess.run(
        [sys.executable, "-m", "bench", *words], env=board.environment(), cwd=ROOT, capture_output=True, text=True,
        stdin=subprocess.DEVNULL, check=False,
    )  # fmt: skip
    took = time.perf_counter_ns() - begin
    if done.returncode and "max abs difference" not in done.stderr:  # a smoke test answers, whatever it decides
        raise RuntimeError(f"benchpact {' '.join(words)}: {done.returncode}\n{done.stdout}{done.stderr}")
    return float(took)


def lines(found: Mapping[str, Sequence[float]]) -> list[Line]:
    """What a second preparation and a smoke test take is held to a target."""
    made = []
    for name, values in found.items():
        text, most = f"middle {show(middle(values), 'ns')}, longest {show(max(values), 'ns')}", MOST_NS.get(name)
        kept = most is not None and middle(values) <= most
        made.append(
            bounded(name, text, f"≤ {show(most, 'ns')}", kept) if most else Line(name, text, "", None, "none", None)
        )
    return made
