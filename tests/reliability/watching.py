"""What the tests of whole processes share: a run that takes a moment, and whether processes are gone."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import psutil

ROOT = Path(__file__).parents[2]
SOON_S = 30.0
"""How long a process may take to vanish: generous, for a machine that does ten other things."""

NULL_CONTRACT = """\
benchpact: 1
model: {name: nothing, version: 1.0.0}
inputs:
  x: {dtype: float32, shape: [batch, 4], range: [0, 1]}
outputs:
  y: {dtype: float32, shape: [batch, 3]}
batch: batch
limits:
  single-stream: {latency p50: 1 s, time: 300 ms, min time: 300 ms, processes: 1}
targets: {a: "null", b: "null", c: "null", d: "null"}
"""
"""Four cases of about half a second each, on the backend that does nothing."""


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
