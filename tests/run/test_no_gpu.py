"""A target on a GPU, on a machine that has none: not measured, why, what mends it; other targets are unaffected."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.run.test_run_command import CONTRACT, make_model

NO_DRIVER = "int cuInit(unsigned f) { return 100; }\nint cuGetErrorString(int e, const char **s) { return 1; }"
TARGETS = """\
  cpu: {backend: onnxruntime}
  gpu: {backend: onnxruntime, device: "cuda:0"}
  trt: {backend: onnxruntime, device: "cuda:0", residency: device, options: {provider: tensorrt}}
  native: {backend: tensorrt, device: "cuda:0"}
"""
SAYS = {"gpu": ("cuda:0 cannot be used: ", "onnxruntime-gpu[cuda,cudnn]"), "native": ("", "pip install tensorrt-cu13")}
"""Why, and what to install."""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A contract, and a driver that finds no GPU: the same on a machine that has one."""
    make_model(tmp_path / "model.onnx")
    (tmp_path / "contract.yaml").write_text(CONTRACT.replace("LIMIT", "10 s") + TARGETS)
    (tmp_path / "driver.c").write_text(NO_DRIVER)
    library = tmp_path / "driver" / "libcuda.so.1"
    library.parent.mkdir()
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, tmp_path / "driver.c"], check=True)
    return tmp_path


def run(place: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "LD_LIBRARY_PATH": str(place / "driver"), "COLUMNS": "200"}
    command = [sys.executable, "-m", "bench", "run", str(place / "contract.yaml"), "--results", str(place / "results")]
    return subprocess.run(
        [*command, *words], cwd=place, env=environment, capture_output=True, text=True, timeout=250, check=False
    )


@pytest.mark.parametrize("target", ["gpu", "native"])
def test_only_on_a_gpu_that_is_not_there_nothing_is_measured_and_it_says_what_to_install(
    target: str, place: Path
) -> None:
    done = run(place, "--on", target)
    assert done.returncode == 3, done.stdout + done.stderr
    assert "not measured" in done.stdout
    why, install = SAYS[target]
    assert f"{why}the driver finds no GPU (CUDA error 100)" in " ".join(done.stdout.split())
    assert install in done.stdout
    assert "nvidia-smi" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr


def test_other_targets_of_the_same_run_are_measured_and_judged_as_ever(place: Path) -> None:
    done = run(place)
    assert done.returncode == 3, done.stdout + done.stderr
    (folder,) = (place / "results").glob("*/cases")
    cases = {case["target"]: case for case in map(json.loads, (one.read_text() for one in folder.glob("*.json")))}
    assert [one["outcome"] for one in cases["cpu"]["verdicts"]] == ["met"]
    for name in ("gpu", "trt", "native"):
        assert {one["outcome"] for one in cases[name]["verdicts"]} == {"not measured"}
        assert all(one["value"] is None for one in cases[name]["figures"])
        assert all(one["timings"] is None for one in cases[name]["process_runs"])
