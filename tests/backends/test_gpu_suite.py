"""The GPU suite is collected on every machine, so that its imports do not rot, and run on none that has no GPU."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from onnx.reference import ReferenceEvaluator

from backends import onnx_weights, precision
from bench.device.adapter import Session
from tests.backends.test_cuda_probe import TWO_GPUS, library
from tests.device import fake_nvml
from tests.gpu import peers, sessions
from tests.gpu.leaks import Held, opened_and_left
from tests.trt.software import compiled

ROOT = Path(__file__).parents[2]


def pytest_says(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *words],
        cwd=ROOT, capture_output=True, text=True, timeout=250, check=False, env={**os.environ, **environment},
    )  # fmt: skip


def test_the_gpu_suite_collects_and_all_of_it_is_marked() -> None:
    done = pytest_says("--collect-only", "-m", "gpu", "tests/gpu")
    assert done.returncode == 0, done.stdout + done.stderr
    names = [line for line in done.stdout.splitlines() if "::" in line]
    assert len(names) > 40
    assert "deselected" not in done.stdout
    assert not [name for name in names if "threads_work" in name]  # nothing could fail there: a GPU has none


def software(folder: Path) -> str:
    """``LD_LIBRARY_PATH`` with all that stands in for a GPU in these tests: a driver that has one, and NVML."""
    driver, nvml = folder / "driver", folder / "nvml"
    driver.mkdir()
    nvml.mkdir()
    return f"{compiled(driver)}:{fake_nvml.compiled(nvml)}"


PYTHON = """\
#!/bin/sh
echo "$@" >>asked
case "$*" in *test_a.py) exit 1;; esac
"""


def test_each_file_of_it_has_a_process_of_its_own_and_one_that_fails_stops_no_other(tmp_path: Path) -> None:
    """What NVIDIA's libraries are told of TF32 is told once a process."""
    for name in ("tests/gpu/test_a.py", "tests/gpu/test_b.py", ".venv-gpu/bin/python"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(PYTHON)
    (tmp_path / ".venv-gpu/bin/python").chmod(0o755)
    made = ["-o", ".venv-gpu/.installed-test"]
    (tmp_path / ".venv-gpu/.installed-test").touch()
    done = subprocess.run(["make", "-f", ROOT / "Makefile", *made, "test-gpu"], cwd=tmp_path, check=False)
    assert done.returncode == 2
    asked = (tmp_path / "asked").read_text().splitlines()
    assert asked == [f"-m pytest -m gpu tests/gpu/test_{name}.py" for name in "ab"]


@pytest.mark.timeout(600)
def test_on_a_gpu_in_software_none_of_it_passes_and_none_is_skipped(tmp_path: Path) -> None:
    done = pytest_says("-m", "gpu", "tests/gpu", LD_LIBRARY_PATH=software(tmp_path))
    assert done.returncode == 1, done.stdout + done.stderr
    assert "cuda:0, Software GPU, is none: " in done.stdout
    assert "numbers that its kernel computed are wrong" in done.stdout
    (counts,) = re.findall(r"^(?:\d+ \w+, )*\d+ \w+ in .*$", done.stdout, re.MULTILINE)
    assert re.fullmatch(r"[1-9]\d{2,} errors in .*", counts), counts


def test_a_driver_that_runs_no_kernels_is_no_gpu(tmp_path: Path) -> None:
    environment = {**os.environ, "LD_LIBRARY_PATH": str(library(tmp_path, TWO_GPUS))}
    asks = "from tests.gpu import proof; print(proof.why_not())"
    done = subprocess.run(
        [sys.executable, "-c", asks], cwd=ROOT, capture_output=True, text=True, env=environment, timeout=60, check=False
    )
    assert done.stdout.startswith("running a kernel ended with code 1: "), done.stdout + done.stderr


def test_without_being_asked_for_it_is_not_run() -> None:
    done = pytest_says("--collect-only", "tests/gpu", "tests/gpu_tools")
    assert done.returncode == 5, done.stdout  # nothing is left to run
    assert "::" not in done.stdout


class Kept(list[Held]):
    """What is held, as a test says it, call by call."""

    def __call__(self) -> Held:
        return self.pop(0)


def test_what_a_thousand_sessions_keep_is_told_from_what_the_first_ones_do(tmp_path: Path) -> None:
    model, opened = sessions.layers(tmp_path, 1, 8), 0

    def once() -> Session:
        nonlocal opened
        opened += 1
        return sessions.opened(model, device="cpu")

    held = Kept([Held(100, 10), Held(107, 12)])
    assert opened_and_left(once, sessions.query(2, 8), held, 30) == Held(7, 2)
    assert (opened, held) == (30, [])


def test_the_suites_models_answer_as_numpy_does(tmp_path: Path) -> None:
    model, asked = sessions.layers(tmp_path, 2, 64), sessions.query(4, 64)
    right = asked.arrays["x"]
    for weight in onnx.load(model.artifacts["onnx"]).graph.initializer:
        right = np.maximum(right @ numpy_helper.to_array(weight), 0)
    np.testing.assert_allclose(sessions.answer(model, asked, device="cpu"), right, 1e-4, 1e-4)


@pytest.mark.parametrize(("graph", "off"), [("fp16", 2e-2), ("bf16", 5e-2), ("fp64", 1e-4)])
def test_the_suites_graphs_compute_in_their_own_precision_and_answer_as_fp32_does(
    graph: str, off: float, tmp_path: Path
) -> None:
    """Within what is allowed on a GPU, and further off than rounding of fp32 where they are narrower."""
    model, asked = sessions.layers(tmp_path, 2, 64, graph=graph), sessions.query(4, 64)
    assert precision.of(onnx_weights.weight_dtypes(model.artifacts["onnx"]), model) == graph
    found: Any
    (found,) = ReferenceEvaluator(str(model.artifacts["onnx"])).run(None, dict(asked.arrays))
    right = sessions.answer(sessions.layers(tmp_path, 2, 64), asked, device="cpu")
    most = float(np.abs(right).max())
    np.testing.assert_allclose(found, right, off, off * most)
    assert (float(np.abs(found - right).max()) > 1e-5 * most) == (graph != "fp64")


def test_the_suites_audit_catches_work_that_is_done_when_it_is_asked_for(tmp_path: Path) -> None:
    with sessions.opened(sessions.layers(tmp_path, 4, 1024), device="cpu") as session:
        inner: Any = session
        run, read, queued = inner.run, inner.read, []

        def later(staged: Any) -> Any:
            queued.append(staged)
            return staged

        def now(staged: Any) -> Any:
            while queued:
                run(queued.pop())
            return read(staged)

        inner.run, inner.read = later, now
        _, complaint = sessions.audited(session, 64, 1024)
    assert complaint.startswith("the clock stopped before the work did")


def test_the_suites_way_with_torchs_timer_is_one_call_that_is_waited_for() -> None:
    calls: list[str] = []

    def call() -> None:
        calls.append("call")
        time.sleep(0.002)

    took = peers.torch_timer_ns(call, lambda: calls.append("wait"))
    assert took >= 2e6
    assert calls == ["call", "wait"] * (len(calls) // 2)
    assert len(calls) >= 2 * peers.TIMES


TRTEXEC = """\
#!/bin/sh
for word; do
  case $word in
    --useSpinWait) echo "unknown option" >&2; exit 1;;
    --exportTimes=*) file=${word#*=};;
  esac
done
echo "$@" >"$file.words"
echo '[{"latencyMs": 3.5, "computeMs": 1}, {"latencyMs": 2.5}, {"latencyMs": 9}]' >"$file"
"""


def test_the_suites_way_with_trtexec_reads_its_latencies(tmp_path: Path) -> None:
    program = tmp_path / "trtexec"
    program.write_text(TRTEXEC)
    program.chmod(0o755)
    assert peers.trtexec_ns(str(program), tmp_path / "a.engine", {"x": (2, 8)}, tmp_path) == 3.5e6
    words = (tmp_path / "times.json.words").read_text().split()
    assert {f"--loadEngine={tmp_path}/a.engine", "--shapes=x:2x8", "--noDataTransfers"} <= set(words)
    program.write_text("#!/bin/sh\necho no such engine; exit 1\n")
    with pytest.raises(RuntimeError, match="no such engine"):
        peers.trtexec_ns(str(program), tmp_path / "a.engine", {"x": (2, 8)}, tmp_path)


TAKES_MEMORY = r"""
#include <stdio.h>
#include <stddef.h>
int cuInit(unsigned f) { return 0; }
int cuDeviceGet(int *d, int i) { *d = i; return 0; }
int cuDevicePrimaryCtxRetain(void **c, int d) { *c = (void *)7; return 0; }
int cuCtxSetCurrent(void *c) { return c == (void *)7 ? 0 : 201; }
int cuMemAlloc_v2(unsigned long long *p, size_t n) { if (n > 1000) return 2; *p = 1ULL << 40; return 0; }
int cuMemGetInfo_v2(size_t *f, size_t *t) { *f = 300; *t = 1000; return 0; }
int cuMemFree_v2(unsigned long long p) { fprintf(stderr, "freed"); return p == 1ULL << 40 ? 0 : 1; }
"""


@pytest.mark.parametrize(("left_out", "outcome"), [("", "failed"), ("1", "skipped"), ("yes", "failed")])
def test_without_trtexec_the_comparison_fails_unless_it_is_left_out_on_purpose(
    left_out: str, outcome: str, tmp_path: Path
) -> None:
    (tmp_path / "test_it.py").write_text("from tests.gpu import peers\n\n\ndef test_it():\n    peers.trtexec()\n")
    environment = {"PATH": str(tmp_path), peers.WITHOUT_TRTEXEC: left_out, "PYTHONPATH": str(ROOT)}
    done = pytest_says(str(tmp_path / "test_it.py"), "--rootdir", str(tmp_path), "-c", os.devnull, **environment)
    assert f"1 {outcome} in " in done.stdout, done.stdout + done.stderr
    if outcome == "failed":
        (line,) = [line for line in done.stdout.splitlines() if line.startswith("no trtexec on PATH")]
        assert "nvcr.io/nvidia/tensorrt" in line and f"make test-gpu {peers.WITHOUT_TRTEXEC}=1" in line
    program = tmp_path / "trtexec"
    program.write_text(TRTEXEC)
    program.chmod(0o755)
    done = pytest_says(str(tmp_path / "test_it.py"), "--rootdir", str(tmp_path), "-c", os.devnull, **environment)
    assert f"1 {outcome if left_out == '1' else 'passed'} in " in done.stdout


@pytest.mark.parametrize(("size", "code", "said"), [(1000, 0, "freed"), (1001, 1, "CUDA error 2")])
def test_the_suites_allocation_is_taken_and_given_back(size: int, code: int, said: str, tmp_path: Path) -> None:
    environment = {**os.environ, "LD_LIBRARY_PATH": str(library(tmp_path, TAKES_MEMORY))}
    done = subprocess.run(
        [sys.executable, "-m", "tests.gpu.allocating", str(size)],
        cwd=ROOT, input="", capture_output=True, text=True, env=environment, timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (code, "" if code else "held\n")
    assert said in done.stderr


def test_what_is_taken_of_the_gpu_is_the_drivers_word(tmp_path: Path) -> None:
    environment = {**os.environ, "LD_LIBRARY_PATH": str(library(tmp_path, TAKES_MEMORY))}
    asks = "from tests.gpu.allocating import used_bytes; print(used_bytes())"
    done = subprocess.run(
        [sys.executable, "-c", asks], cwd=ROOT, capture_output=True, text=True, env=environment, timeout=60, check=False
    )
    assert (done.returncode, done.stdout) == (0, "700\n"), done.stderr
