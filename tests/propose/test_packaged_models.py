"""Real models that come in packages: proposed, checked, run, and kept. The whole way, by the command."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from bench.contract.load import load
from bench.contract.model import Contract
from tests.packaged_models import packaged


def benchpact(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "bench", *arguments], cwd=folder, capture_output=True, text=True, check=False
    )


def initialised(name: str, folder: Path) -> Contract:
    shutil.copy(packaged(name), folder / "model.onnx")
    done = benchpact("init", "model.onnx", "-o", "contract.yaml", folder=folder)
    assert done.returncode == 0, done.stderr
    assert "proposed: measured" in (folder / "contract.yaml").read_text()
    assert benchpact("check", "contract.yaml", folder=folder).returncode == 0
    return load(folder / "contract.yaml")


def test_silero_vads_state_and_sample_rate_are_found_and_the_contract_runs(tmp_path: Path) -> None:
    contract = initialised("silero-vad", tmp_path)
    inputs = {one.spec.name: one for one in contract.inputs}
    assert dict(contract.state) == {"state": "stateN"}
    assert inputs["input"].spec.shape == ("batch", "input:1")
    assert inputs["state"].spec.shape == (2, "batch", 128)
    assert (inputs["sr"].spec.shape, inputs["sr"].low, inputs["sr"].high) == ((), 16000, 16000)
    assert dict(contract.dims) == {"input:1": 512}
    assert {spec.name: spec.shape for spec in contract.outputs} == {"output": ("batch", 1), "stateN": (2, "batch", 128)}
    done = benchpact("run", "contract.yaml", "--only", "latency p50", folder=tmp_path)
    assert done.returncode in (0, 1, 3), done.stderr
    assert "latency p50" in done.stdout


def test_magikas_integer_input_is_found_and_the_contract_runs(tmp_path: Path) -> None:
    contract = initialised("magika", tmp_path)
    (one,) = contract.inputs
    assert (one.spec.dtype, one.spec.shape, one.low, one.high) == ("int32", ("batch", 2048), 0, 255)
    assert contract.outputs[0].shape == ("batch", 214)
    done = benchpact("run", "contract.yaml", "--only", "latency p50", folder=tmp_path)
    assert done.returncode in (0, 1, 3), done.stderr
    assert "latency p50" in done.stdout


def test_another_sample_rate_and_size_can_be_asked_for(tmp_path: Path) -> None:
    shutil.copy(packaged("silero-vad"), tmp_path / "model.onnx")
    done = benchpact("init", "model.onnx", "--dim", "input:1=576", "--no-measure", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert '"input:1": 576' in done.stdout


def test_a_scripted_model_takes_its_shape_from_the_samples_and_its_plain_number_as_a_scalar(tmp_path: Path) -> None:
    shutil.copy(packaged("silero-vad-jit"), tmp_path / "model.jit")
    np.savez(tmp_path / "vs.npz", x=np.zeros((8, 512), np.float32), sr=np.int64(16000))
    done = benchpact("init", "model.jit", "--samples", "vs.npz", "-o", "contract.yaml", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    text = (tmp_path / "contract.yaml").read_text()
    assert "  x: {dtype: float32, shape: [batch, 512]}\n  sr: {dtype: int64, shape: []}\n" in text
    assert "# TO DO: `inputs`: dtype and shape of `x` are the samples', their first axis taken for the batch" in text
    text = text.replace("output: {dtype: float32, shape: []}", "output: {dtype: float32, shape: [batch, 1]}")
    text = text.replace("limits:\n", "limits:\n  single-stream: {latency p50: 10 s, processes: 1}\n", 1)
    (tmp_path / "contract.yaml").write_text(text)
    done = benchpact("run", "contract.yaml", "--only", "latency p50", folder=tmp_path)
    assert done.returncode == 0, done.stderr + done.stdout


@pytest.mark.parametrize("name", ["silero-vad", "silero-vad-jit", "magika"])
def test_the_packaged_model_is_there(name: str) -> None:
    assert packaged(name).stat().st_size > 1 << 20
