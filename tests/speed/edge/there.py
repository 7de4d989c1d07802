"""The loop's own cost on the board: the program that measures it here, sent there beside the agent's own code."""

from __future__ import annotations

import io
import json
import tarfile
import tempfile
import zipfile
from pathlib import Path

from bench.remote.agent import ROOT, agent_for
from tests.board.boards import Board
from tests.board.wheels import INTERPRETER
from tests.speed.lines import Line, compared

PROCESSES, ROUNDS, TURN_S = 2, 9, 0.5
TIMEOUT_S = 600.0
MOST_TIMES = 1.25
NULL = "backends.null:NullAdapter"
SENT = ("tests/speed/null_loop.py", "tests/speed/rounds.py")
AGENT_BYTES = 200_000


def measure(board: Board) -> dict[str, list[float]]:
    """Each side's figure in each round of several fresh processes there, in ns."""
    figures: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        board.put(_packed(Path(folder) / "loop.tar"), "loop.tar")
    board.ssh("mkdir loop && tar -xf loop.tar -C loop")
    try:
        for _ in range(PROCESSES):
            command = f"{INTERPRETER} -m tests.speed.null_loop {ROUNDS} {TURN_S} figures.json"
            told = board.ssh(f"cd loop && {command} && cat figures.json", timeout_s=TIMEOUT_S).stdout
            for side, values in json.loads(told).items():
                figures.setdefault(side, []).extend(values)
    finally:
        board.ssh("rm -rf loop loop.tar")
    return figures


def _packed(path: Path) -> Path:
    with tarfile.open(path, "w") as archive:
        with zipfile.ZipFile(io.BytesIO(agent_for(NULL).data)) as agent:
            for name in agent.namelist():
                entry = tarfile.TarInfo(name)
                entry.size = agent.getinfo(name).file_size
                archive.addfile(entry, agent.open(name))
        for name in SENT:
            archive.add(ROOT / name, name)
    return path


def lines(figures: dict[str, list[float]]) -> list[Line]:
    """Our iteration beside a hand-written loop's, and that beside itself."""
    hand = figures["by hand"]
    return [
        compared(
            "an iteration of the loop on `null`, beside a hand-written Python loop",
            figures["iteration"],
            hand,
            MOST_TIMES,
        ),
        compared("the hand-written loop beside itself", hand, figures["by hand, again"], None),
    ]


def agent_line() -> Line:
    """The agent's size, as it is sent."""
    size = len(agent_for(NULL).data)
    return Line("the agent, as it is sent", f"{size / 1000:.1f} kB", "", None, "≤ 200 kB", size <= AGENT_BYTES)
