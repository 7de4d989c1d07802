"""A whole run with limits on GPU memory and energy, over a stand-in for NVIDIA's library."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bench.device.metering import NO_GPU
from tests.device.fake_nvml import compiled, driver
from tests.run.backends_on_path import offer

CONTRACT = """\
benchpact: 1
model: {name: metered, version: "1"}
inputs: {x: {dtype: float32, shape: [batch, 4]}}
outputs: {y: {dtype: float32, shape: [batch, 3]}}
batch: batch
limits:
  single-stream: {latency p50: 10 s, gpu memory: LIMIT, energy per query: 1 kJ, processes: 2, time: 1500 ms}
targets:
  gpu: {backend: on-a-gpu, device: "cuda:0"}
  cpu: {backend: on-a-gpu}
"""


def run(folder: Path, limit: str, nvml: str, *words: str, gpus: int = 1) -> tuple[int, str, dict[str, Any]]:
    """Exit code, what was printed, and the stored cases by target."""
    (folder / "contract.yaml").write_text(CONTRACT.replace("LIMIT", limit))
    environment = offer(folder / "offered", {"on-a-gpu": "tests.run.on_a_gpu:OnAGpu"})
    environment["PYTHONPATH"] += f":{':'.join(path for path in sys.path if path)}"
    environment.update(LD_LIBRARY_PATH=str(driver(compiled(folder))), FAKE_NVML=nvml, FAKE_GPUS=str(gpus))
    environment["COLUMNS"] = "200"
    command = [sys.executable, "-m", "bench", "run", "contract.yaml", "--results", "results", *words]
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=250, check=False
    )
    assert "Traceback" not in done.stdout + done.stderr
    stored = [json.loads(one.read_text()) for one in folder.glob("results/*/cases/*.json")]
    return done.returncode, " ".join(done.stdout.split()), {case["target"]: case for case in stored}


def verdicts(case: dict[str, Any]) -> dict[str, Any]:
    return {one["metric"]: one for one in case["verdicts"]}


def test_limits_on_memory_and_energy_are_judged_and_told(tmp_path: Path) -> None:
    code, printed, cases = run(tmp_path, "1 GiB", "pid=-1")
    assert code == 3, printed  # the processor has no GPU memory
    found = verdicts(cases["gpu"])
    assert found["gpu memory"]["outcome"] == "met"
    assert found["gpu memory"]["figure"]["value"] == 700 << 20
    assert found["latency p50"]["outcome"] == "met"
    energy = found["energy per query"]
    if energy["outcome"] == "met":  # at 250 W a query of a millisecond takes some 0.3 J
        assert 0.2e6 < energy["figure"]["value"] < 20e6
    else:  # on a machine as busy as that
        assert "the sampler was late" in energy["reason"]
    facts = cases["gpu"]["process_runs"][0]["facts"]
    assert facts["gpu clocks"] == "SM 1410 MHz, memory 1593 MHz"
    assert "GPU memory by NVML, the highest of" in printed and "512 MiB by its framework's account" in printed
    assert "250 W in the mean" in printed
    own = verdicts(cases["cpu"])
    assert (own["gpu memory"]["outcome"], own["gpu memory"]["reason"]) == ("not measured", NO_GPU)
    assert own["energy per query"]["reason"]
    assert "gpu clocks" not in cases["cpu"]["process_runs"][0]["facts"]


def test_more_memory_than_the_limit_is_missed(tmp_path: Path) -> None:
    code, printed, cases = run(tmp_path, "600 MiB", "pid=-1,reasons=64", "--on", "gpu")
    assert code == 1, printed
    assert verdicts(cases["gpu"])["gpu memory"]["outcome"] == "missed"
    assert "missed, throttled" in printed and "the GPU: heat (by the hardware) in" in printed


def test_no_limit_on_memory_is_met_by_what_only_the_warm_up_told(tmp_path: Path) -> None:
    call = "nvmlDeviceGetComputeRunningProcesses_v3"
    refused = f"pid=-1,fail:{call}=4,after:{call}=4"  # two calls a list: for the facts, then for one look
    code, printed, cases = run(tmp_path, "1 GiB", refused, "--on", "gpu")
    assert code == 3, printed
    found = verdicts(cases["gpu"])
    assert (found["latency p50"]["outcome"], found["gpu memory"]["outcome"]) == ("met", "not measured")
    told = "NVML told it before the timed part and never in it: NVML says: Insufficient Permissions"
    assert told in found["gpu memory"]["reason"]


@pytest.mark.parametrize(
    ("nvml", "reason"),
    [
        ("die:nvmlDeviceGetPowerUsage=3", "the sampler died (signal 9)"),
        ("fail:nvmlInitWithFlags=9", "NVML says: Driver Not Loaded (nvmlInit)"),
    ],
)
def test_a_sampler_that_fails_costs_its_figures_and_no_timing(nvml: str, reason: str, tmp_path: Path) -> None:
    code, printed, cases = run(tmp_path, "1 GiB", nvml, "--on", "gpu")
    assert code == 3, printed
    found = verdicts(cases["gpu"])
    assert found["latency p50"]["outcome"] == "met"
    for metric in ("gpu memory", "energy per query"):
        assert found[metric]["outcome"] == "not measured"
        assert reason in found[metric]["reason"]
    assert f"the GPU was not looked at while it was measured: {reason}" in printed
    assert f"{reason}; that this GPU is what computed is the adapter's own word" in printed


def test_an_adapter_that_only_says_it_runs_on_a_gpu_has_no_number(tmp_path: Path) -> None:
    code, printed, cases = run(tmp_path, "1 GiB", "pid=-1", gpus=0)
    assert code == 3, printed
    said = "the adapter says that it runs on cuda:0, but NVIDIA's driver has no GPU (CUDA error 100)"
    assert said in cases["gpu"]["failure"]["message"] and said in printed
    assert all(one["figure"]["value"] is None for one in verdicts(cases["gpu"]).values())
    assert verdicts(cases["cpu"])["latency p50"]["outcome"] == "met"
