"""The GPU suite is collected on every machine, so that its imports do not rot, and run on none that has no GPU."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.backends.test_cuda_probe import library

ROOT = Path(__file__).parents[2]


def pytest_says(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *words],
        cwd=ROOT, capture_output=True, text=True, timeout=250, check=False,
    )  # fmt: skip


def test_the_gpu_suite_collects_and_all_of_it_is_marked() -> None:
    done = pytest_says("--collect-only", "-m", "gpu", "tests/gpu")
    assert done.returncode == 0, done.stdout + done.stderr
    names = [line for line in done.stdout.splitlines() if "::" in line]
    assert len(names) > 40
    assert "deselected" not in done.stdout


def test_without_being_asked_for_it_is_not_run() -> None:
    done = pytest_says("--collect-only", "tests/gpu", "tests/gpu_tools")
    assert done.returncode == 5, done.stdout  # nothing is left to run
    assert "::" not in done.stdout


TAKES_MEMORY = r"""
#include <stdio.h>
#include <stddef.h>
int cuInit(unsigned f) { return 0; }
int cuDeviceGet(int *d, int i) { *d = i; return 0; }
int cuDevicePrimaryCtxRetain(void **c, int d) { *c = (void *)7; return 0; }
int cuCtxSetCurrent(void *c) { return c == (void *)7 ? 0 : 201; }
int cuMemAlloc_v2(unsigned long long *p, size_t n) { if (n > 1000) return 2; *p = 1ULL << 40; return 0; }
int cuMemFree_v2(unsigned long long p) { fprintf(stderr, "freed"); return p == 1ULL << 40 ? 0 : 1; }
"""


@pytest.mark.parametrize(("size", "code", "said"), [(1000, 0, "freed"), (1001, 1, "CUDA error 2")])
def test_the_suites_allocation_is_taken_and_given_back(size: int, code: int, said: str, tmp_path: Path) -> None:
    environment = {**os.environ, "LD_LIBRARY_PATH": str(library(tmp_path, TAKES_MEMORY))}
    done = subprocess.run(
        [sys.executable, "-m", "tests.gpu.allocating", str(size)],
        cwd=ROOT, input="", capture_output=True, text=True, env=environment, timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (code, "" if code else "held\n")
    assert said in done.stderr
