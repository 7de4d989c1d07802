"""The environments that ``make test-gpu-tools`` makes, and a child process in one of them.

One that is missing fails the test: nothing is skipped because nobody installed it.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
TIMEOUT_S = 240


def folder() -> Path:
    base = os.environ.get("BENCHPACT_CACHE")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return (Path(base) if base else cache / "benchpact-tests") / "gpu-tools"


def place(name: str) -> Path:
    found = folder() / name
    if not (found / ".made").is_file():
        pytest.fail(f"{found} is not there: make test-gpu-tools")
    return found


def ask(
    name: str, what: str, environment: Mapping[str, str] | None = None, child: str = "child", **words: Any
) -> dict[str, Any]:
    """What ``child.py`` answers in that environment; its standard error is shown where it does not."""
    done = subprocess.run(
        [place(name) / "bin" / "python", "-m", f"tests.gpu_tools.{child}", what],
        cwd=ROOT, input=json.dumps(words), capture_output=True, text=True, timeout=TIMEOUT_S, check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT), **(environment or {})},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-4000:]
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def software_vulkan() -> dict[str, str]:
    """The environment in which a WebGPU device is SwiftShader: a device with its own memory and queue, on this CPU."""
    where = place("swiftshader")
    return {"VK_ICD_FILENAMES": str(where / "vk_swiftshader_icd.json"), "LD_LIBRARY_PATH": str(where)}
