"""Whether processes that a test knows of are gone."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import psutil

ROOT = Path(__file__).parents[2]
SOON_S = 30.0
"""How long a process may take to vanish: generous, for a machine that does ten other things."""


def gone(pid: int) -> bool:
    """Whether the process is no more, or only its entry is left for someone to collect."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def soon(condition: Callable[[], bool]) -> bool:
    """Whether the condition comes true within ``SOON_S``."""
    until = time.monotonic() + SOON_S
    while not condition() and time.monotonic() < until:
        time.sleep(0.01)
    return condition()


def pid(folder: Path, name: str) -> int:
    """The number of the process that a faulty backend noted."""
    return int((folder / name).read_text())
