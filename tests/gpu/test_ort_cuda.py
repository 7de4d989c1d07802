"""ONNX Runtime's CUDA and TensorRT providers on a real GPU: written so that none of it can pass on a CPU."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from time import perf_counter_ns
from typing import Any

import numpy as np
import pytest

from backends import cuda_probe
from bench.conformance import AdapterConformance, Example, onnx_examples, wide_onnx_example
from bench.device.adapter import DeviceUnavailable, Settings
from bench.device.audit import audit_session
from bench.device.library import open_library
from bench.device.loop import quiet
from bench.device.records import TensorJob
from bench.device.scenarios import Issuer
from tests.gpu.sessions import DEVICE, answer, layers, median_ns, mixed, opened, query

pytestmark = [pytest.mark.gpu, pytest.mark.timeout(900)]
CUDA, CPU = "CUDAExecutionProvider", "CPUExecutionProvider"
SIZE, BATCH = 2048, 64
UNSYNCHRONISED = "disable_synchronize_execution_providers"


class OnDevice(AdapterConformance):
    """What every adapter promises, on the GPU. Examples with nodes that CUDA lacks may use the CPU for those."""

    adapter = "backends.ort:OnnxRuntimeAdapter"
    __test__ = False
    settings = Settings(device=DEVICE, extra={"cpu fallback": "allowed"})

    def make_examples(self, folder: Path) -> Sequence[Example]:
        return [replace(one, settings=self.settings, rtol=1e-3, atol=1e-4) for one in onnx_examples(folder)]

    def make_wide_example(self, folder: Path) -> Example:
        return replace(wide_onnx_example(folder), settings=self.settings)

    def test_as_many_threads_work_as_facts_say(self, wide: Example | None) -> None:
        """Threads of the CPU are not what computes here."""

    def test_it_is_the_gpu(self, examples: Sequence[Example], gpu: cuda_probe.Gpu) -> None:
        facts = self._open(examples[0]).facts()
        assert facts["gpu"] == gpu._asdict()
        nodes: Any = facts["nodes by provider"]
        assert nodes.get(CUDA)
        assert not nodes.get(CPU)


class TestHostResident(OnDevice):
    __test__ = True


class TestDeviceResident(OnDevice):
    __test__ = True
    settings = Settings(device=DEVICE, residency="device", extra={"cpu fallback": "allowed"})


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")


def audited(session: Any, samples: int, size: int) -> tuple[float, str]:
    jobs = [TensorJob("x", "float32", ["batch", size])]
    issuer = Issuer(session, open_library(jobs, {}, {}, "batch", None, 1), samples, overlapped=False)
    with quiet():
        for _ in range(5):
            issuer.drained_ns()
        closure, complaint = audit_session(issuer)
    return closure.ratio, complaint


@pytest.mark.parametrize("residency", ["host", "device"])
def test_the_latencies_account_for_the_work(residency: str, folder: Path) -> None:
    with opened(layers(folder, 16, SIZE), residency=residency) as session:
        ratio, complaint = audited(session, BATCH, SIZE)
    assert complaint == ""
    assert ratio >= 0.95


def test_a_run_that_is_told_not_to_synchronise_is_caught(folder: Path) -> None:
    """The negative control: the same session, its run returning while the GPU still works."""
    with opened(layers(folder, 16, SIZE), residency="device") as session:
        inner: Any = session
        options = inner._ort.RunOptions()
        options.add_run_config_entry(UNSYNCHRONISED, "1")
        native = inner._native._sess.run_with_iobinding

        def run(staged: Any) -> Any:
            native(staged.native, options)
            return staged

        inner.run = run
        _, complaint = audited(session, BATCH, SIZE)
    assert complaint.startswith("the clock stopped before the work did")


def test_host_resident_is_slower_by_about_the_copy(folder: Path) -> None:
    """One layer, large inputs: what differs is 64 MiB to the GPU and 64 MiB back, at no more than 64 GB/s."""
    model, asked = layers(folder, 1, 1024), query(16384, 1024)
    with opened(model, residency="host") as session:
        host = median_ns(session, asked, 20)
    with opened(model, residency="device") as session:
        device = median_ns(session, asked, 20)
    assert host - device > 2 * (64 << 20) / 64


def test_twice_the_work_takes_twice_the_time(folder: Path) -> None:
    times = []
    for count in (8, 16):
        with opened(layers(folder, count, 4096), residency="device") as session:
            times.append(median_ns(session, query(1024, 4096)))
    assert 1.8 < times[1] / times[0] < 2.2


@pytest.mark.parametrize(("precision", "rtol"), [("fp32", 1e-4), ("tf32", 1e-2)])
def test_outputs_are_the_cpus_within_the_precision(precision: str, rtol: float, folder: Path) -> None:
    model = layers(folder, 4, 512)
    for seed in (1, 2):
        asked = query(32, 512, seed)
        right = answer(model, asked, device="cpu")
        np.testing.assert_allclose(
            answer(model, asked, precision=precision), right, rtol, rtol * float(np.abs(right).max())
        )


def test_tf32_is_other_arithmetic_than_fp32(folder: Path, gpu: cuda_probe.Gpu) -> None:
    if gpu.capability < "8":
        pytest.skip("this GPU is older than TF32")
    model, asked = layers(folder, 4, 512), query(32, 512)
    assert not np.array_equal(answer(model, asked, precision="fp32"), answer(model, asked, precision="tf32"))


def test_a_node_that_cuda_lacks_is_refused_by_name_or_recorded(folder: Path) -> None:
    with pytest.raises(DeviceUnavailable, match="1 of 3 nodes would run on the CPU, not on cuda:0: Det `det`"):
        opened(mixed(folder))
    with opened(mixed(folder), {"cpu fallback": "allowed"}) as session:
        facts: Any = session.facts()
    assert facts["nodes by provider"] == {CUDA: 2, CPU: 1}
    assert facts[f"nodes on {CPU}"] == ["Det `det`"]


def test_a_captured_graph_answers_each_query_with_its_own(folder: Path) -> None:
    model, extra = layers(folder, 32, 256, batch=4), {"cuda graph": True}
    asked = [query(4, 256, seed) for seed in range(3)]
    right = [answer(model, one, device="cpu") for one in asked]
    with opened(model, extra, residency="device") as session:
        staged = [session.stage(one) for one in asked]
        for at in (0, 1, 2, 0):
            np.testing.assert_allclose(session.read(session.run(staged[at]))["y"], right[at], 1e-3, 1e-3)
        captured = median_ns(session, asked[0])
    with opened(model, residency="device") as session:
        assert captured < median_ns(session, asked[0])  # 64 small kernels: launching them is most of the time


# TensorRT


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BENCHPACT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def opening_ns(model: Any, **settings: Any) -> tuple[int, dict[str, Any]]:
    begin = perf_counter_ns()
    with opened(model, {"provider": "tensorrt"}, residency="device", **settings) as session:
        session.run(session.stage(query(8, 512)))
        return perf_counter_ns() - begin, dict(session.facts())


def test_an_engine_is_built_once_and_never_taken_for_anothers(folder: Path, cache: Path) -> None:
    model = layers(folder, 8, 512, batch=8)
    built, facts = opening_ns(model)
    assert facts["engine cache"].startswith("built: ")
    assert facts["notes"]
    found, facts = opening_ns(model)
    assert facts["engine cache"].startswith("found: ")
    assert found < built / 5
    _, facts = opening_ns(model, precision="fp16")
    assert facts["engine cache"].startswith("built: ")


@pytest.mark.parametrize(("precision", "rtol"), [("fp32", 1e-4), ("fp16", 2e-2)])
def test_tensorrt_answers_as_the_cpu_does(precision: str, rtol: float, folder: Path, cache: Path) -> None:
    model, asked = layers(folder, 4, 512), query(8, 512)
    right = answer(model, asked, device="cpu")
    for residency in ("host", "device"):
        got = answer(model, asked, precision=precision, residency=residency, extra={"provider": "tensorrt"})
        np.testing.assert_allclose(got, right, rtol, rtol * float(np.abs(right).max()))


def test_tensorrts_latencies_account_for_the_work(folder: Path, cache: Path) -> None:
    with opened(layers(folder, 16, SIZE), {"provider": "tensorrt"}, residency="device") as session:
        ratio, complaint = audited(session, BATCH, SIZE)
    assert complaint == ""
    assert ratio >= 0.95


# A run

CONTRACT = """\
benchpact: 1
model: {name: layers, version: "1"}
artifacts: {onnx: {path: MODEL}}
inputs: {x: {dtype: float32, shape: [batch, 2048]}}
outputs: {y: {dtype: float32, shape: [batch, 2048]}}
batch: batch
limits:
  single-stream: {latency p50: 1 s, processes: 2, time: 1 s}
targets:
  starved: {backend: onnxruntime, device: "cuda:0", options: {gpu memory limit: 64 MiB}}
  gpu: {backend: onnxruntime, device: "cuda:0"}
"""


def test_a_gpu_out_of_memory_is_a_failure_and_the_next_case_runs(tmp_path: Path) -> None:
    model = layers(tmp_path, 16, SIZE).artifacts["onnx"]  # 256 MiB of weights
    (tmp_path / "contract.yaml").write_text(CONTRACT.replace("MODEL", model.name))
    command = [sys.executable, "-m", "bench", "run", "contract.yaml", "--results", "results"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 3, done.stdout + done.stderr
    stored = [json.loads(one.read_text()) for one in tmp_path.glob("results/*/cases/*.json")]
    cases = {case["target"]: case for case in stored}
    assert cases["starved"]["failure"]["error"] == "OutOfMemory"
    assert [one["outcome"] for one in cases["gpu"]["verdicts"]] == ["met"]
