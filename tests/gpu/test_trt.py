"""TensorRT itself on a real GPU: written so that none of it can pass on a CPU."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from time import perf_counter_ns
from typing import Any

import numpy as np
import pytest

from backends import cuda_probe
from backends.cuda_arithmetic import SINCE_AMPERE
from backends.cuda_driver import Buffer, Context, driver
from backends.trt import TensorRtAdapter
from bench.device import memory
from bench.device.adapter import AdapterError, ModelFiles, ModelRejected, Settings
from tests.gpu import commands, proven
from tests.gpu.promises import BATCH, RESIDENCIES, SIZE, Computed, before_ampere
from tests.gpu.sessions import DEVICE, answer, layers, mixed, query
from tests.gpu.trt_promises import OnTensorRt, TensorRtPromises

pytestmark = [pytest.mark.gpu, pytest.mark.timeout(900)]


@pytest.fixture(autouse=True)
def own_cache(cache: Path) -> Path:
    return cache


class TestHostResident(OnTensorRt):
    __test__ = True


class TestDeviceResident(OnTensorRt):
    __test__ = True
    settings = Settings(device=DEVICE, residency="device")


class TestCapturedGraphs(OnTensorRt):
    __test__ = True
    settings = Settings(device=DEVICE, residency="device", extra={"cuda graph": True})


class TestSessions(TensorRtPromises):
    pass


@pytest.fixture
def context() -> Iterator[Context]:
    one = Context(0)
    yield one
    one.close()


def opened(model: ModelFiles, extra: Mapping[str, Any] | None = None, **settings: Any) -> Any:
    return proven.TensorRt().open(model, Settings(**{"device": DEVICE, "extra": extra or {}, **settings}))


@pytest.mark.parametrize("computed", [Computed("fp32", "fp16", 2e-2), Computed("fp32", "bf16", 5e-2)], ids=str)
def test_narrower_than_its_graph_is_had_of_tensorrt_10_and_refused_by_what_is_strongly_typed(
    computed: Computed, folder: Path, gpu: cuda_probe.Gpu
) -> None:
    if computed.precision in SINCE_AMPERE and before_ampere(gpu):
        pytest.skip(f"this GPU is older than {computed.precision}")
    model, asked = layers(folder, 4, 512), query(32, 512)
    if not TensorRtAdapter().probe().versions["tensorrt"].startswith("10."):
        with pytest.raises(ModelRejected, match="computes a graph in its own types"):
            opened(model, precision=computed.precision)
        return
    right = answer(model, asked, device="cpu")
    for residency in RESIDENCIES:
        with opened(model, precision=computed.precision, residency=residency) as session:
            found = session.read(session.run(session.stage(asked)))["y"]
        np.testing.assert_allclose(found, right, computed.off, computed.off * float(np.abs(right).max()))


def test_captured_copies_bring_each_query_its_own_answer(folder: Path) -> None:
    model, asked = layers(folder, 4, 256), [query(4, 256, seed) for seed in range(3)]
    right = [answer(model, one, device="cpu") for one in asked]
    with opened(model, {"cuda graph": True}, residency="host") as session:
        staged = [session.stage(one) for one in asked]
        for at in (0, 1, 2, 0):
            np.testing.assert_allclose(session.read(session.run(staged[at]))["y"], right[at], 1e-3, 1e-3)


# Engines


def opening_ns(model: ModelFiles, **settings: Any) -> tuple[int, str]:
    begin = perf_counter_ns()
    with opened(model, residency="device", **settings) as session:
        session.run(session.stage(query(1, 512)))
        return perf_counter_ns() - begin, session.facts()["engines"][0]["from"]


def test_an_engine_is_built_once_and_never_taken_for_anothers(folder: Path) -> None:
    model = layers(folder, 8, 512)
    built, origin = opening_ns(model)
    assert origin == "built"
    found, origin = opening_ns(model)
    assert origin == "found"
    assert found < built / 5
    assert opening_ns(model, precision="tf32")[1] == "built"
    assert opening_ns(layers(folder, 9, 512))[1] == "built"


def test_one_engine_serves_a_range_of_sizes_and_refuses_others(folder: Path) -> None:
    model = layers(folder, 2, 512)
    with opened(model, {"sizes": "batch 1/8/32"}) as session:
        for samples in (1, 8, 32):
            asked = query(samples, 512, samples)
            found = session.read(session.run(session.stage(asked)))["y"]
            np.testing.assert_allclose(found, answer(model, asked, device="cpu"), 1e-3, 1e-3)
        assert len(session.facts()["engines"]) == 1
        with pytest.raises(AdapterError, match="which the engine does not take"):
            session.stage(query(33, 512))


def test_an_engine_that_is_cut_is_refused_and_does_not_crash(folder: Path, cache: Path, tmp_path: Path) -> None:
    model = layers(folder, 2, 512)
    with opened(model):
        pass
    (kept,) = cache.glob("*/*.engine")
    plan = tmp_path / "model.plan"
    handed = replace(model, artifacts={"tensorrt-engine": plan})
    plan.write_bytes(kept.read_bytes())
    with opened(handed) as session:
        asked = query(1, 512)
        found = session.read(session.run(session.stage(asked)))["y"]
    np.testing.assert_allclose(found, answer(model, asked, device="cpu"), 1e-3, 1e-3)
    plan.write_bytes(kept.read_bytes()[: kept.stat().st_size // 2])
    with pytest.raises(ModelRejected, match=r"does not take model\.plan"):
        opened(handed)


def test_a_node_without_a_kernel_is_named(folder: Path) -> None:
    with pytest.raises(ModelRejected, match="node 1 Det `det`"):
        opened(mixed(folder))


# Memory


def free_bytes() -> int:
    _, unused, _ = driver.cuMemGetInfo()
    return int(unused)


def test_leaving_gives_the_memory_back(context: Context, folder: Path) -> None:
    model = layers(folder, 16, SIZE)  # 256 MiB of weights
    with opened(model) as session:  # what the libraries keep for themselves is taken now
        session.run(session.stage(query(BATCH, SIZE)))
    context.use()
    before = free_bytes()
    for _ in range(20):
        with opened(model) as session:
            session.run(session.stage(query(BATCH, SIZE)))
            assert before - free_bytes() > 200 << 20
    context.use()
    assert abs(before - free_bytes()) < 64 << 20


def test_out_of_memory_is_told_in_words_that_make_it_a_failure_of_that_name(context: Context) -> None:
    code, address = driver.cuMemAlloc(1 << 50)
    assert (int(code), int(address or 0)) == (2, 0)
    with pytest.raises(AdapterError) as caught:
        Buffer(1 << 50)
    assert memory.ran_out(str(caught.value))


# A run

CONTRACT = """\
benchpact: 1
model: {name: layers, version: "1"}
artifacts: {onnx: {path: MODEL, sha256: HASH}}
inputs: {x: {dtype: float32, shape: [batch, 2048]}}
outputs: {y: {dtype: float32, shape: [batch, 2048]}}
batch: batch
limits:
  single-stream: {latency p50: 1 s, processes: 2, time: 1 s}
targets:
  trt: {backend: tensorrt, device: "cuda:0", residency: device}
"""


def test_only_the_first_process_of_a_run_builds(tmp_path: Path, gpu: cuda_probe.Gpu) -> None:
    path = layers(tmp_path, 4, SIZE).artifacts["onnx"]
    text = CONTRACT.replace("MODEL", path.name)
    text = text.replace("HASH", hashlib.sha256(path.read_bytes()).hexdigest())
    (tmp_path / "contract.yaml").write_text(text)
    found = commands.ran(tmp_path)
    assert found.code == 0, found.printed
    case = found.cases["trt"]
    assert [one["outcome"] for one in case["verdicts"]] == ["met"]
    origins = [one["facts"]["engines"][0]["from"] for one in case["process_runs"]]
    assert origins == ["built", "found"]
    commands.demand_on_gpu(case, gpu)
    assert found.taken_bytes > 4 * SIZE * SIZE * 4
