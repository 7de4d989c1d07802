"""Memory, energy and company on a real GPU, by NVML: written so that none of it can pass on a CPU."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from backends import cuda_probe
from bench.device.gpu_meter import GpuMeter
from bench.device.metering import Metering
from bench.device.nvml import Gpu, Nvml
from bench.device.nvml_refusals import NotTold
from tests.gpu import commands
from tests.gpu.allocating import allocated
from tests.gpu.sessions import layers, opened, query

pytestmark = [pytest.mark.gpu, pytest.mark.timeout(900)]
GIB = 1 << 30
SIZE, BATCH, SECONDS = 2048, 64, 5.0
ROOT = Path(__file__).parents[2]


@pytest.fixture
def nvml(gpu: cuda_probe.Gpu) -> Gpu:
    """The GPU that CUDA calls ``cuda:0``, by its UUID."""
    return Nvml().gpu(gpu.uuid)


def held(nvml: Gpu) -> int:
    """What this process holds; in a container that hides it, what the whole GPU does."""
    try:
        return nvml.used_bytes([os.getpid()])
    except NotTold:
        return int(nvml.ask("nvmlDeviceGetMemoryInfo").used)


def metered(uuid: str, work: Callable[[], object], seconds: float = SECONDS) -> tuple[Metering, dict[str, str], int]:
    """What a meter says of doing ``work`` over and over for so long, and how often it was done."""
    done = 0
    with GpuMeter(uuid, [], tuple) as meter:
        meter.begin()
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            work()
            done += 1
        meter.end()
        assert meter.silent == ""
        return meter.metering(), meter.facts(), done


def test_nvml_finds_the_gpu_that_cuda_means(nvml: Gpu, gpu: cuda_probe.Gpu) -> None:
    assert nvml.ask("nvmlDeviceGetName") == gpu.name
    assert nvml.why_not == {}
    assert set(nvml.read()) >= {"power_mw", "sm_mhz", "temperature_c"}


def test_memory_is_within_two_per_cent_of_what_was_taken(nvml: Gpu) -> None:
    with allocated(1 << 20):
        before = held(nvml)
    with allocated(2 * GIB):
        assert held(nvml) - before == pytest.approx(2 * GIB, rel=0.02)
    assert held(nvml) - before < 0.05 * GIB


def test_the_meter_sees_memory_that_is_held_for_a_second(gpu: cuda_probe.Gpu) -> None:
    with allocated(2 * GIB):
        told, _, _ = metered(gpu.uuid, lambda: time.sleep(0.05), 1.5)
    if told.gpu_bytes is None:
        assert "NVML" in told.gpu_by
    else:
        assert told.gpu_bytes >= 2 * GIB


def test_work_takes_more_energy_than_none_and_twice_the_work_about_twice(gpu: cuda_probe.Gpu, tmp_path: Path) -> None:
    each = []
    asked = query(BATCH, SIZE)
    idle, _, _ = metered(gpu.uuid, lambda: time.sleep(0.05))
    for count in (64, 128):
        with opened(layers(tmp_path, count, SIZE), residency="device") as session:
            staged = session.stage(asked)
            for _ in range(50):
                session.run(staged)
            told, facts, queries = metered(gpu.uuid, partial(session.run, staged))
        assert told.energy_uj is not None and idle.energy_uj is not None, told.energy_by
        assert told.energy_uj > 1.2 * idle.energy_uj
        assert "gpu power" in facts
        each.append(told.energy_uj / queries)
    assert 1.5 < each[1] / each[0] < 2.6


def test_the_counter_and_the_power_agree(gpu: cuda_probe.Gpu, tmp_path: Path) -> None:
    """Within a quarter: power is a mean of the last second on many GPUs."""
    with opened(layers(tmp_path, 64, SIZE), residency="device") as session, GpuMeter(gpu.uuid, [], tuple) as meter:
        staged = session.stage(query(BATCH, SIZE))
        until = time.monotonic() + 3
        while time.monotonic() < until:
            session.run(staged)
        meter.begin()
        until = time.monotonic() + SECONDS
        while time.monotonic() < until:
            session.run(staged)
        meter.end()
    account = meter._told
    if account["energy_uj"] is None:
        pytest.skip(f"this GPU counts no energy: {account['energy_why']}")
    assert account["energy_uj"] == pytest.approx(account["integral_uj"], rel=0.25)


def test_another_process_on_the_gpu_is_seen_and_said(nvml: Gpu, gpu: cuda_probe.Gpu) -> None:
    before = {one.pid for one in nvml.processes()}
    command = [sys.executable, "-m", "tests.gpu.allocating", str(256 << 20)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True) as other:
        assert other.stdout is not None and other.stdin is not None
        assert other.stdout.readline() == "held\n"
        seen = {one.pid for one in nvml.processes()} - before
        with GpuMeter(gpu.uuid, [], tuple) as meter:
            meter.begin()
            meter.end()
            notes = meter.notes()
        other.stdin.close()
    if not seen:
        pytest.skip("NVML lists no process of other containers here")
    assert any("memory on this GPU" in note for note in notes)


def test_the_sampler_costs_the_run_less_than_two_per_cent(gpu: cuda_probe.Gpu, tmp_path: Path) -> None:
    """By turns with and without it; the quickest of each counts."""
    with opened(layers(tmp_path, 32, SIZE), residency="device") as session:
        staged = session.stage(query(BATCH, SIZE))

        def second() -> float:
            begin = time.perf_counter()
            for _ in range(500):
                session.run(staged)
            return time.perf_counter() - begin

        second()
        times: dict[bool, list[float]] = {True: [], False: []}
        for at in range(10):
            with GpuMeter(gpu.uuid, [], tuple) if at % 2 else nullcontext() as meter:
                if meter is not None:
                    meter.begin()
                times[bool(at % 2)].append(second())
    assert min(times[True]) < 1.02 * min(times[False])


CONTRACT = """\
benchpact: 1
model: {name: layers, version: "1"}
artifacts: {onnx: {path: MODEL}}
inputs: {x: {dtype: float32, shape: [batch, 2048]}}
outputs: {y: {dtype: float32, shape: [batch, 2048]}}
batch: batch
limits:
  single-stream: {latency p50: 1 s, energy per query: 100 J, gpu memory: 64 GiB, processes: 2, time: 2 s}
targets:
  gpu: {backend: onnxruntime, device: "cuda:0"}
"""


def test_a_run_with_both_limits_is_judged_by_real_figures(tmp_path: Path, gpu: cuda_probe.Gpu) -> None:
    model, weights = layers(tmp_path, 16, SIZE).artifacts["onnx"], 256 << 20
    (tmp_path / "contract.yaml").write_text(CONTRACT.replace("MODEL", model.name))
    ran = commands.ran(tmp_path)
    case = ran.cases["gpu"]
    found: dict[str, Any] = {one["metric"]: one for one in case["verdicts"]}
    assert found["energy per query"]["outcome"] == "met", ran.printed
    assert found["energy per query"]["figure"]["value"] > 1000  # a millijoule
    if found["gpu memory"]["outcome"] == "not measured":
        assert "NVML" in found["gpu memory"]["reason"]
    else:
        assert found["gpu memory"]["figure"]["value"] > weights
    commands.demand_on_gpu(case, gpu)
    assert ran.taken_bytes > weights
