"""The GPU suite is collected on every machine, so that its imports do not rot, and run on none that has no GPU."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

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
