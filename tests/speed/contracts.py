"""Contracts for whole runs of the raced models, and the runs themselves as a user starts them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.results import StoredRun
from bench.store import open_run
from tests.speed.subjects import Subject


@dataclass(frozen=True)
class Finished:
    """A whole `benchpact run`: its wall time, its highest resident memory (workers included), what it stored."""

    wall_ns: int
    peak_rss_bytes: int
    stored: StoredRun
    folder: Path


def write(folder: Path, raced: Subject, targets: Mapping[str, str], scenario: str) -> Path:
    """A contract for the subject on targets (name -> backend); ``scenario`` is the single-stream block."""
    settings = "device: cpu, threads: 1, precision: fp32, residency: host"
    limits = f"limits: {{single-stream: {{{scenario}}}}}"
    said = {name: f"backend: '{backend}', {settings}, {limits}" for name, backend in targets.items()}
    return write_targets(folder, raced, said)


def write_targets(folder: Path, raced: Subject, targets: Mapping[str, str]) -> Path:
    """A contract for the subject on targets: name -> all that is said of it, its limits too."""
    artifacts = []
    for kind, path in (("onnx", raced.onnx), ("torchscript", raced.torchscript)):
        if path.exists():
            if path.parent != folder:
                shutil.copy(path, folder)
            artifacts.append(f"  {kind}: {{path: {path.name}}}")
    lines = [
        "benchpact: 1",
        f"model: {{name: {raced.name}, version: 1.0.0}}",
        "artifacts:",
        *artifacts,
        f"inputs: {{{raced.input.name}: {{dtype: float32, shape: [{_dims(raced.input.shape)}]}}}}",
        f"outputs: {{{raced.output.name}: {{dtype: float32, shape: [{_dims(raced.output.shape)}]}}}}",
        "batch: batch",
        "targets:",
        *(f"  {name}: {{{said}}}" for name, said in targets.items()),
    ]
    path = folder / "contract.yaml"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def run(contract: Path, environment: Mapping[str, str] | None = None) -> Finished:
    """``benchpact run`` of the contract, quietly, into a new folder beside it.

    Raises RuntimeError where nothing was stored or a process run failed: there is nothing to compare then.
    """
    results = Path(tempfile.mkdtemp(dir=contract.parent))
    command = [sys.executable, "-m", "bench", "run", str(contract), "--results", str(results), "-q"]
    begin = time.perf_counter_ns()
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=environment)
    assert child.stderr is not None
    with child.stderr:
        said = child.stderr.read()
    _, status, usage = os.wait4(child.pid, 0)
    wall_ns = time.perf_counter_ns() - begin
    child.returncode = os.waitstatus_to_exitcode(status)
    if not any(results.iterdir()):
        raise RuntimeError(f"{' '.join(command)} stored no run: {said}")
    stored = open_run("latest", results)
    for case in stored.cases:
        for one in case.process_runs:
            if one.failure is not None:
                raise RuntimeError(f"{case.case}, process {one.index}: {one.failure.message}")
    return Finished(wall_ns, usage.ru_maxrss * 1024, stored, results / stored.info.run)


def _dims(shape: tuple[int | str, ...]) -> str:
    return ", ".join(str(size) for size in shape)
