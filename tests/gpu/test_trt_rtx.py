"""TensorRT-RTX on a real GPU, for the kinds of GPU that it builds for; it refuses others in its own words."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any, ClassVar

import pytest

from backends import cuda_probe
from backends.trt import TensorRtAdapter
from bench.device.adapter import AdapterError, Settings
from tests.gpu import proven
from tests.gpu.sessions import DEVICE, layers, query
from tests.gpu.trt_promises import OnTensorRt, TensorRtPromises

pytestmark = [pytest.mark.gpu, pytest.mark.timeout(900)]


def builds_for(gpu: cuda_probe.Gpu) -> bool:
    kinds: Any = importlib.import_module("tensorrt_rtx").ComputeCapability
    return hasattr(kinds, "SM" + gpu.capability.replace(".", ""))


def test_a_gpu_that_it_builds_for_runs_and_another_is_refused_in_words(
    gpu: cuda_probe.Gpu, folder: Path, cache: Path
) -> None:
    model = layers(folder, 1, 64)
    if builds_for(gpu):
        with proven.TensorRtRtx().open(model, Settings(device=DEVICE)) as session:
            session.run(session.stage(query(1, 64)))
        return
    with pytest.raises(AdapterError, match=f"does not build for GPUs of compute capability {gpu.capability}"):
        proven.TensorRtRtx().open(model, Settings(device=DEVICE))


class OnRtx:
    @pytest.fixture(autouse=True)
    def _on_its_gpu(self, gpu: cuda_probe.Gpu, cache: Path) -> None:
        if not builds_for(gpu):
            pytest.skip(f"TensorRT-RTX builds for no GPU of compute capability {gpu.capability}, as {gpu.name} has")


class TestHostResident(OnRtx, OnTensorRt):
    __test__ = True
    adapter = "tests.gpu.proven:TensorRtRtx"


class TestDeviceResident(OnRtx, OnTensorRt):
    __test__ = True
    adapter = "tests.gpu.proven:TensorRtRtx"
    settings = Settings(device=DEVICE, residency="device")


class TestSessions(OnRtx, TensorRtPromises):
    kind: ClassVar[type[TensorRtAdapter]] = proven.TensorRtRtx
