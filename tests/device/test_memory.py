"""What this process holds, by the kernel's account: now, at most, in bytes."""

from __future__ import annotations

import builtins
import io
from typing import Any

import numpy as np
import psutil
import pytest

from bench.device import memory

STATUS = "Name:\tpython\nVmPeak:\t  900 kB\nVmSize:\t  800 kB\nVmHWM:\t    70 kB\nVmRSS:\t    50 kB\nThreads:\t1\n"


def test_the_kernels_figures_are_told_in_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.open

    def scripted(name: Any, *rest: Any, **more: Any) -> Any:
        return io.StringIO(STATUS) if name == "/proc/self/status" else real(name, *rest, **more)

    monkeypatch.setattr(builtins, "open", scripted)
    assert memory.resident() == (50 * 1024, 70 * 1024)


def test_the_peak_stays_when_memory_is_given_back() -> None:
    held = np.ones(200_000_000, np.uint8)
    during = memory.resident()
    del held
    after = memory.resident()
    assert during.now_bytes is not None and after.now_bytes is not None and after.peak_bytes is not None
    assert during.now_bytes - after.now_bytes > 150_000_000
    assert after.peak_bytes >= during.now_bytes * 0.99
    assert after.now_bytes == pytest.approx(psutil.Process().memory_info().rss, rel=0.05)


@pytest.mark.parametrize(
    ("text", "is_it"),
    [
        ("std::bad_alloc", True),
        ("Failed to allocate memory for requested buffer of size 96", True),
        ("Available memory of 67108864 is smaller than requested bytes of 16777216", True),
        ("CUDA out of memory. Tried to allocate 2.00 GiB", True),
        ("Error Code 2: OutOfMemory (Requested size was 3356491776 bytes.)", True),
        ("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`", True),
        ("the call ended with CUDA_ERROR_OUT_OF_MEMORY", True),
        ("[enforce fail at alloc_cpu.cpp:118] DefaultCPUAllocator: can't allocate memory: you tried", True),
        ("libx.so: failed to map segment from shared object", True),
        ("libx.so: failed to map segment from shared object: Operation not permitted", False),
        ("the model gives no output `memory`", False),
    ],
)
def test_want_of_memory_is_known_by_its_words(text: str, is_it: bool) -> None:
    assert memory.ran_out(text) is is_it
