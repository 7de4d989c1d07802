"""ONNX Runtime's TensorRT provider in TF32: NVIDIA's libraries are told of it once a process, so not where fp32 is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from backends import cuda_probe
from tests.gpu.promises import RESIDENCIES, SIZE, before_ampere
from tests.gpu.sessions import answer, layers, query

pytestmark = [pytest.mark.gpu, pytest.mark.timeout(900)]


@pytest.mark.parametrize("residency", RESIDENCIES)
def test_outputs_are_the_cpus_within_the_precision_and_are_not_fp32s(
    residency: str, folder: Path, cache: Path, gpu: cuda_probe.Gpu
) -> None:
    if before_ampere(gpu):
        pytest.skip("this GPU is older than TF32")
    model, asked = layers(folder, 4, SIZE), query(32, SIZE)
    right = answer(model, asked, device="cpu")
    found = answer(model, asked, precision="tf32", residency=residency, extra={"provider": "tensorrt"})
    off = float(np.abs(found - right).max() / np.abs(right).max())
    assert 1e-5 < off < 1e-2
