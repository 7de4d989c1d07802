"""Whether the driver has the GPU that a session names: by a driver that is compiled here, or by none."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.device import gpu_named
from bench.device.adapter import DeviceUnavailable
from tests.launch.talk import job, measure


@pytest.fixture(autouse=True)
def machine(driver_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu_named, "LIBRARY", str(driver_folder / "libcuda.so.1"))
    monkeypatch.setattr("sys.platform", "linux")


def refused(device: str) -> str:
    with pytest.raises(DeviceUnavailable) as caught:
        gpu_named.demand(device)
    return str(caught.value)


def test_a_gpu_that_the_driver_has_is_taken_and_another_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_GPUS", "2")
    for device in ("cuda", "cuda:0", "CUDA:1", "cpu", "npu:7"):
        gpu_named.demand(device)
    for device in ("cuda:2", "Cuda:one", "cuda:-1", "cudart"):
        assert refused(device).startswith(f"the adapter says that it runs on {device}, but ")
    assert refused("cuda:2").endswith("NVIDIA's driver has only cuda:0 to cuda:1")


def test_without_a_gpu_or_a_driver_no_word_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_GPUS", "0")
    assert refused("CUDA:0").endswith("but NVIDIA's driver has no GPU (CUDA error 100)")
    gpu_named.demand("cpu")
    for name in ("libcuda-that-nobody-has.so.1", "libc.so.6"):
        monkeypatch.setattr(gpu_named, "LIBRARY", name)
        assert "but there is no NVIDIA driver here (" in refused("cuda:0")


def test_a_worker_measures_nothing_under_the_name_of_a_gpu_that_is_not_there(
    driver_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LD_LIBRARY_PATH", str(driver_folder))
    monkeypatch.setenv("FAKE_GPUS", "0")
    told = measure(job("tests.run.on_a_gpu:OnAGpu", settings={"device": "cuda:0"}))
    assert told.run.failure is not None
    assert (told.run.failure.error, told.ear.payloads) == ("DeviceUnavailable", [])
    assert told.run.failure.message.startswith(
        "the adapter says that it runs on cuda:0, but NVIDIA's driver has no GPU"
    )
