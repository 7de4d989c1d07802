"""NVIDIA's driver itself: its library begun, without a CUDA context, and how many GPUs it has.

Whoever asks anything else of it (``gpu_named``, an adapter's probe) begins here. Only the standard library is imported:
a process that asks a driver which may crash needs no more.
https://docs.nvidia.com/cuda/cuda-driver-api/
"""

from __future__ import annotations

import ctypes
from typing import Any, NamedTuple

LIBRARY = "libcuda.so.1"
NO_GPU = 100
"""``CUDA_ERROR_NO_DEVICE``."""


class Begun(NamedTuple):
    """The library, how many GPUs it has, and the ``CUresult`` by which it has none; 0 where it has some."""

    driver: Any
    gpus: int
    code: int


def begin(name: str = LIBRARY) -> Begun:
    """Begin the driver: to do it again costs nothing. OSError or AttributeError where no such library is a driver."""
    driver, count = ctypes.CDLL(name), ctypes.c_int()
    code = int(driver.cuInit(0)) or int(driver.cuDeviceGetCount(ctypes.byref(count)))
    return Begun(driver, count.value, code or (0 if count.value else NO_GPU))
