"""A contract, a case and process runs written by hand, for judging; nothing measured."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.contract.model import (
    Artifact,
    Contract,
    Limits,
    Place,
    Requirement,
    ScenarioSettings,
    Target,
    Validation,
)
from bench.device.adapter import TensorSpec
from bench.metrics import ARTIFACT_SIZE, find
from bench.plan import Case
from bench.results import Audit, Block, Failure, Memory, Phase, ProcessRun, WarmUp

PLACE = Place("contract.yaml", 1, 1)
CRASH = Failure("WorkerCrashed", "the worker was ended by SIGSEGV", "measure", "SIGSEGV")
INVALID = Failure("MeasurementInvalid", "the clock stopped before the work did", "audit")
SPENT = Failure("BudgetSpent", "the time budget was spent before this process: give a larger --time-budget")
COUNT = 2000
SAMPLES = 50


def requirement(block: str, metric: str, limit: float, direction: str | None = None) -> Requirement:
    known = find(block, metric) if block else ARTIFACT_SIZE
    assert known is not None
    way = known.direction if direction is None else "at least" if direction == "at least" else "at most"
    return Requirement(block, metric, known.unit, way, limit, str(limit), PLACE)


def case(*requirements: Requirement, scenario: str = "single-stream", processes: int = 3) -> Case:
    target = Target("ort-1", "onnxruntime", "cpu", 1, "fp32", "host", {}, (), Limits(requirements), PLACE)
    collects = any(one.block in ("accuracy", "agreement") for one in requirements)
    return Case(f"ort-1.{scenario}", target, ScenarioSettings(scenario, processes=processes), requirements, collects)


def contract(folder: Path) -> Contract:
    """With two artifacts of 100 and 300 bytes, and no validation files."""
    for name, size in (("m.onnx", 100), ("m.xml", 200), ("m.bin", 100)):
        (folder / name).write_bytes(bytes(size))
    xml = Artifact("openvino", folder / "m.xml", None, PLACE, ((folder / "m.bin", None),))
    return Contract(
        path=folder / "contract.yaml",
        name="digits",
        version="1",
        framework=None,
        framework_version=None,
        parameters=None,
        artifacts=(Artifact("onnx", folder / "m.onnx", None, PLACE), xml),
        inputs=(),
        outputs=(TensorSpec("logits", "float32", ("batch", 4)),),
        dims={},
        batch_dim="batch",
        state={},
        validation=Validation(),
        targets=(),
    )


def validated(folder: Path, labels: NDArray[Any] | None = None, predictions: NDArray[Any] | None = None) -> Contract:
    """The same with samples, and with labels and predictions where they are given."""
    np.savez(folder / "samples.npz", image=np.zeros((SAMPLES, 2), np.float32))
    if labels is not None:
        np.savez(folder / "labels.npz", labels=labels)
    if predictions is not None:
        np.savez(folder / "predictions.npz", logits=predictions)
    files = Validation(
        samples=folder / "samples.npz",
        labels=None if labels is None else folder / "labels.npz",
        predictions=None if predictions is None else folder / "predictions.npz",
    )
    return replace(contract(folder), validation=files)


def process(index: int, *, failure: Failure | None = None, settled: bool = True, batch: int = 1) -> ProcessRun:
    """A process of 20 blocks of 100 queries, 1 ms each, and 2 ms more a block."""
    blocks = tuple(Block(100, 100 * batch, at * 102_000_000, 102_000_000, 0) for at in range(20))
    return ProcessRun(
        index=index,
        phases=tuple(
            Phase(name, at * 1_000_000 + index, None, None)
            for at, name in enumerate(("start", "import", "load", "first-query"), start=1)
        ),
        cold_start_ns=10_000_000 + index,
        warm_up=WarmUp(100, 10, settled, "a rule"),
        audit=Audit(64, 100, 101, 1, 0.99),
        memory=Memory(60_000, 70_000, 100_000 + index, "VmHWM"),
        blocks=blocks,
        batch=batch,
        timings=f"process-{index}.npy",
        timings_count=COUNT,
        facts={"artifact": "onnx", "device": "cpu"},
        samples_source="file",
        samples_count=SAMPLES,
        failure=failure,
    )


def latencies(run: ProcessRun) -> NDArray[np.uint64]:
    """Timings of about 1 ms, the same for the same process."""
    values = np.random.default_rng(run.index).lognormal(np.log(1e6), 0.05, COUNT)
    return np.asarray(values, dtype=np.uint64)
