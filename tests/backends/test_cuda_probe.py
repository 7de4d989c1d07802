"""Asking NVIDIA's driver for its GPUs, with drivers that answer, refuse, crash and hang, each a compiled library."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from backends import cuda_probe

TWO_GPUS = r"""
#include <string.h>
#include <stddef.h>
int cuInit(unsigned f) { return 0; }
int cuDriverGetVersion(int *v) { *v = 13020; return 0; }
int cuDeviceGetCount(int *n) { *n = 2; return 0; }
int cuDeviceGet(int *d, int i) { *d = i; return 0; }
int cuDeviceGetName(char *s, int n, int d) { strcpy(s, d ? "Second GPU" : "First GPU"); return 0; }
int cuDeviceGetUuid_v2(unsigned char *u, int d) { memset(u, d ? 0xab : 0x01, 16); return 0; }
int cuDeviceTotalMem_v2(size_t *n, int d) { *n = (size_t)(d + 1) << 33; return 0; }
int cuDeviceGetAttribute(int *v, int a, int d) { *v = a == 75 ? 9 : a == 76 ? d : -1; return 0; }
int cuGetErrorString(int e, const char **s) { *s = "none"; return 0; }
"""
REFUSES = r"""
int cuInit(unsigned f) { return %d; }
int cuGetErrorString(int e, const char **s) { *s = "its own words"; return 0; }
"""
CRASHES = "int cuInit(unsigned f) { return *(volatile int *)0; }"
HANGS = "#include <unistd.h>\nint cuInit(unsigned f) { sleep(600); return 0; }"


def library(folder: Path, source: str) -> Path:
    """A folder with a ``libcuda.so.1`` of this source."""
    code = folder / "libcuda.c"
    code.write_text(source)
    subprocess.run(
        ["cc", "-shared", "-fPIC", "-w", "-Wl,-soname,libcuda.so.1", "-o", folder / "libcuda.so.1", code], check=True
    )
    return folder


def looked(folder: Path, timeout_s: float = 60) -> cuda_probe.Found:
    """What ``look`` says in a process whose loader finds the folder's driver first."""
    lines = f"import json; from backends import cuda_probe; print(json.dumps(cuda_probe.look({timeout_s})))"
    environment = {**os.environ, "LD_LIBRARY_PATH": str(folder), "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", lines], capture_output=True, text=True, env=environment, check=True)
    gpus, *words = json.loads(done.stdout)
    return cuda_probe.Found(tuple(cuda_probe.Gpu(*one) for one in gpus), *words)


def test_gpus_are_told_in_the_drivers_order_with_uuid_and_capability(tmp_path: Path) -> None:
    found = looked(library(tmp_path, TWO_GPUS))
    assert found.driver == "13.2"
    assert found.reason == found.remedy == ""
    first, second = found.gpus
    assert first == ("First GPU", "GPU-01010101-0101-0101-0101-010101010101", "9.0", 8 << 30)
    assert second == ("Second GPU", "GPU-abababab-abab-abab-abab-abababababab", "9.1", 16 << 30)


@pytest.mark.parametrize("code", [*cuda_probe.ERRORS, 777])
def test_what_the_driver_refuses_is_a_sentence_with_its_code_and_a_way_out(code: int, tmp_path: Path) -> None:
    found = looked(library(tmp_path, REFUSES % code))
    assert found.gpus == ()
    assert f"(CUDA error {code}: its own words)" in found.reason
    assert found.reason.startswith(cuda_probe.ERRORS.get(code, ("the driver does not start",))[0])
    assert found.remedy


def test_a_driver_that_crashes_is_a_sentence(tmp_path: Path) -> None:
    found = looked(library(tmp_path, CRASHES))
    assert found.gpus == ()
    assert found.reason == "NVIDIA's driver crashed when it was asked for its GPUs (signal 11)"
    assert found.remedy


def test_a_driver_that_hangs_is_a_sentence(tmp_path: Path) -> None:
    found = looked(library(tmp_path, HANGS), timeout_s=1)
    assert found.reason == "NVIDIA's driver did not answer within 1 s"


def test_a_library_that_is_none_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "libcuda.so.1").write_bytes(b"no library")
    found = looked(tmp_path)
    assert found.gpus == ()
    assert "there is no NVIDIA driver here (" in found.reason
    assert "docker run --gpus all" in found.remedy


def test_a_device_is_its_number_in_the_drivers_order(monkeypatch: pytest.MonkeyPatch) -> None:
    gpus: Any = (cuda_probe.Gpu("a", "u", "9.0", 1), cuda_probe.Gpu("b", "v", "9.0", 1))
    monkeypatch.setattr(cuda_probe, "_FOUND", [cuda_probe.Found(gpus, "13.0")])
    assert cuda_probe.gpu_of("cuda:1") == gpus[1]
    assert cuda_probe.gpu_of("cuda") == gpus[0]
    assert cuda_probe.gpu_of("cuda:2") is None


def test_a_library_that_is_another_one_is_no_driver() -> None:
    told = cuda_probe.ask("libc.so.6")
    assert told["gpus"] == []
    assert told["reason"].startswith("there is no NVIDIA driver here (")
    assert "cuInit" in told["reason"]
