"""GPUs: what their driver tells, what would disturb on them, which wheels fit; every command is shown with its GPU."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bench import doctor
from bench.doctor import gpus, probing
from bench.doctor.diagnosis import Diagnosis, Finding, Gpu, Machine, Severity, State
from bench.doctor.gpu_findings import gpu_findings
from bench.doctor.gpu_packages import Wheel, fit, installed, major_of
from bench.doctor.gpus import Read, read_gpus
from tests.device.fake_nvml import UUID, compiled

OK, NOTE, WARN = Severity.OK, Severity.NOTE, Severity.WARN
WELL = Gpu(
    index=1, name="Made-up GPU", driver="580.95.05", cuda="13.0", memory_bytes=80 << 30, used_bytes=1 << 30, ecc="on",
    mig="off", persistence="on", power_limit_mw=400_000, default_power_limit_mw=400_000, sm_mhz=345, max_sm_mhz=1980,
    temperature_c=45, clocks_set=True, others=(),
)  # fmt: skip
ORT = Wheel(
    "onnxruntime-gpu",
    "1.31.1",
    (
        "flatbuffers",
        'nvidia-cuda-runtime~=13.0; extra == "cuda"',
        "nvidia-cublas<14,>=13.0 ; extra == 'cuda'",
        'nvidia-cudnn-cu13~=9.0; extra == "cudnn"',
    ),
)
LIBRARIES = (
    *(Wheel(name, "13.1") for name in ("nvidia-cuda-runtime", "nvidia-cublas")),
    Wheel("nvidia-cudnn-cu13", "9.16"),
)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The root of a machine with a driver, whose library is the stand-in."""
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev" / "nvidiactl").touch()
    monkeypatch.setenv("LD_LIBRARY_PATH", str(compiled(tmp_path)))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    return tmp_path


def named(what: str, **changes: Any) -> Finding:
    found = {one.name: one for one in gpu_findings([replace(WELL, **changes)])}
    return found[f"GPU 1 {what}"]


def test_the_driver_is_asked_in_a_process_of_its_own(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_NVML", "count=2,power_limit_mw=300000,persistence=0,processes=2,pid=4711")
    first, second = read_gpus(machine).gpus
    assert (first.index, second.index) == (0, 1)
    assert (first.name, first.uuid, first.driver, first.cuda) == ("Made-up GPU 0", UUID, "580.95.05", "13.0")
    assert (first.ecc, first.persistence, first.clocks_set) == ("on", "off", False)
    assert first.others == (4711, 100_001)
    assert (first.power_limit_mw, first.default_power_limit_mw) == (300_000, 400_000)
    assert first.why_not == {}


def test_what_the_driver_refuses_is_not_told_with_the_reason(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_NVML", "fail:nvmlDeviceGetEccMode=3,fail:nvmlDeviceGetName=15")
    (gpu,) = read_gpus(machine).gpus
    assert (gpu.ecc, gpu.name, gpu.mig) == (None, None, "off")
    assert gpu.why_not["ecc"] == "NVML says: Not Supported (nvmlDeviceGetEccMode)"
    assert "lost" in gpu.why_not["name"]


def test_who_is_on_a_gpu_is_never_none_where_the_list_is_refused(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_NVML", "processes=3,fail:nvmlDeviceGetComputeRunningProcesses_v3=4")
    (gpu,) = read_gpus(machine).gpus
    assert gpu.others is None
    found = {one.name: one for one in gpu_findings([gpu])}["GPU 0 processes"]
    refused = "not told: NVML says: Insufficient Permissions (nvmlDeviceGetComputeRunningProcesses)"
    assert (found.severity, found.found, found.remedy) == (NOTE, refused, "nvidia-smi -i 0")


@pytest.mark.parametrize(
    ("nvml", "words", "name"),
    [
        ("HandleByIndex_v2=15", "NVML says: GPU is lost (nvmlDeviceGetHandleByIndex)", ""),
        ("HandleByIndex_v2=4", "NVML says: Insufficient Permissions (nvmlDeviceGetHandleByIndex)", ""),
        (
            "Name=15",
            "NVML says: GPU is lost (nvmlDeviceGetName)",
            "NVML says: GPU is lost (nvmlDeviceGetName) · 80 GiB",
        ),
        ("PowerUsage=15", "NVML says: GPU is lost (nvmlDeviceGetPowerUsage)", "Made-up GPU 0 · 80 GiB"),
    ],
)
def test_a_gpu_that_is_lost_is_a_warning_in_nvmls_own_words(
    nvml: str, words: str, name: str, machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_NVML", f"fail:nvmlDeviceGet{nvml}")
    read = read_gpus(machine)
    (finding,) = gpu_findings(read.gpus, read.why_not, read.remedy)
    assert (finding.name, finding.severity, finding.found) == ("GPU 0", WARN, words)
    assert "nvidia-smi -i 0 -q" in finding.remedy and "sudo nvidia-smi -i 0 -r, or restart" in finding.remedy
    diagnosis = Diagnosis(Machine(), State(), (), (finding,), read.gpus)
    shown = doctor.render(diagnosis, width=160)
    machines, disturbs = shown.split("\nbackends\n")
    assert f"{name or words} · driver 580.95.05, CUDA up to 13.0" in machines
    assert words in disturbs
    assert "1 thing would disturb a measurement" in shown


@pytest.mark.parametrize(
    ("nvml", "why_not"),
    [
        ("fail:nvmlInitWithFlags=18", "NVML says: RM has detected an NVML/RM version mismatch. (nvmlInit)"),
        ("count=0", "the driver has none"),
        ("die:nvmlInitWithFlags=0", "asking NVIDIA's driver for its GPUs ended by signal 9"),
        ("hang:nvmlInitWithFlags=60", "asking NVIDIA's driver for its GPUs took longer than 1 s"),
    ],
)
def test_a_driver_that_fails_is_a_sentence(
    nvml: str, why_not: str, machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_NVML", nvml)
    read = read_gpus(machine, timeout_s=1 if "hang" in nvml else 60)
    assert (read.gpus, read.why_not) == ((), why_not)
    (finding,) = gpu_findings(read.gpus, read.why_not, read.remedy)
    assert (finding.severity, finding.found) == (NOTE, why_not)
    assert "nvidia-smi" in finding.remedy


def test_without_a_sign_of_a_driver_nothing_is_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpus, "run_apart", lambda *_: pytest.fail("a process was started"))
    assert read_gpus(tmp_path) == Read()
    assert gpu_findings(()) == ()


def test_a_driver_without_nvidias_package_says_how_to_get_it(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpus, "find_spec", lambda name: None)
    assert read_gpus(machine) == Read((), "nvidia-ml-py is not installed", "pip install nvidia-ml-py")


def test_a_gpu_that_is_well_has_nothing_to_mend() -> None:
    found = gpu_findings([WELL])
    assert {one.severity for one in found} == {OK}
    assert all(one.found for one in found)


def test_what_is_not_told_is_named_and_mends_nothing() -> None:
    found = gpu_findings([Gpu(0)])
    assert {(one.severity, one.found, one.remedy) for one in found} == {(OK, None, "")}


@pytest.mark.parametrize(
    ("what", "severity", "changes", "found", "remedy"),
    [
        ("ECC", NOTE, {"ecc": "off"}, "off", "sudo nvidia-smi -i 1 -e 1"),
        ("persistence", NOTE, {"persistence": "off"}, "off", "sudo nvidia-smi -i 1 -pm 1"),
        ("MIG", NOTE, {"mig": "on"}, "on", "sudo nvidia-smi -i 1 -mig 0"),
        ("power limit", NOTE, {"power_limit_mw": 300_000}, "300 W, 400 W by default", "sudo nvidia-smi -i 1 -pl 400"),
        ("temperature", WARN, {"temperature_c": 91}, "91 °C", "let it cool"),
        (
            "clocks", NOTE, {"clocks_set": False}, "no setting is told: 345 MHz now, 1980 MHz at most",
            "sudo nvidia-smi -i 1 -lgc 1980  (back with: sudo nvidia-smi -i 1 -rgc)",
        ),
        (
            "processes", WARN, {"others": (7, 8)}, "2 processes (7, 8), 1 GiB of its memory in use",
            "stop them, or take another GPU: nvidia-smi -i 1",
        ),
    ],
)  # fmt: skip
def test_what_disturbs_comes_with_the_command_for_that_gpu(
    what: str, severity: Severity, changes: dict[str, Any], found: str, remedy: str
) -> None:
    one = named(what, **changes)
    assert (one.severity, one.found) == (severity, found)
    assert one.why
    assert one.remedy.startswith(remedy)


def test_a_name_that_is_refused_is_the_reason() -> None:
    nameless = replace(WELL, name=None, why_not={"name": "NVML says: Unknown Error (nvmlDeviceGetName)"})
    text = doctor.render(Diagnosis(Machine(), State(), (), gpu_findings([nameless]), (nameless,)), width=120)
    assert "NVML says: Unknown Error (nvmlDeviceGetName) · 80 GiB · driver 580.95.05" in text


def test_a_person_reads_the_gpu_with_its_driver() -> None:
    text = doctor.render(Diagnosis(Machine(), State(), (), gpu_findings([WELL]), (WELL,)), width=120)
    assert "GPU 1" in text and "Made-up GPU · 80 GiB · driver 580.95.05, CUDA up to 13.0" in text


@pytest.mark.parametrize(
    ("requires", "major"),
    [
        (ORT.requires, 13),
        (("nvidia-cuda-runtime-cu12 (==12.8.90) ; platform_system == 'Linux'",), 12),
        (("cuda-toolkit[cublas,cudart]==13.0.2; sys_platform == 'linux'",), 13),
        (("nvidia-cudnn-cu11",), 11),
        (("numpy>=1.26", "nvidia-ml-py>=12"), None),
        (("not a requirement !!", ""), None),
    ],
)
def test_a_wheel_says_which_cuda_it_was_built_for(requires: tuple[str, ...], major: int | None) -> None:
    assert major_of(Wheel("some", "1", requires)) == major


def test_a_wheel_that_fits_is_fine_and_names_its_cudnn() -> None:
    (one,) = fit([ORT, *LIBRARIES], "580.95.05", "13.0")
    assert (one.name, one.severity) == ("wheel onnxruntime-gpu", OK)
    assert one.found == "1.31.1, for CUDA 13, nvidia-cudnn-cu13 9.16"


def test_a_wheel_for_a_newer_cuda_than_the_driver_runs_needs_another_driver() -> None:
    (one,) = fit([ORT, *LIBRARIES], "550.54", "12.4")
    assert (one.severity, one.found) == (WARN, "1.31.1, for CUDA 13")
    assert one.why == "the driver 550.54 runs CUDA up to 12.4: the GPU cannot be used"
    assert one.remedy == "install NVIDIA's driver 580 or newer"


def test_a_wheel_without_its_libraries_says_how_to_get_them() -> None:
    (one,) = fit([ORT, *LIBRARIES[:2]], "580.95.05", "13.0")
    assert (one.severity, one.remedy) == (NOTE, "pip install 'onnxruntime-gpu[cudnn]'")


def test_bindings_of_the_driver_need_no_library_beside_it_and_benchpact_is_built_for_no_cuda() -> None:
    extra = 'nvidia-cuda-nvrtc==13.*; extra == "all"'
    ours = Wheel("benchpact", "0.1.0", ('tensorrt-cu13>=10.8; extra == "tensorrt"',))
    bindings = Wheel("cuda-bindings", "13.5.0", ("cuda-pathfinder>=1.4.2", "cuda-toolkit==13.*", extra))
    (one,) = fit([bindings, ours], "580.95.05", "13.0")
    assert (one.name, one.severity, one.remedy) == ("wheel cuda-bindings", OK, "")
    (one,) = fit([bindings, ours], "550.54", "12.4")
    assert (one.severity, one.remedy) == (WARN, "install NVIDIA's driver 580 or newer")


def test_a_tensorrt_that_nothing_loads_comes_with_the_one_that_is() -> None:
    found = fit([ORT, *LIBRARIES, Wheel("tensorrt-cu13", "11.4.0.106")], "580.95.05", "13.0")
    (one,) = [one for one in found if "tensorrt" in one.name]
    assert (one.severity, one.found, one.remedy) == (NOTE, "11.4.0.106", "pip install 'tensorrt-cu13<11'")
    assert not [one for one in fit([ORT, Wheel("tensorrt", "10.16")], None, None) if "tensorrt" in one.name]
    assert fit([Wheel("tensorrt", "11.4")], None, None) == ()


def test_the_wheels_of_this_environment_are_read() -> None:
    assert "numpy" in {one.name for one in installed()}
    assert "numpy" not in " ".join(one.name for one in fit(installed(), "580.95.05", "13.0"))


def test_an_examination_holds_the_gpus_and_what_disturbs_there(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_NVML", "persistence=0")
    monkeypatch.setattr(gpus, "SIGNS", (str(machine / "dev" / "nvidiactl"),))
    monkeypatch.setattr(probing, "backends", lambda: ())
    diagnosis = doctor.examine()
    assert [one.name for one in diagnosis.gpus] == ["Made-up GPU 0"]
    found = {one.name: one for one in diagnosis.findings}
    assert found["GPU 0 persistence"].remedy == "sudo nvidia-smi -i 0 -pm 1"
    assert found["GPU 0 clocks"].severity is NOTE
    text = doctor.render(diagnosis, width=160)
    assert "driver 580.95.05, CUDA up to 13.0" in text and "→ sudo nvidia-smi -i 0 -pm 1" in text
    assert json.loads(doctor.as_json(diagnosis))["gpus"][0]["uuid"] == UUID
