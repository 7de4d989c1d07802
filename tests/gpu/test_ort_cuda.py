"""ONNX Runtime's CUDA provider on a real GPU: written so that none of it can pass on a CPU."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from backends import cuda_probe
from bench.conformance import Example, wide_onnx_example
from bench.device.adapter import DeviceUnavailable, ModelFiles, Query, Session, Settings
from tests.gpu import commands
from tests.gpu.commands import CPU, CUDA
from tests.gpu.promises import SIZE, Computed, OnnxConformance, Promises
from tests.gpu.sessions import DEVICE, layers, mixed, opened

pytestmark = [pytest.mark.gpu, pytest.mark.timeout(900)]
UNSYNCHRONISED = "disable_synchronize_execution_providers"


class OnDevice(OnnxConformance):
    """Examples with nodes that CUDA lacks may use the CPU for those."""

    adapter = "tests.gpu.proven:OnnxRuntime"
    __test__ = False
    settings = Settings(device=DEVICE, extra={"cpu fallback": "allowed"})

    def make_wide_example(self, folder: Path) -> Example:
        return replace(wide_onnx_example(folder), settings=self.settings)

    def check_place(self, facts: Mapping[str, object]) -> None:
        super().check_place(facts)
        nodes: Any = facts["nodes by provider"]
        assert nodes.get(CUDA)
        assert not nodes.get(CPU)


class TestHostResident(OnDevice):
    __test__ = True


class TestDeviceResident(OnDevice):
    __test__ = True
    settings = Settings(device=DEVICE, residency="device", extra={"cpu fallback": "allowed"})


class TestSessions(Promises):
    clocked: ClassVar[Mapping[str, Any]] = {"gpu clock": True}
    computes: ClassVar[Sequence[Computed]] = (
        Computed("fp32", "fp32", 1e-4),
        Computed("fp32", "tf32", 1e-2),
        Computed("fp16", "fp16", 2e-2),
        Computed("bf16", "bf16", 5e-2),
        Computed("fp64", "fp64", 1e-4),
    )

    def opened(self, model: ModelFiles, extra: Mapping[str, Any] | None = None, **settings: Any) -> Session:
        return opened(model, extra, **settings)

    def unwaited(self, session: Any) -> Callable[[Any], Any]:
        options = session._ort.RunOptions()
        options.add_run_config_entry(UNSYNCHRONISED, "1")
        native = session._native._sess.run_with_iobinding

        def run(staged: Any) -> Any:
            native(staged.native, options)
            return staged

        return run


def test_a_node_that_cuda_lacks_is_refused_by_name_or_recorded(folder: Path) -> None:
    with pytest.raises(DeviceUnavailable, match="1 of 3 nodes would run on the CPU, not on cuda:0: Det `det`"):
        opened(mixed(folder))
    with opened(mixed(folder), {"cpu fallback": "allowed"}) as session:
        session.run(session.stage(Query({"x": np.ones((1, 4, 4), np.float32)}, 1)))
        facts: Any = session.facts()
    assert facts["nodes by provider"] == {CUDA: 2, CPU: 1}
    assert facts[f"nodes on {CPU}"] == ["Det `det`"]


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


def test_a_gpu_out_of_memory_is_a_failure_and_the_next_case_runs(tmp_path: Path, gpu: cuda_probe.Gpu) -> None:
    model = layers(tmp_path, 16, SIZE).artifacts["onnx"]
    (tmp_path / "contract.yaml").write_text(CONTRACT.replace("MODEL", model.name))
    found = commands.ran(tmp_path)
    assert found.code == 3, found.printed
    assert found.cases["starved"]["failure"]["error"] == "OutOfMemory"
    assert [one["outcome"] for one in found.cases["gpu"]["verdicts"]] == ["met"]
    commands.demand_on_gpu(found.cases["gpu"], gpu)
    assert found.taken_bytes > 16 * SIZE * SIZE * 4
