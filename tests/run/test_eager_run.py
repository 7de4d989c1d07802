"""A model built by the user's code, its state beside it: only where that is allowed, and never by unpickling."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from backends.torch_load import without_deprecations
from bench.store import load_timings

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
validation: {samples: samples.npz, predictions: reference.npz}
limits:
  single-stream: {latency p50: 1 s, processes: 1, time: 200 ms, min time: 50 ms}
  agreement: {max abs difference: 1e-4}
targets:
  eager: {backend: pytorch, options: {artifact: eager, OPTIONS}}
"""


def build() -> torch.nn.Module:
    return torch.nn.Sequential(torch.nn.Linear(4, 16), torch.nn.ReLU(), torch.nn.Linear(16, 3))


def written(folder: Path, kind: str, options: str = "") -> Path:
    (folder / "my_model.py").write_text(MODEL)
    model, samples = build(), torch.rand(8, 4)
    np.savez(folder / "samples.npz", x=samples.numpy())
    np.savez(folder / "reference.npz", y=model(samples).detach().numpy())  # only this very state gives these
    if kind == "safetensors":
        save_file(model.state_dict(), folder / "state.safetensors")
    else:
        torch.save(model.state_dict(), folder / "state.pth")
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
    assert not (tmp_path / "results").exists()
    done = bench(tmp_path, "run", "contract.yaml", "--allow-code")
    assert done.returncode == 0, done.stdout + done.stderr


def test_code_that_a_target_chooses_needs_to_be_allowed_also_beside_an_artifact(tmp_path: Path) -> None:
    written(tmp_path, "safetensors")
    with without_deprecations():
        torch.jit.save(torch.jit.script(build()), tmp_path / "m.ts.pt")
    text = (tmp_path / "contract.yaml").read_text().replace("artifacts: {", "artifacts: {torchscript: m.ts.pt, ")
    (tmp_path / "contract.yaml").write_text(text)
    refused = bench(tmp_path, "run", "contract.yaml")
    assert refused.returncode == 2
    assert "contract.yaml:2:62: `my_model:build` is code that this contract asks to run" in refused.stderr
    assert not (tmp_path / "results").exists()


def test_a_state_that_does_not_fit_the_module_is_refused_by_the_names_that_do_not(tmp_path: Path) -> None:
    written(tmp_path, "state-dict")
    torch.save({"0.weight": torch.ones(16, 4), "other": torch.ones(67)}, tmp_path / "state.pth")
    done = bench(tmp_path, "run", "contract.yaml", "--allow-code")
    assert done.returncode == 3
    assert "ModelRejected" in done.stdout
    assert "other" in done.stdout
    assert "0.bias" in done.stdout


class Runs:
    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, ("touch ran",)


def test_a_pickle_that_would_run_a_command_is_refused_and_nothing_runs(tmp_path: Path) -> None:
    written(tmp_path, "state-dict")
    torch.save({**build().state_dict(), "more": Runs()}, tmp_path / "state.pth")
    for words in (("check", "contract.yaml"), ("run", "contract.yaml"), ("run", "contract.yaml", "--allow-code")):
        done = bench(tmp_path, *words)
        assert done.returncode == 2
        assert "state.pth" in done.stderr
        assert "not only tensors: save it by torch.save(module.state_dict(), file)" in done.stderr
    assert not (tmp_path / "ran").exists()


def test_a_state_without_a_factory_is_refused_with_what_is_needed(tmp_path: Path) -> None:
    written(tmp_path, "state-dict")
    text = (tmp_path / "contract.yaml").read_text().replace(', factory: "my_model:build"', "")
    (tmp_path / "contract.yaml").write_text(text)
    done = bench(tmp_path, "check", "contract.yaml")
    assert done.returncode == 2
    assert "contract.yaml:12:3: target `eager`: a `state-dict` artifact cannot run by itself: name the" in done.stderr
    assert "as `factory` under `model`" in done.stderr


@pytest.mark.timeout(240)
def test_compiling_is_reported_and_is_in_no_latency(tmp_path: Path) -> None:
    written(tmp_path, "state-dict", ", compile: default")
    done = bench(tmp_path, "run", "contract.yaml", "--allow-code", "--json", "r.json")
    assert done.returncode == 0, done.stdout + done.stderr
    (case,) = json.loads((tmp_path / "r.json").read_text())["cases"]
    (process,) = case["process_runs"]
    compile_s = process["facts"]["compile_s"]
    assert compile_s > 0.05
    (run,) = (tmp_path / "results").iterdir()
    timings = load_timings(run, process["timings"])
    assert len(timings) > 10
    assert timings.max() < compile_s * 1e9 / 2  # not even the slowest of them waited for the compiler
    phases = {one["name"]: one["duration_ns"] for one in process["phases"]}
    assert phases["load"] >= compile_s * 1e9 * 0.9
    assert phases["first-query"] < compile_s * 1e9 / 2
