"""Fifty boards in one run: fifty users of the emulated board, each with a home, a cache and a lock of its own."""

from __future__ import annotations

import contextlib
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from bench.results import StoredRun
from bench.store import open_run
from bench.units import show
from tests.board.boards import Board
from tests.board.wheels import INTERPRETER
from tests.speed.edge import native
from tests.speed.edge.place import environment
from tests.speed.lines import Line, bounded

COUNT = 50
MOST_S, MOST_BYTES = 60.0, 300_000_000
LOOK_S = 0.5
BARE_TIMEOUT_S = 900
"""Each waits its turn for a handshake: all of them log in at once, and none is to give up."""
HEAD = """\
benchpact: 1
model: {name: nothing, version: "1"}
inputs: {x: {dtype: float32, shape: [batch, 4]}}
outputs: {y: {dtype: float32, shape: [batch, 3]}}
batch: batch
targets:
"""
TARGET = (
    "  {name}: {{backend: naps, host: {name}, python: {python}, "
    "limits: {{cold-start: {{cold start: 10 min, processes: 1}}}}}}\n"
)
USERS = """\
set -e
for name in {names}; do
  home=/home/$name uid=$((2000 + ${{name#b}}))
  grep -q "^$name:" /etc/passwd || echo "$name:x:$uid:1000:$name:$home:/bin/sh" >>/etc/passwd
  grep -q "^$name:" /etc/shadow || echo "$name:*:19000:0:99999:7:::" >>/etc/shadow
  mkdir -p "$home/.ssh"
  cp /root/.ssh/authorized_keys "$home/.ssh/"
  {more}
  chown -R "$uid:1000" "$home"
done
"""


@dataclass(frozen=True)
class Fleet:
    """How long all boards took together, how many ended well, and what the host held at most."""

    boards: int
    finished: int
    wall_s: float
    process_bytes: int
    """Of benchpact's own process."""
    all_bytes: int
    """… and of every `ssh` that it started, pages that they share counted once (the sum of Pss)."""


def measure(board: Board, count: int = COUNT) -> tuple[Fleet, float, Fleet]:
    """One run on so many boards, which the agent had been sent to before: users of the emulated one, each with a home.

    After it, in seconds, what as many bare logins take there that import numpy; and the run on as many sshd here.
    """
    names = [f"b{index}" for index in range(count)]
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        config = config_of(board, names, folder)
        told = environment(folder, config)
        make_users(board, names)
        run(names[:1], folder / "first", told)
        make_users(board, names[1:], like=names[0])
        emulated = run(names, folder / "all", told)
        return emulated, bare(names, config), measure_here(names, folder / "here")


def measure_here(names: Sequence[str], folder: Path) -> Fleet:
    """The same run on as many sshd of this machine."""
    with native.boards(folder, names) as boards:
        told = environment(folder, folder / "config")
        run(names[:1], folder / "first", told, sys.executable)
        native.give_all(boards)
        return run(names, folder / "all", told, sys.executable)


def bare(names: Sequence[str], config: Path) -> float:
    """Seconds that so many logins at once take whose Python imports numpy and ends: a worker does that, too."""
    ssh = ["ssh", "-F", str(config), "-o", f"ConnectTimeout={BARE_TIMEOUT_S}"]
    begin = time.monotonic()
    logins = [
        subprocess.Popen([*ssh, name, f"{INTERPRETER} -c 'import numpy'"], stdin=subprocess.DEVNULL) for name in names
    ]
    codes = [one.wait() for one in logins]
    if any(codes):
        raise RuntimeError(f"bare logins ended with {codes}")
    return time.monotonic() - begin


def config_of(board: Board, names: Sequence[str], folder: Path) -> Path:
    """An ssh config with a host of its own for each."""
    settings = re.findall(r"^  (?!User )\w+ .*$", board.ssh_config.read_text().partition("\nHost ")[0], re.MULTILINE)
    blocks = ["\n".join([f"Host {name}", f"  User {name}", *settings, ""]) for name in names]
    (folder / "config").write_text("\n".join(blocks))
    return folder / "config"


def make_users(board: Board, names: Sequence[str], like: str | None = None) -> None:
    """The users, with a copy of the cache of one of them."""
    more = ":" if like is None else f'mkdir -p "$home/.cache"; cp -a /home/{like}/.cache/benchpact "$home/.cache/"'
    board.ssh(USERS.format(names=" ".join(names), more=more), root=True)


def run(names: Sequence[str], folder: Path, told: dict[str, str], python: str = INTERPRETER) -> Fleet:
    """`benchpact run` on these boards, watched while it lasts."""
    folder.mkdir()
    contract = folder / "contract.yaml"
    contract.write_text(HEAD + "".join(TARGET.format(name=name, python=python) for name in names))
    command = [sys.executable, "-m", "bench", "run", str(contract), "--results", str(folder / "results"), "-q"]
    begin, own, most = time.monotonic(), 0, 0
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=told) as process:
        while process.poll() is None:
            alone, together = held_by(process.pid)
            own, most = max(own, alone), max(most, together)
            time.sleep(LOOK_S)
    wall_s = time.monotonic() - begin
    return Fleet(len(names), ended_well(open_run("latest", folder / "results")), wall_s, own, most)


def held_by(pid: int) -> tuple[int, int]:
    """Pss in bytes of a process, and of it with all that it started."""
    held = [0]
    with contextlib.suppress(psutil.NoSuchProcess):
        for one in [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]:
            with contextlib.suppress(OSError):  # it has ended meanwhile
                text = Path(f"/proc/{one.pid}/smaps_rollup").read_text()
                held.append(1024 * int(re.findall(r"^Pss: *(\d+) kB", text, re.MULTILINE)[0]))
    return held[:2][-1], sum(held)


def ended_well(stored: StoredRun) -> int:
    """The cases whose process did all that it was asked."""
    return sum(
        bool(case.process_runs) and all(one.failure is None for one in case.process_runs) for case in stored.cases
    )


def lines(emulated: Fleet, bare_s: float, here: Fleet) -> list[Line]:
    """The emulated ones, what their machine takes for less, and the sshd here."""
    floor = f"{emulated.boards} bare logins at once whose Python imports numpy: from start to end"
    return [
        *fleet_lines(f"{emulated.boards} boards at once", emulated),
        Line(floor, f"{bare_s:.1f} s", "", None, "none", None),
        *fleet_lines(f"{here.boards} sshd of this machine at once", here),
    ]


def fleet_lines(many: str, found: Fleet) -> list[Line]:
    """All finish, in time, within the memory."""
    failed = found.boards - found.finished
    what = f"{many}: memory here, every `ssh` included"
    held = f"{show(found.all_bytes, 'bytes')} ({show(found.process_bytes, 'bytes')} without them)"
    return [
        bounded(f"{many}: a case that did not end well", f"{failed} times", "≤ 0 times", failed == 0),
        bounded(f"{many}: from start to end", f"{found.wall_s:.1f} s", f"≤ {MOST_S:g} s", found.wall_s <= MOST_S),
        Line(what, held, "", None, "none", None)  # of fewer than all of them
        if failed
        else bounded(what, held, "≤ 300 MB", found.all_bytes <= MOST_BYTES),
    ]
