"""PyTorch on an NVIDIA GPU. Each check is of the GPU's own work: on a CPU none of them can pass."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch

from backends import cuda_probe, torch_cuda
from bench.conformance import Example, examples
from bench.device.adapter import AdapterError, DeviceUnavailable, ModelFiles, Session, Settings
from tests.backends import torch_models
from tests.backends.torch_models import as_exported, as_torchscript
from tests.gpu import commands
from tests.gpu.promises import BATCH, GIB_S, MIB, SIZE, Computed, Conformance, Promises
from tests.gpu.sessions import DEVICE, device_ns, median_ns, query
from tests.gpu.torch_sessions import built_by, layers, opened

pytestmark = [pytest.mark.gpu, pytest.mark.timeout(900)]


class OnDevice(Conformance):
    adapter = "tests.gpu.proven:PyTorch"
    __test__ = False

    def make_examples(self, folder: Path) -> Sequence[Example]:
        small = (as_torchscript(example, folder) for example in torch_models.small())
        return [replace(one, settings=self.settings, rtol=1e-3, atol=1e-4) for one in small]

    def make_wide_example(self, folder: Path) -> Example:
        return replace(as_torchscript(examples.wide(), folder), settings=self.settings)

    def check_place(self, facts: Mapping[str, object]) -> None:
        super().check_place(facts)
        assert facts["operators on the cpu"] == []
        assert int(str(facts[torch_cuda.ALLOCATED])) > 0


class TestHostResident(OnDevice):
    __test__ = True


class TestDeviceResident(OnDevice):
    __test__ = True
    settings = Settings(device=DEVICE, residency="device")


class TestExported(OnDevice):
    __test__ = True
    settings = Settings(device=DEVICE, residency="device")

    def make_examples(self, folder: Path) -> Sequence[Example]:
        small = (as_exported(example, folder) for example in torch_models.small())
        return [replace(one, settings=self.settings, rtol=1e-3, atol=1e-4) for one in small]


class TestSessions(Promises):
    computes: ClassVar[Sequence[Computed]] = (
        Computed("fp32", "fp32", 1e-4),
        Computed("fp32", "tf32", 1e-2),
        Computed("fp32", "bf16", 5e-2),
        Computed("fp32", "fp16", 1e-2),
    )

    def layers(
        self, folder: Path, count: int, size: int, batch: int | str = "batch", graph: str = "fp32"
    ) -> ModelFiles:
        assert graph == "fp32"
        return layers(folder, count, size)

    def opened(self, model: ModelFiles, extra: Mapping[str, Any] | None = None, **settings: Any) -> Session:
        return opened(model, extra, **settings)

    def unwaited(self, session: Any) -> Callable[[Any], Any]:
        run: Callable[[Any], Any] = session._call
        return run


@pytest.mark.parametrize("milliseconds", [2, 5])
def test_a_kernel_of_known_length_is_that_long_by_the_devices_clock_and_by_the_hosts(milliseconds: int) -> None:
    asked, ns = query(1, 256), milliseconds * 1_000_000
    with opened(built_by(f"spinning_{milliseconds}_ms")) as session:
        assert median_ns(session, asked) == pytest.approx(ns, rel=0.02)
        assert device_ns(session, asked) == pytest.approx(ns, rel=0.02)


def test_enqueueing_is_told_apart_from_computing(folder: Path) -> None:
    with opened(layers(folder, 8, 4096)) as session:
        asked = query(1024, 4096)
        assert device_ns(session, asked, "enqueue") < device_ns(session, asked)
    with opened(layers(folder, 1, 4096), residency="host") as session:
        asked = query(4096, 4096)  # 64 MiB each way
        for which in ("host to device", "device to host"):
            assert device_ns(session, asked, which) > 64 * MIB / GIB_S


def test_a_model_that_goes_by_the_cpu_is_refused_or_told() -> None:
    asked = query(2, 256)
    with opened(built_by("PartlyOnCpu")) as session, pytest.raises(DeviceUnavailable, match=r"aten\.mul"):
        session.stage(asked)
    with opened(built_by("PartlyOnCpu"), {"cpu fallback": "allowed"}) as session:
        telling: Any = session
        assert telling.device_times(session.stage(asked)) == {}
        assert "aten.mul (1)" in str(session.facts()["operators on the cpu"])


def test_a_captured_graph_is_enqueued_sooner(folder: Path) -> None:
    model, asked, took = layers(folder, 32, 256), query(4, 256), []
    for extra in ({"cuda graph": True}, {}):
        with opened(model, extra) as session:
            took.append(device_ns(session, asked, "enqueue"))
    assert took[0] < took[1]


def test_what_cannot_be_captured_is_told() -> None:
    with (
        opened(built_by("PartlyOnCpu"), {"cuda graph": True, "cpu fallback": "allowed"}) as session,
        pytest.raises(AdapterError, match="torch cannot capture this model"),
    ):
        session.stage(query(2, 256))


@pytest.mark.parametrize("mode", ["default", "reduce-overhead"])
def test_a_compiled_model_answers_as_the_cpu_does(mode: str, tmp_path: Path) -> None:
    example = as_exported(examples.mlp(), tmp_path)
    with opened(example.model, {"compile": mode}) as session:
        for asked, right in zip(example.queries, example.answers, strict=True):
            got = session.read(session.run(session.stage(asked)))
            np.testing.assert_allclose(got["y"], right["y"], 1e-3, 1e-4)
        assert session.facts()["compile"] == mode


def test_the_peak_of_the_gpus_memory_is_what_was_allocated(folder: Path) -> None:
    """128 MiB of weights, and 64 MiB in each direction."""
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats(DEVICE)
    before = torch.cuda.memory_allocated(DEVICE)
    with opened(layers(folder, 8, SIZE)) as session:
        session.run(session.stage(query(8192, SIZE)))
        peak = int(str(session.facts()[torch_cuda.ALLOCATED])) - before
    least = (128 << 20) + 3 * (64 << 20)
    assert least <= peak <= 1.5 * least


def test_its_profile_is_of_kernels(folder: Path) -> None:
    with opened(layers(folder, 4, SIZE)) as session:
        profiled: Any = session
        staged = session.stage(query(BATCH, SIZE))
        told = profiled.profile([staged] * 5)
        computed = device_ns(session, query(BATCH, SIZE))
    assert told.operators[0].kind in ("aten::addmm", "aten::linear", "aten::mm")
    assert sum(one.total_ns for one in told.operators) / 5 == pytest.approx(computed, rel=0.3)


CONTRACT = """\
benchpact: 1
model: {name: layers, version: "1"}
artifacts: {torchscript: {path: MODEL}}
inputs: {x: {dtype: float32, shape: [batch, 2048]}}
outputs: {y: {dtype: float32, shape: [batch, 2048]}}
batch: batch
limits:
  single-stream: {latency p50: 1 s, processes: 2, time: 1 s}
targets:
  starved: {backend: pytorch, device: "cuda:0", options: {gpu memory limit: 64 MiB}}
  gpu: {backend: pytorch, device: "cuda:0", residency: device}
"""


def test_a_gpu_out_of_memory_is_a_failure_in_torchs_words_and_the_next_case_runs(
    folder: Path, tmp_path: Path, gpu: cuda_probe.Gpu
) -> None:
    model = layers(folder, 16, SIZE).artifacts["torchscript"]
    (tmp_path / "contract.yaml").write_text(CONTRACT.replace("MODEL", os.path.relpath(model, tmp_path)))
    found = commands.ran(tmp_path)
    assert found.code == 3, found.printed
    assert found.cases["starved"]["failure"]["error"] == "OutOfMemory"
    assert "CUDA out of memory" in found.cases["starved"]["failure"]["message"]
    assert [one["outcome"] for one in found.cases["gpu"]["verdicts"]] == ["met"]
    names = {one["name"] for run in found.cases["gpu"]["process_runs"] for one in run["device_times"]}
    assert names == {"gpu compute", "enqueue"}
    commands.demand_on_gpu(found.cases["gpu"], gpu)
    assert found.taken_bytes > 16 * SIZE * SIZE * 4
