"""A whole contract as text, and ways to change it: what the contract's tests start from."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.contract.load import load
from bench.contract.model import Contract, Requirement, ScenarioSettings, Target
from bench.contract.problems import ContractProblems

WHOLE = """\
benchpact: 1
model:
  name: digits-cnn
  version: 1.10
  framework: pytorch
  framework version: 2.13.0
  parameters: 12_874
artifacts:
  onnx: {path: digits.onnx, sha256: 9F86D081884C7D659A2FEAA0C55AD015A3BF4F1B2B0B822CD15D6C15B0F00A08}
  torchscript: digits.ts.pt
  openvino: {path: ir/digits.xml, files: [{path: ir/digits.bin}, ir/more.bin]}
inputs:
  image: {dtype: float32, shape: [batch, 1, height, 8], range: [-1, 1e0]}
  h: {dtype: float16, shape: [2, batch, 32]}
  rate: {dtype: int64, shape: [], range: [8000, 16000]}
outputs:
  logits: {dtype: float32, shape: [batch, 10]}
  h_out: {dtype: float16, shape: [2, batch, 32]}
dims: {height: 640}
batch: batch
state: {h: h_out}
validation:
  samples: val.npz
  labels: labels.npz
  predictions: reference.npz
  output: logits
limits:
  single-stream: {latency p50: 1 ms, latency p99: at most 5 ms, peak memory: <= 300 MiB, time: 2 s, processes: 3}
  offline: {batch: 64, throughput: 1200/s}
  cold-start: {processes: 5, cold start: 2 s, load time: 200 ms}
  accuracy: {top-1: 97 %, "metrics:weighted_error": at most 0.1}
  agreement: {max abs difference: 1e-4, label agreement: 100 %}
  artifact size: 1 MiB
targets:
  ort-1:
    backend: onnxruntime
    device: cpu
    threads: 2
    precision: fp32
    residency: host
    options: {graph optimization: all, spinning: false, inter-op threads: 2, ratio: 0.5, word: "2"}
    limits: {single-stream: {latency p99: 3 ms, queries: 1000}}
  torch-ts: pytorch
"""
"""Everything a contract can say, once; its files do not exist."""


def changed(old: str, new: str, text: str = WHOLE) -> str:
    """The contract with one stretch of text replaced; the stretch must be there exactly once."""
    assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in the contract"
    return text.replace(old, new)


def write(folder: Path, text: str | bytes, name: str = "contract.yaml") -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def loaded(folder: Path, text: str = WHOLE) -> Contract:
    return load(write(folder, text))


def problems(folder: Path, text: str | bytes) -> list[str]:
    """Every problem of the contract as ``line:column: message``."""
    path = write(folder, text)
    with pytest.raises(ContractProblems) as caught:
        load(path)
    lines = str(caught.value).split("\n")
    assert lines == [str(problem) for problem in caught.value.problems]
    assert all(line.startswith(f"{path}:") for line in lines)
    return [line.removeprefix(f"{path}:") for line in lines]


def problem(folder: Path, text: str | bytes) -> str:
    """The one problem of the contract."""
    found = problems(folder, text)
    assert len(found) == 1, found
    return found[0]


def requirement(target: Target, name: str) -> Requirement:
    return next(one for one in target.limits.requirements if one.id == name)


def scenario(target: Target, name: str) -> ScenarioSettings:
    return next(one for one in target.limits.scenarios if one.scenario == name)
