"""`benchpact run` on the emulated board: the interpreter it works with there, its contract, a run under way."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.board.boards import Board
from tests.board.wheels import INTERPRETER
from tests.run.backends_on_path import ROOT, offer

RUN_TIMEOUT_S = 1200.0
"""When a run is taken to hang. The loaded machine and the emulator are slow; no test is about how slow."""
CONTRACT = """\
benchpact: 1
model: {{name: nothing, version: "1"}}
inputs: {{x: {{dtype: float32, shape: [batch, 4], range: [0, 1]}}}}
outputs: {{y: {{dtype: float32, shape: [batch, 3]}}}}
batch: batch
{more}targets:
  short: {{backend: naps, host: {host}, python: {python}, limits: {{cold-start: {short}}}}}
  long: {{backend: naps, host: {host}, python: {python}, limits: {{soak: {long}}}}}
  held: {{backend: holds, host: {host}, python: {python}, limits: {{cold-start: {short}}}}}
"""
SHORT = "{cold start: 10 min, processes: 1}"
LONG = "{rate: 20/s, time: 20 min, throughput: 1/s}"


@dataclass(frozen=True)
class Place:
    """A folder with a contract that owes nothing difficult, and its results."""

    folder: Path
    board: Board
    ssh_config: Path

    def write(self, host: str = "", python: str = INTERPRETER, more: str = "") -> None:
        words = {"host": host or self.board.host, "python": python, "more": more, "short": SHORT, "long": LONG}
        (self.folder / "contract.yaml").write_text(CONTRACT.format(**words))
        if not self._site.exists():
            offer(self._site, {"naps": "napping:Naps", "holds": "napping:Holds"})
            shutil.copy(Path(__file__).with_name("napping.py"), self._site)

    def start(self, *words: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "bench", "run", "contract.yaml", "--results", "results", *words]
        paths = os.pathsep.join([str(self._site), str(ROOT)])
        environment = {**os.environ, "BENCHPACT_SSH_CONFIG": str(self.ssh_config), "PYTHONPATH": paths}
        return subprocess.Popen(
            command, cwd=self.folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    def run(self, *words: str) -> tuple[int, str]:
        """A whole run: its exit code and what it said, in one line."""
        with self.start(*words) as process:
            try:
                said, _ = process.communicate(timeout=RUN_TIMEOUT_S)
            finally:
                process.kill()
        return process.returncode, " ".join(said.split())

    @contextmanager
    def under_way(self, case: str = "long.soak", phase: str = "measure") -> Iterator[subprocess.Popen[str]]:
        """A run whose short case is finished and whose other one is in that phase."""
        with self.start("-v", "--on", "short", "--on", case.partition(".")[0]) as process:
            try:
                assert process.stdout is not None
                told = [next(process.stdout)]
                while f"{case}: process 1: {phase}" not in told[-1]:
                    told.append(next(process.stdout, ""))
                    assert told[-1], "".join(told)
                yield process
            finally:
                process.kill()

    @property
    def _site(self) -> Path:
        return self.folder / "site"

    def stored(self, name: str) -> bytes:
        """A case's file of the newest run."""
        return max(self.folder.glob(f"results/*/cases/{name}.json")).read_bytes()

    def case(self, name: str) -> dict[str, Any]:
        """A stored case of the newest run."""
        case: dict[str, Any] = json.loads(self.stored(name))
        return case

    def ended_well(self, name: str) -> bool:
        """Whether a case's only process did all that it was asked."""
        (one,) = self.case(name)["process_runs"]
        return one["failure"] is None

    def failure(self, name: str) -> dict[str, Any]:
        """The failure of a case's only process."""
        (one,) = self.case(name)["process_runs"]
        failure: dict[str, Any] = one["failure"]
        return failure


def left_over(board: Board) -> list[str]:
    """What `bench` still runs there, after what has a moment to end was given it."""
    until = time.monotonic() + 120
    while (found := board.processes()) and time.monotonic() < until:
        time.sleep(1)
    return found


def configured(board: Board, folder: Path, host: str, words: str) -> Path:
    """An ssh config in which ``host`` is the board, but for ``words``: the first word said of a thing holds."""
    text = board.ssh_config.read_text()
    settings = re.findall(r"^  \w+ .*$", text.partition(f"Host {board.root_host}\n")[0], re.MULTILINE)
    first = words.split()[0]
    kept = [line for line in settings if line.split()[0] != first]
    path = folder / f"{host}.ssh"
    path.write_text("\n".join([f"Host {host}", f"  {words}", *kept, "  User bench", ""]))
    return path
