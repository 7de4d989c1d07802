"""The emulated board that is measured, with a login that the user's own `ssh` shares."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.remote.command import CONFIG
from tests.board import napping, wheels
from tests.board.boards import Board
from tests.run.backends_on_path import offer

NAPS = "naps"
"""Null, but for a nap of 20 ms a query: of calls that take no time an emulator cannot say whether they were done."""
MEMORY_MIB = 4096
"""Fifty workers, each with numpy, stand on it at once."""
CORES = 2


@contextmanager
def emulated() -> Iterator[Board]:
    """A board with numpy on it; BoardUnavailable or WheelsUnavailable where there can be none."""
    add = wheels.with_numpy(wheels.wheelhouse())
    board = Board.start(f"bench-{os.getpid()}", memory_mib=MEMORY_MIB, disk="4G", cpus=CORES, add=add)
    try:
        yield board
    finally:
        board.remove()


def environment(folder: Path, config: Path) -> dict[str, str]:
    """A process's environment in which there is the backend ``naps``, and in which that ssh config is read."""
    site = folder / "site"
    told = offer(site, {NAPS: "napping:Naps"})
    shutil.copy(Path(napping.__file__), site)
    return {**told, CONFIG: str(config)}


@contextmanager
def shared_login(ssh_config: Path, host: str) -> Iterator[Path]:
    """An ssh config like that one, with a ControlMaster to its host that is up as long as this lasts."""
    with tempfile.TemporaryDirectory(prefix="bp-", dir="/tmp") as folder:  # a socket's path must be short
        words = f"  ControlMaster auto\n  ControlPath {folder}/%n\n  ControlPersist yes\n"
        config = Path(folder) / "config"
        config.write_text(re.sub(r"^(Host .*\n)", rf"\g<1>{words}", ssh_config.read_text(), count=1))
        ssh = ["ssh", "-F", str(config)]
        subprocess.run([*ssh, host, "true"], check=True, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            yield config
        finally:
            subprocess.run([*ssh, "-O", "exit", host], check=True, stderr=subprocess.DEVNULL)
