"""Asking NVML: the real pynvml on a compiled stand-in; what is told, what is nonsense, what there is not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bench.device import gpu_facts
from bench.device.nvml import Nvml, slowed_by
from bench.device.nvml_processes import UNSEEN, UNTOLD
from bench.device.nvml_refusals import NotTold
from tests.device.fake_nvml import UUID, Fake

NOT_SUPPORTED = 3
READ = {
    "power_mw": 250_000,
    "sm_mhz": 1410,
    "memory_mhz": 1593,
    "temperature_c": 45,
    "reasons": 0,
    "busy_percent": 97,
}


def test_a_gpu_tells_what_it_is_and_how_it_is_set(fake: Fake) -> None:
    nvml = Nvml()
    told = gpu_facts.facts(nvml, nvml.gpu(UUID), [os.getpid()])
    assert told == {
        "name": "Made-up GPU 0",
        "uuid": UUID,
        "driver": "580.95.05",
        "cuda": "13.0",
        "memory_bytes": 80 << 30,
        "used_bytes": 1 << 30,
        "ecc": "on",
        "mig": "off",
        "persistence": "on",
        "power_limit_mw": 400_000,
        "default_power_limit_mw": 400_000,
        "max_sm_mhz": 1980,
        "max_memory_mhz": 1593,
        "others": [],
        "sm_mhz": 1410,
        "memory_mhz": 1593,
        "temperature_c": 45,
        "power_mw": 250_000,
        "clocks_set": False,
        "why_not": {},
    }


def test_what_is_sampled_is_read(fake: Fake) -> None:
    gpu = Nvml().gpu(UUID)
    assert gpu.read() == READ
    assert gpu.why_not == {}


def test_memory_is_this_processs_or_not_told_with_the_reason(fake: Fake) -> None:
    gpu, own = Nvml().gpu(UUID), [os.getpid()]
    assert gpu.used_bytes(own) == 700 << 20
    fake.set(held=-1)  # as in some containers: the driver writes the largest number
    with pytest.raises(NotTold) as error:
        gpu.used_bytes(own)
    assert str(error.value) == UNTOLD
    fake.set(processes=0)
    with pytest.raises(NotTold) as error:
        gpu.used_bytes(own)
    assert str(error.value) == UNSEEN


def test_processes_that_the_adapter_started_are_the_models_too(fake: Fake) -> None:
    fake.set(processes=3)
    gpu = Nvml().gpu(UUID)
    assert gpu.used_bytes([os.getpid(), 100_001]) == 1400 << 20
    assert [one.pid for one in gpu.processes() if one.pid != os.getpid()] == [100_001, 100_002]


@pytest.mark.parametrize(
    ("name", "value", "lost"),
    [
        ("power_mw", 4_294_967_295, "power_mw"),
        ("temperature", 4_294_967_295 // 2, "temperature_c"),
        ("temperature", -40, "temperature_c"),
        ("sm_mhz", 4_000_000_000, "sm_mhz"),
        ("busy", 250, "busy_percent"),
    ],
)
def test_nonsense_is_not_told(name: str, value: float, lost: str, fake: Fake) -> None:
    fake.set(**{name: value})
    gpu = Nvml().gpu(UUID)
    assert gpu.read() == {key: one for key, one in READ.items() if key != lost}
    assert gpu.why_not[lost].startswith("NVML gave ") and gpu.why_not[lost].endswith(", which cannot be")


def test_older_calls_are_asked_where_a_newer_one_is_missing(fake: Fake) -> None:
    fake.fail("nvmlDeviceGetTemperatureV", NOT_SUPPORTED)
    fake.fail("nvmlDeviceGetCurrentClocksEventReasons", NOT_SUPPORTED)
    assert Nvml().gpu(UUID).read() == READ


def test_the_gpu_is_found_by_uuid_and_never_guessed(fake: Fake) -> None:
    fake.set(count=2)
    second = UUID[:-1] + "1"
    assert Nvml().gpu(second).ask("nvmlDeviceGetName") == "Made-up GPU 1"
    with pytest.raises(NotTold, match="which of 2 GPUs"):
        Nvml().gpu()
    with pytest.raises(NotTold, match="Not Found"):
        Nvml().gpu("GPU-12345678")
    fake.set(count=1)
    assert Nvml().gpu().ask("nvmlDeviceGetName") == "Made-up GPU 0"


def test_a_part_of_a_gpu_has_a_uuid_that_cuda_spells_otherwise(fake: Fake) -> None:
    fake.set(mig_uuid=1)
    assert Nvml().gpu(UUID).ask("nvmlDeviceGetUUID") == UUID.replace("GPU", "MIG")


def test_energy_is_power_times_time(fake: Fake) -> None:
    gpu = Nvml().gpu(UUID)
    before = gpu.energy_uj()
    fake.set(power_mw=1)
    assert gpu.energy_uj() >= before >= 1_000_000_000


@pytest.mark.parametrize(
    ("reasons", "words"),
    [
        (0, []),
        (0x1 | 0x2 | 0x4, []),
        (0x8, ["hardware slowdown"]),
        (0x60, ["heat (by the driver)", "heat (by the hardware)"]),
    ],
)
def test_only_what_is_wrong_slows_a_gpu_down(reasons: int, words: list[str]) -> None:
    assert slowed_by(reasons) == words


def asked(folder: Path, **environment: str) -> Any:
    """What another process says of the GPUs, whose loader finds the folder's library first."""
    told = {**os.environ, "LD_LIBRARY_PATH": str(folder), "PYTHONPATH": os.pathsep.join(sys.path), **environment}
    command = [sys.executable, "-m", "bench.device.gpu_facts"]
    done = subprocess.run(command, capture_output=True, text=True, env=told, check=True, timeout=60)
    assert done.stderr == ""
    return json.loads(done.stdout)


def test_all_gpus_are_told_in_a_process_of_their_own(nvml_folder: Path) -> None:
    told = asked(nvml_folder, FAKE_NVML="count=2,mig=1")
    assert [(one["name"], one["mig"]) for one in told["gpus"]] == [("Made-up GPU 0", "on"), ("Made-up GPU 1", "on")]


def test_a_library_that_is_none_is_a_reason(tmp_path: Path) -> None:
    (tmp_path / "libnvidia-ml.so.1").write_bytes(b"no library")
    told = asked(tmp_path)
    assert told["gpus"] == []
    assert told["why_not"] == "NVML says: NVML Shared Library Not Found (nvmlInit)"


def test_without_nvidias_package_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", None)
    with pytest.raises(NotTold, match="pip install nvidia-ml-py"):
        Nvml()
