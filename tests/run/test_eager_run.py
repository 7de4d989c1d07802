"""A model built by the user's code, its state beside it: only where that is allowed, and never by unpickling."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

MODEL = """
import torch

def build():
    return torch.nn.Sequential(torch.nn.Linear(4, 16), torch.nn.ReLU(), torch.nn.Linear(16, 3))
"""
CONTRACT = """\
benchpact: 1
model: {name: eager, version: "1", parameters: 131, factory: "my_model:build"}
artifacts: {KIND: {path: FILE}}
inputs: {x: {dtype: float32, shape: [batch, 4], range: [0, 1]}}
outputs: {y: {dtype: float32, shape: [batch, 3]}}
batch: batch
limits:
  single-stream: {latency p50: 1 s, processes: 1, time: 200 ms, min time: 50 ms}
targets:
  eager: {backend: pytorch, options: {artifact: eager, OPTIONS}}
"""


def build() -> torch.nn.Module:
    return torch.nn.Sequential(torch.nn.Linear(4, 16), torch.nn.ReLU(), torch.nn.Linear(16, 3))


def written(folder: Path, kind: str, options: str = "") -> Path:
    (folder / "my_model.py").write_text(MODEL)
    if kind == "safetensors":
        from safetensors.torch import save_file

        save_file(build().state_dict(), folder / "state.safetensors")
    else:
        torch.save(build().state_dict(), folder / "state.pth")
    file = "state.safetensors" if kind == "safetensors" else "state.pth"
    text = CONTRACT.replace("KIND", kind).replace("FILE", file).replace(", OPTIONS", options)
    (folder / "contract.yaml").write_text(text)
    return folder


def bench(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "bench", *words], cwd=folder, env={**os.environ, "NO_COLOR": "1"},
        capture_output=True, text=True, timeout=200, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("kind", ["safetensors", "state-dict"])
def test_an_eager_model_with_its_state_is_measured_where_its_code_is_allowed(kind: str, tmp_path: Path) -> None:
    written(tmp_path, kind)
    refused = bench(tmp_path, "run", "contract.yaml")
    assert refused.returncode == 2
    assert "--allow-code" in refused.stderr
    done = bench(tmp_path, "run", "contract.yaml", "--allow-code")
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_state_that_does_not_fit_the_module_is_refused_by_the_names_that_do_not(tmp_path: Path) -> None:
    written(tmp_path, "state-dict")
    torch.save({"0.weight": torch.ones(16, 4), "other": torch.ones(67)}, tmp_path / "state.pth")
    done = bench(tmp_path, "run", "contract.yaml", "--allow-code")
    assert done.returncode == 3
    assert "ModelRejected" in done.stdout
    assert "other" in done.stdout


def test_a_state_without_a_factory_is_refused_with_what_is_needed(tmp_path: Path) -> None:
    written(tmp_path, "state-dict")
    text = (tmp_path / "contract.yaml").read_text().replace(', factory: "my_model:build"', "")
    (tmp_path / "contract.yaml").write_text(text)
    done = bench(tmp_path, "check", "contract.yaml")
    assert done.returncode == 2
    assert "factory" in done.stderr


@pytest.mark.timeout(240)
def test_compiling_is_reported_and_is_in_no_latency(tmp_path: Path) -> None:
    written(tmp_path, "state-dict", ", compile: default")
    done = bench(tmp_path, "run", "contract.yaml", "--allow-code", "--json", "r.json")
    assert done.returncode == 0, done.stdout + done.stderr
    (case,) = json.loads((tmp_path / "r.json").read_text())["cases"]
    (process,) = case["process_runs"]
    compile_s = process["facts"]["compile_s"]
    assert compile_s > 0.05
    (mean,) = [one for one in case["figures"] if one["metric"] == "latency mean"]
    assert mean["value"] < compile_s * 1e9 / 10
    (load,) = [one for one in process["phases"] if one["name"] == "load"]
    assert load["duration_ns"] >= compile_s * 1e9 * 0.9
