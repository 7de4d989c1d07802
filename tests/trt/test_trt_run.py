"""A whole run on a GPU in software: the command, its processes, and the engine that the first of them builds."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from backends import cuda_probe
from bench.conformance import onnx_examples
from tests.gpu import commands

CONTRACT = """\
benchpact: 1
model: {name: mlp, version: "1"}
artifacts: {onnx: {path: mlp.onnx}}
inputs: {x: {dtype: float32, shape: [batch, 8]}}
outputs: {y: {dtype: float32, shape: [batch, 4]}}
batch: batch
limits:
  single-stream: {latency p50: 10 s, processes: 2, time: 200 ms}
targets:
  trt: {backend: tensorrt, device: "cuda:0", residency: host}
"""


@pytest.fixture
def place(tmp_path: Path, cache: Path) -> Path:
    onnx_examples(tmp_path)
    (tmp_path / "contract.yaml").write_text(CONTRACT)
    return tmp_path


def run(place: Path, *words: str) -> tuple[int, str, dict[str, Any]]:
    """The exit code, what was printed, and the one case as it is stored."""
    command = [sys.executable, "-m", "bench", "run", "contract.yaml", "--results", "results", *words]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path or "." for path in sys.path)}
    done = subprocess.run(command, cwd=place, capture_output=True, text=True, timeout=250, check=False, env=environment)
    (stored,) = place.glob("results/*/cases/*.json")
    return done.returncode, done.stdout + done.stderr, json.loads(stored.read_text())


def test_the_first_process_builds_and_says_so_and_the_others_find_the_engine(place: Path) -> None:
    code, printed, case = run(place)
    assert code == 0, printed
    assert [one["outcome"] for one in case["verdicts"]] == ["met"]
    facts = [one["facts"] for one in case["process_runs"]]
    assert [one["engines"][0]["from"] for one in facts] == ["built", *["found"] * (len(facts) - 1)]
    assert facts[0]["gpu"]["name"] == "Software GPU"
    assert facts[0]["in the clock"].startswith("inputs copied to the device from page-locked memory, the run")
    assert "TensorRT built its engine in this process" in " ".join(printed.split())
    assert all(one["audit"]["ratio"] > 0 for one in case["process_runs"])


def test_a_model_that_tensorrt_does_not_take_is_not_measured_and_the_node_is_named(place: Path) -> None:
    import onnx

    model = onnx.load(place / "mlp.onnx")
    model.graph.node[0].op_type, model.graph.node[0].name = "Unique", "odd"
    onnx.save(model, place / "mlp.onnx")
    code, printed, case = run(place)
    assert code == 3, printed
    assert case["failure"]["error"] == "ModelRejected"
    assert "TensorRT does not take mlp.onnx: node 0 Unique `odd`: UNSUPPORTED_NODE" in case["failure"]["message"]


STARVED = """\
targets:
  starved: {backend: BACKEND, device: "cuda:0", residency: device}
  fed: {backend: BACKEND, device: "cuda:0", residency: device}
"""


@pytest.mark.parametrize("backend", ["tensorrt", "tensorrt-rtx"])
def test_a_gpu_out_of_memory_is_a_failure_of_that_name_and_the_next_case_runs(
    backend: str, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By TensorRT's own words, which write it as one. The GPU has room again when the first case is stored."""
    (place / "contract.yaml").write_text(CONTRACT.partition("targets:")[0] + STARVED.replace("BACKEND", backend))
    size = place / "bytes"
    size.write_text("1000")
    monkeypatch.setenv("SOFTWARE_CUDA_BYTES", str(size))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(path or "." for path in sys.path))
    found = commands.ran(place, lambda _: size.unlink(missing_ok=True) if commands.cases(place) else None)
    assert found.code == 3, found.printed
    assert found.cases["starved"]["failure"]["error"] == "OutOfMemory"
    assert "OutOfMemory (Requested size was" in found.cases["starved"]["failure"]["message"]
    assert [one["outcome"] for one in found.cases["fed"]["verdicts"]] == ["met"]
    commands.demand_on_gpu(found.cases["fed"], cuda_probe.numbered("cuda:0"))
