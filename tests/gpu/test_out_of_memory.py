"""A model for which a GPU has no room, in a whole run: a failure, and the next case runs once there is room again.

The GPU is taken by the suite but for a little, until the first case is stored. Engines are built before, in a run that
has all of it: what a builder says that has no room is not what is looked at.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from backends import cuda_probe
from tests.gpu import commands
from tests.gpu.sessions import layers
from tests.gpu.test_trt_rtx import builds_for

pytestmark = [pytest.mark.gpu, pytest.mark.timeout(1800)]
COUNT, SIZE = 28, 4096
WEIGHTS_BYTES = COUNT * SIZE * SIZE * 4
"""1.75 GiB, which is more than is left; an ONNX file of 2 GiB is none."""
CONTRACT = f"""\
benchpact: 1
model: {{name: layers, version: "1"}}
artifacts: {{onnx: {{path: MODEL}}}}
inputs: {{x: {{dtype: float32, shape: [batch, {SIZE}]}}}}
outputs: {{y: {{dtype: float32, shape: [batch, {SIZE}]}}}}
batch: batch
limits:
  single-stream: {{latency p50: 1 s, processes: 2, time: 1 s}}
targets:
"""
TARGET = '  NAME: {{backend: {}, device: "cuda:0", residency: device{}}}\n'
BY_ORT = ", options: {provider: tensorrt}"


@pytest.mark.parametrize(
    ("backend", "more"),
    [("tensorrt", ""), ("tensorrt-rtx", ""), ("onnxruntime", BY_ORT)],
    ids=["tensorrt", "tensorrt-rtx", "onnxruntime-tensorrt"],
)
def test_it_is_a_failure_and_the_next_case_runs(
    backend: str, more: str, folder: Path, tmp_path: Path, cache: Path, gpu: cuda_probe.Gpu
) -> None:
    if backend == "tensorrt-rtx" and not builds_for(gpu):
        pytest.skip(f"TensorRT-RTX builds for no GPU of compute capability {gpu.capability}, as {gpu.name} has")
    model, target = layers(folder, COUNT, SIZE).artifacts["onnx"], TARGET.format(backend, more)
    before = commands.ran(contract(tmp_path / "before", model, target, "alone"))
    assert [one["outcome"] for one in before.cases["alone"]["verdicts"]] == ["met"], before.printed
    commands.demand_on_gpu(before.cases["alone"], gpu)
    assert before.taken_bytes > WEIGHTS_BYTES
    with commands.starved() as look:
        found = commands.ran(contract(tmp_path / "starved", model, target, "starved", "fed"), look)
    assert found.code == 3, found.printed
    failure = found.cases["starved"]["failure"]
    assert failure is not None
    if backend != "onnxruntime":  # which does not pass on what TensorRT says
        assert failure["error"] == "OutOfMemory"
    assert [one["outcome"] for one in found.cases["fed"]["verdicts"]] == ["met"], found.printed
    commands.demand_on_gpu(found.cases["fed"], gpu)


def contract(place: Path, model: Path, target: str, *names: str) -> Path:
    """A folder with the model and a contract, which has that target under each of the names."""
    place.mkdir()
    os.link(model, place / model.name)
    targets = "".join(target.replace("NAME", name) for name in names)
    (place / "contract.yaml").write_text(CONTRACT.replace("MODEL", model.name) + targets)
    return place
