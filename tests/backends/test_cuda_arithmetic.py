"""No number stands under a precision that the GPU, or its environment, has not; TensorRT's part is in tests/trt."""

from __future__ import annotations

from pathlib import Path

import pytest

from backends import cuda_arithmetic, ort_cuda, torch_cuda
from backends.cuda_probe import Gpu
from backends.ort import OnnxRuntimeAdapter
from backends.pytorch import PyTorchAdapter
from bench.conformance import onnx_examples
from bench.device.adapter import Adapter, AdapterError, DeviceUnavailable, ModelFiles, Settings
from tests.backends import torch_models

NEW, OLD = (Gpu("GPU", "GPU-1", capability, 8 << 30) for capability in ("10.0", "7.5"))
ASKED = Settings(device="cuda:0", precision="tf32")


@pytest.fixture(autouse=True)
def unset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(cuda_arithmetic.OVERRIDE, raising=False)
    monkeypatch.setattr(ort_cuda, "_TF32", [])


def test_what_the_gpu_has_is_taken() -> None:
    for precision in ("fp32", "tf32", "bf16", "fp16"):
        cuda_arithmetic.demand(precision, NEW)
    for precision in ("fp32", "fp16"):
        cuda_arithmetic.demand(precision, OLD)


@pytest.mark.parametrize("precision", ["tf32", "bf16"])
def test_what_it_has_not_is_refused(precision: str) -> None:
    with pytest.raises(DeviceUnavailable, match=rf"{precision} needs a GPU of compute capability 8\.0 .* GPU has 7\.5"):
        cuda_arithmetic.demand(precision, OLD)


def test_what_the_environment_takes_away_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NVIDIA_TF32_OVERRIDE", "0")
    cuda_arithmetic.demand("fp32", NEW)
    with pytest.raises(AdapterError, match="tf32 cannot be had while NVIDIA_TF32_OVERRIDE=0 is set"):
        cuda_arithmetic.demand("tf32", NEW)


def models(folder: Path) -> list[tuple[Adapter, ModelFiles]]:
    script = torch_models.as_torchscript(torch_models.small()[0], folder)
    return [(OnnxRuntimeAdapter(), onnx_examples(folder)[0].model), (PyTorchAdapter(), script.model)]


@pytest.mark.parametrize("which", [0, 1], ids=["onnxruntime", "pytorch"])
def test_a_session_asks_before_it_computes(which: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    adapter, model = models(tmp_path)[which]
    here = [OLD]
    monkeypatch.setattr(ort_cuda, "demand_gpu", lambda *_: here[0])
    monkeypatch.setattr(torch_cuda, "demand", lambda *_: here[0])
    with pytest.raises(DeviceUnavailable, match="tf32 needs a GPU of compute capability"):
        adapter.open(model, ASKED)
    here[:] = [NEW]
    monkeypatch.setenv("NVIDIA_TF32_OVERRIDE", "0")
    with pytest.raises(AdapterError, match="tf32 cannot be had"):
        adapter.open(model, ASKED)
