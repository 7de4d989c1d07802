"""What the way over SSH costs beside the measurement: a whole run, and the shipping of a file beside `scp`."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from time import perf_counter_ns
from unittest import mock

from bench.device.records import Job
from bench.remote import board as remote
from bench.remote.command import CONFIG
from bench.units import show
from tests.board.boards import Board
from tests.board.wheels import INTERPRETER
from tests.launch.talk import job
from tests.speed import contracts
from tests.speed.edge import native
from tests.speed.edge.place import environment, shared_login
from tests.speed.lines import Line, bounded, compared, middle
from tests.speed.rounds import take_turns

RUNS, ROUNDS = 3, 3
SIZE_BYTES = 50_000_000
MOST_NS, MOST_TIMES = 3_000_000_000, 1.5
CONTRACT = """\
benchpact: 1
model: {{name: nothing, version: "1"}}
inputs: {{x: {{dtype: float32, shape: [batch, 4]}}}}
outputs: {{y: {{dtype: float32, shape: [batch, 3]}}}}
batch: batch
targets:
  there: {{backend: naps, {where}, limits: {{cold-start: {{cold start: 10 min, processes: 1}}}}}}
"""
SHARED, OWN, HERE = "over a login that is up", "with a login of its own", "on this machine, without SSH"
NATIVE = "over a login that is up to this machine's own sshd"
HELD = (SHARED, NATIVE)
PYTHON, NATIVE_PYTHON = "over that login to the board", "over that login to this machine's own sshd"
"""Bare starts of Python: how much of it is the emulator's, or the machine's."""


Figures = Mapping[str, Sequence[float]]
"""In ns, one figure a run or a round."""


def runs_of(board: Board) -> Figures:
    """Whole runs in turns; the first of each warms up, and sends the agent."""
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        with (
            native.boards(folder / "native", ["here"]),
            shared_login(board.ssh_config, board.host) as shared,
            shared_login(folder / "native" / "config", "here") as own,
        ):
            return runs(board, shared, own, folder)


def moved(board: Board) -> Figures:
    """Files that are shipped and files that are copied in turns, all over one login."""
    with (
        shared_login(board.ssh_config, board.host) as shared,
        tempfile.TemporaryDirectory() as folder,
        mock.patch.dict(os.environ, {CONFIG: str(shared)}),
        remote.Board(board.host, INTERPRETER) as there,
    ):
        return shipping(board, there, shared, Path(folder) / "file")


def runs(board: Board, shared: Path, native_login: Path, folder: Path) -> dict[str, list[float]]:
    """Wall time of whole runs less all phases of their worker, its start and its imports too; and of bare Pythons."""
    there = f"host: {board.host}, python: {INTERPRETER}"
    cases = {
        SHARED: (there, shared),
        OWN: (there, board.ssh_config),
        NATIVE: (f"host: here, python: {sys.executable}", native_login),
        HERE: ("device: cpu", shared),
    }
    sides = {}
    for index, (name, (where, config)) in enumerate(cases.items()):
        place = folder / str(index)
        place.mkdir()
        (place / "contract.yaml").write_text(CONTRACT.format(where=where))
        sides[name] = partial(beyond_the_phases, place / "contract.yaml", environment(place, config))
    sides[PYTHON] = partial(bare_python, ["ssh", "-F", str(shared), board.host, f"{INTERPRETER} -c pass"])
    sides[NATIVE_PYTHON] = partial(bare_python, ["ssh", "-F", str(native_login), "here", f"{sys.executable} -c pass"])
    return take_turns(sides, RUNS, 0)


def bare_python(command: Sequence[str], _: float) -> float:
    begin = perf_counter_ns()
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    return float(perf_counter_ns() - begin)


def beyond_the_phases(contract: Path, told: Mapping[str, str], _: float) -> float:
    run = contracts.run(contract, told)
    ((one,),) = [case.process_runs for case in run.stored.cases]
    return float(run.wall_ns - sum(phase.duration_ns for phase in one.phases))


def shipping(board: Board, there: remote.Board, config: Path, file: Path) -> dict[str, list[float]]:
    """A job made ready on the board, whose samples are a new file each time, beside a copy of such a file by `scp`."""

    def new(count: int = SIZE_BYTES) -> Job:
        file.write_bytes(os.urandom(count))
        return job(samples=str(file))

    def ready(count: int) -> float:
        wanted, begin = new(count), perf_counter_ns()
        there.ready(wanted)
        took = perf_counter_ns() - begin
        board.ssh("rm -rf ~/.cache/benchpact/files/*")
        return float(took)

    def copied(_: float) -> float:
        new()
        command, begin = ["scp", "-q", "-F", str(config), str(file), f"{board.host}:copy"], perf_counter_ns()
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
        took = perf_counter_ns() - begin
        board.ssh("rm copy; sync")
        return float(took)

    sides = {"shipped": lambda _: ready(SIZE_BYTES), "copied": copied, "nothing": lambda _: ready(1)}
    return take_turns(sides, ROUNDS, 0)


def run_lines(found: Figures) -> list[Line]:
    """The runs over a login that is up are held to a target; the others stand beside them."""
    lines = []
    for name, values in found.items():
        text = f"middle {show(middle(values), 'ns')}, longest {show(max(values), 'ns')}"
        what = f"a run of one case {name}: its wall time less all phases of its worker"
        if name in (PYTHON, NATIVE_PYTHON):
            what = f"`ssh HOST python -c pass` {name}: its wall time"
        kept = middle(values) <= MOST_NS
        target = f"≤ {show(MOST_NS, 'ns')}"
        lines.append(bounded(what, text, target, kept) if name in HELD else Line(what, text, "", None, "none", None))
    return lines


def shipping_lines(found: Figures) -> list[Line]:
    """A large file beside `scp`; what it costs where there is next to nothing to send stands beside it."""
    what = f"{show(SIZE_BYTES, 'bytes')} shipped, hashed and synced, beside `scp` of as much"
    one = f"middle {show(middle(found['nothing']), 'ns')}"
    return [
        compared(what, found["shipped"], found["copied"], MOST_TIMES),
        Line("one byte shipped", one, "", None, "none", None),
    ]
