"""The real CUDA and TensorRT providers of onnxruntime-gpu, on a machine without a GPU: what they refuse, and why."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from backends import ort_clock, ort_config, ort_providers
from bench.device.adapter import Settings
from tests.gpu_tools import models, stand_ins
from tests.gpu_tools.environments import ask, place

pytestmark = pytest.mark.gpu_tools
SOME_GPU = [["Some GPU", "GPU-1", "9.0", 1 << 33]]
"""What a driver would answer: what comes after it is then asked of the real provider."""


@pytest.fixture(scope="module")
def no_device(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of a machine whose driver finds no GPU."""
    folder = tmp_path_factory.mktemp("libraries")
    stand_ins.no_device(folder)
    stand_ins.large_libraries(folder, [library_of("cuda"), library_of("tensorrt")])
    return {"LD_LIBRARY_PATH": str(folder)}


def library_of(kind: str) -> Path:
    """The library of that provider of the real onnxruntime-gpu."""
    packages = (place("cuda") / "lib").glob("python*/site-packages")
    (library,) = (one / "onnxruntime" / "capi" / f"libonnxruntime_providers_{kind}.so" for one in packages)
    return library


def test_who_calls_what_stands_in_for_cudas_libraries_does_not_live(no_device: dict[str, str]) -> None:
    """So that a test which passes with them has called none."""
    folder = Path(no_device["LD_LIBRARY_PATH"])
    assert {path.name for path in folder.glob("*.so.*")} >= {"libcublas.so.13", "libcublasLt.so.13"}
    library = folder / "libcublas.so.13"
    call = f"import ctypes; ctypes.CDLL({str(library)!r}).cublasCreate_v2()"
    done = subprocess.run([sys.executable, "-c", call], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (-signal.SIGABRT, "cublasCreate_v2 was called, which needs a GPU\n")


def test_the_probe_lists_no_gpu_that_is_only_compiled_in(no_device: dict[str, str]) -> None:
    told = ask("cuda", "probe", no_device)["probe"]
    assert told["usable"]
    assert told["devices"] == ["cpu"]
    assert "(CUDA error 100" in told["reason"]
    assert told["remedy"]


@pytest.mark.parametrize("provider", ["cuda", "tensorrt"])
def test_without_a_gpu_nothing_opens(provider: str, no_device: dict[str, str], tmp_path: Path) -> None:
    told = ask("cuda", "open", no_device, device="cuda:0", extra={"provider": provider}, **models.scaling(tmp_path))
    assert told["error"] == "DeviceUnavailable"
    assert told["message"].startswith("cuda:0 cannot be used: the driver finds no GPU (CUDA error 100")


@pytest.mark.parametrize("fallback", [{}, {"cpu fallback": "allowed"}])
def test_a_provider_that_cannot_start_is_refused_not_replaced(
    fallback: dict[str, str], no_device: dict[str, str], tmp_path: Path
) -> None:
    """As where the driver's answer and the provider's fate differ: another library is missing, a GPU is lost."""
    words = models.scaling(tmp_path)
    told = ask("cuda", "open", no_device, device="cuda:0", gpus=SOME_GPU, extra=fallback, **words)
    assert told["error"] == "DeviceUnavailable"
    assert told["message"].startswith("cuda:0 cannot be used: ")
    assert "100" in told["message"]


def test_a_missing_tensorrt_is_named_with_what_to_install(no_device: dict[str, str], tmp_path: Path) -> None:
    extra = {"provider": "tensorrt"}
    cache = {"BENCHPACT_CACHE": str(tmp_path / "cache")}
    words = models.scaling(tmp_path)
    told = ask("cuda", "open", {**no_device, **cache}, device="cuda:0", gpus=SOME_GPU, extra=extra, **words)
    assert told["error"] == "DeviceUnavailable"
    assert "TensorRT" in told["message"]
    assert "pip install 'tensorrt-cu13<11'" in told["message"]


def options_of(**settings: Any) -> dict[str, str]:
    extra = {"gpu memory limit": "2 GiB", **settings.pop("extra", {})}
    asked = Settings(device="cuda:0", extra=extra, **settings)
    return dict(ort_providers.options_of(asked, ort_config.values_of(asked), "/cache")[0][1])


def test_the_real_cuda_provider_takes_every_option_that_we_say(no_device: dict[str, str], tmp_path: Path) -> None:
    """It reads names and values before it looks for a device: a good option ends at the device, a bad one before."""
    said = [options_of(), options_of(precision="tf32", residency="device", extra={"cuda graph": True})]
    said += [options_of(extra={"cudnn search": word}) for word in ort_providers.SEARCHES]
    pairs = sorted({(name, value) for options in said for name, value in options.items() if name != "device_id"})
    pairs.append((ort_clock.STREAM, str(1 << 46)))  # an address, which it takes as it is
    bad = [("nonsense", "1"), ("enable_cuda_graph", "maybe"), (ort_clock.STREAM, "mine")]
    told = ask("cuda", "options", no_device, options=[*pairs, *bad], **models.scaling(tmp_path))["said"]
    for pair, answer in zip([*pairs, *bad], told, strict=True):
        assert ("CUDA failure 100" in answer) == (pair in pairs), (pair, answer)
        assert ("provider option" in answer) == (pair in bad), (pair, answer)


def test_every_option_for_tensorrt_is_one_of_the_real_providers_own() -> None:
    names = set(library_of("tensorrt").read_bytes().split(b"\0"))
    asked = options_of(extra={"provider": "tensorrt"})
    assert len(asked) > 8
    assert not [name for name in asked if name.encode() not in names]
    assert b"trt_nonsense" not in names


def test_two_packages_of_the_one_name_are_refused_by_probe_and_open_with_the_way_out(tmp_path: Path) -> None:
    told = ask("both", "probe")["probe"]
    assert not told["usable"]
    assert "are installed together and overwrite each other's files" in told["reason"]
    assert told["remedy"].startswith("pip uninstall -y onnxruntime onnxruntime-webgpu && pip install ")
    opened = ask("both", "open", device="cpu", **models.scaling(tmp_path))
    assert opened["error"] == "DeviceUnavailable"
    assert "installed together" in opened["message"]
