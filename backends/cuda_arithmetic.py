"""Arithmetic that a GPU, or its environment, has not: a library would compute in another, and not say so."""

from __future__ import annotations

import os

from backends.cuda_probe import Gpu
from bench.device.adapter import AdapterError, DeviceUnavailable

SINCE_AMPERE = ("tf32", "bf16")
"""Precisions that tensor cores have from compute capability 8.0 on."""
OVERRIDE = "NVIDIA_TF32_OVERRIDE"
"""At 0 it takes TF32 from all of NVIDIA's libraries, whatever a program tells them (cuBLAS's and cuDNN's manuals)."""


def demand(precision: str, gpu: Gpu) -> None:
    """DeviceUnavailable where the GPU lacks that precision, AdapterError where the environment takes it away."""
    if precision in SINCE_AMPERE and int(gpu.capability.partition(".")[0]) < 8:
        told = (precision, gpu.name, gpu.capability)
        raise DeviceUnavailable("%s needs a GPU of compute capability 8.0 or newer: %s has %s" % told)
    if precision == "tf32" and os.environ.get(OVERRIDE) == "0":
        raise AdapterError("precision tf32 cannot be had while %s=0 is set in the environment" % OVERRIDE)
