"""Whole runs of the command on ``cuda:0``: what it prints and stores, and whether the GPU was what computed."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from tests.gpu.allocating import allocated, free_bytes, used_bytes

COMMAND = (sys.executable, "-m", "bench", "run", "contract.yaml", "--results", "results")
EVERY_S = 0.02
CUDA, TENSORRT, CPU = "CUDAExecutionProvider", "TensorrtExecutionProvider", "CPUExecutionProvider"
LEFT_BYTES = 1 << 30
"""Of the GPU, where a model is starved: room for CUDA itself."""


class Ran(NamedTuple):
    """A run's exit code, what it printed, its cases by target, and how much more of the GPU was taken at most."""

    code: int
    printed: str
    cases: dict[str, Any]
    taken_bytes: int


def ran(folder: Path, look: Callable[[Path], object] = lambda _: None, timeout_s: float = 800) -> Ran:
    """Run ``contract.yaml`` of that folder. ``look`` is called with it over and over meanwhile."""
    before, most = used_bytes(), 0
    until = time.monotonic() + timeout_s
    with (
        (folder / "printed").open("w+") as printed,
        subprocess.Popen(COMMAND, cwd=folder, stdout=printed, stderr=subprocess.STDOUT) as process,
    ):
        try:
            while process.poll() is None:
                assert time.monotonic() < until, "the run does not end"
                most = max(most, used_bytes() - before)
                look(folder)
                time.sleep(EVERY_S)
        finally:
            process.kill()
    return Ran(process.returncode, (folder / "printed").read_text(), cases(folder), most)


def cases(folder: Path) -> dict[str, Any]:
    """What is stored so far, by target."""
    stored = [json.loads(one.read_text()) for one in folder.glob("results/*/cases/*.json")]
    return {case["target"]: case for case in stored}


def demand_on_gpu(case: Any, gpu: Any) -> None:
    """AssertionError unless each process of the case had all of its nodes, operators or engines on that GPU."""
    assert case["process_runs"]
    for run in case["process_runs"]:
        facts = run["facts"]
        assert facts["device"] == "cuda:0"
        assert facts["gpu"] == gpu._asdict()
        nodes = facts.get("nodes by provider", {})
        by_node = bool(nodes) and CPU not in nodes and (CUDA in nodes or TENSORRT in nodes)
        assert by_node or facts.get("operators on the cpu") == [] or facts.get("engines"), facts


@contextmanager
def starved() -> Iterator[Callable[[Path], None]]:
    """The GPU, but for a little of it, is taken, until what this gives for a ``look`` sees that a case is stored."""
    with ExitStack() as held:
        held.enter_context(allocated(free_bytes() - LEFT_BYTES))
        yield lambda folder: held.close() if cases(folder) else None
