"""Whether the driver has the GPU that a session names: by a driver that is compiled here, or by none."""

from __future__ import annotations

import subprocess
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
    monkeypatch.setattr("sys.platform", "darwin")
    assert refused("cuda:0").endswith("but NVIDIA's driver is asked on Linux only, and this is darwin")
    monkeypatch.setattr("sys.platform", "linux")
    for name in ("libcuda-that-nobody-has.so.1", "libc.so.6"):
        monkeypatch.setattr(gpu_named, "LIBRARY", name)
        assert "but there is no NVIDIA driver here (" in refused("cuda:0")


NVIDIAS = (
    "gpu gpu:0 GPU.0 gpu1 nvidia:0 NVIDIA-H200:0 H200 h100 other-H100-SXM gb200 B200 a100-80gb L40S v100 t4 "
    "titan titanxp agx-orin xavier A16 m60 "
    "other-cuda:0 tensorrt:0 rtx4090 geforce tesla-p40 jetson cpu:H200 "
    "h100sxm5 8xH100 A6000 a4500 gv100 gp100 k40 4090 other-3090ti dgx-spark thor blackwell dgpu vgpu0 "
    "\uff47\uff50\uff55:0"
)
OTHERS = (
    "webgpu:0 npu:7 rocm:0 amd-gpu mali-gpu other-made-up titanium k210 ethos-u55 coreml edgetpu hailo-8 n100 m1 "
    "cortex-a53 cortex-a720 a311d k230 rk3588 ampere:0 amd-dgpu igpu 6950"
)


def test_a_gpu_of_nvidias_goes_by_no_other_name_than_cudas() -> None:
    for device in NVIDIAS.split():
        assert refused(device).endswith("a word for a GPU of NVIDIA's that no driver can be asked for: say cuda:N"), (
            device
        )
        assert gpu_named.without_driver(device) == gpu_named.SAY_CUDA
    for device in ("cpu", *OTHERS.split()):
        gpu_named.demand(device)
        assert gpu_named.without_driver(device) == ""


def test_who_runs_elsewhere_names_no_gpu_of_nvidias(monkeypatch: pytest.MonkeyPatch) -> None:
    """A GPU's name beside a CPU's number would be taken for the GPU's. Another vendor's may be told in words."""
    monkeypatch.setenv("FAKE_GPUS", "1")
    named = {"name": "H200", "uuid": "GPU-1"}
    for device in ("cpu", "cpu:0", "npu:0"):
        with pytest.raises(DeviceUnavailable, match=f"runs on {device}, and names a GPU of NVIDIA's in its facts"):
            gpu_named.demand(device, named)
        gpu_named.demand(device, "a GPU of somebody's")


MIG = {"name": "Made-up GPU 0 MIG 1g.18gb"}


def test_a_gpu_is_called_what_the_driver_calls_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_GPUS", "2")
    for number, gpu in (
        (0, {"name": "Made-up GPU 0"}),
        (1, {"name": "Made-up GPU 1"}),
        (1, {}),
        (0, "words"),
        (0, MIG),
    ):
        gpu_named.demand(f"cuda:{number}", gpu)
    with pytest.raises(DeviceUnavailable, match="cuda:1, but calls it a H200, and NVIDIA's driver a Made-up GPU 1"):
        gpu_named.demand("cuda:1", {"name": "H200"})


@pytest.mark.parametrize("device", ["cpu", "cuda:0"])
@pytest.mark.parametrize("profile", [False, True])
def test_a_worker_that_calls_what_computes_by_anothers_name_measures_and_profiles_nothing(
    device: str, profile: bool, driver_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LD_LIBRARY_PATH", str(driver_folder))
    monkeypatch.setenv("FAKE_GPUS", "1")
    told = measure(job("tests.run.on_a_gpu:NamesAnother", settings={"device": device}, profile=profile))
    assert told.run.failure is not None
    assert (told.run.failure.error, told.ear.payloads, told.run.facts) == ("DeviceUnavailable", [], {})


def test_a_device_that_nothing_looks_at_is_noted_as_the_adapters_own_word_once() -> None:
    for device in OTHERS.split():
        own = [f"that {device} is what computed is the word of the adapter itself"]
        assert gpu_named.notes_of(device, ["a note"]) == ["a note", *own]
        assert gpu_named.notes_of(device, own) == own
    for device in ("cpu", "cpu:0", "cuda:0"):
        assert gpu_named.notes_of(device, ["a note"]) == ["a note"]


BROKEN = {
    "crash": ("raise(11);", "NVIDIA's driver crashed when it was loaded (signal 11)"),
    "leave": ("_exit(3);", "NVIDIA's driver crashed when it was loaded (code 3)"),
    "hang": ("for (;;) sleep(60);", "NVIDIA's driver did not load within 2 s"),
}


@pytest.mark.parametrize("how", BROKEN)
def test_a_driver_that_crashes_or_hangs_when_it_is_loaded_is_a_sentence(
    how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    does, why = BROKEN[how]
    source, library = tmp_path / "d.c", tmp_path / "libcuda-broken.so"
    source.write_text(f"#include <signal.h>\n#include <unistd.h>\n__attribute__((constructor)) void f() {{ {does} }}\n")
    subprocess.run(["cc", "-shared", "-fPIC", "-w", "-o", str(library), str(source)], check=True)
    monkeypatch.setattr(gpu_named, "LIBRARY", str(library))
    monkeypatch.setattr(gpu_named, "LOAD_S", 2.0 if how == "hang" else 60.0)
    assert gpu_named.without_driver("cuda:0") == why


def test_the_driver_is_looked_for_once_and_only_where_a_gpu_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def loaded() -> str:
        asked.append("driver")
        return "none"

    monkeypatch.setattr(gpu_named, "_loaded", loaded)
    monkeypatch.setattr(gpu_named, "_LOADED", {})
    assert [gpu_named.without_driver(device) for device in ("cpu", "npu")] == ["", ""] and asked == []
    assert [gpu_named.without_driver(device) for device in ("cuda:0", "cuda:1")] == ["none", "none"]
    assert asked == ["driver"]


def test_whether_the_driver_can_be_loaded_is_told_without_loading_it_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ctypes.CDLL", lambda name: pytest.fail("a driver in this process may end it"))
    assert gpu_named.without_driver("cuda:0") == ""
    monkeypatch.setattr(gpu_named, "LIBRARY", "libcuda-that-nobody-has.so.1")
    assert gpu_named.without_driver("cuda:0").startswith(
        "there is no NVIDIA driver here (libcuda-that-nobody-has.so.1: cannot open shared object file"
    )


def test_a_worker_says_whose_word_a_device_is() -> None:
    told = measure(job("tests.device.telling:Telling", settings={"device": "other-made-up"}))
    assert told.run.failure is None, told.run.failure
    assert told.run.notes.count("that other-made-up is what computed is the word of the adapter itself") == 1


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


@pytest.mark.parametrize("gpus", ["0", "1"])
def test_a_profile_tells_nothing_under_the_name_of_a_gpu_that_is_not_there(
    gpus: str, driver_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LD_LIBRARY_PATH", str(driver_folder))
    monkeypatch.setenv("FAKE_GPUS", gpus)
    told = measure(job("tests.run.on_a_gpu:OnAGpu", settings={"device": "cuda:0"}, profile=True))
    if gpus == "1":
        assert told.run.failure is None, told.run.failure
        assert told.run.facts["device"] == "cuda:0"
        return
    assert told.run.failure is not None and told.run.failure.error == "DeviceUnavailable"
    assert told.run.failure.message.startswith("the adapter says that it runs on cuda:0, but NVIDIA's driver has no")
    assert told.run.facts == {}
