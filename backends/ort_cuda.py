"""What a session on NVIDIA's GPUs needs before it is created: the GPU, its libraries, what fp32 means, engines kept."""

from __future__ import annotations

import ctypes
import importlib
import os
from contextlib import suppress
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional

from backends import cuda_arithmetic, cuda_probe, engine_cache, ort_providers
from backends.ort_providers import Provider
from bench.device.adapter import AdapterError, DeviceUnavailable, Settings

INSTALL = "pip uninstall -y onnxruntime onnxruntime-gpu && pip install 'onnxruntime-gpu[cuda,cudnn]' (make install-gpu)"
TENSORRT, TENSORRT_LIBRARY = "TensorrtExecutionProvider", "libnvinfer.so.10"
BUILT_TEXT = (
    "tensorrt built its engine in this process, which is in its load time or in its first query; it is kept, and the "
    "next process finds it"
)
_TF32: List[bool] = []
"""What this process told NVIDIA's libraries of TF32, which they read once."""


def ready(
    ort: Any, path: Path, provider: Provider, settings: Settings, values: Mapping[str, Any], facts: Dict[str, object]
) -> Optional[Path]:
    """Find the GPU and load its libraries, told in ``facts``; the folder of the model's engines where they are kept.

    DeviceUnavailable, with what to install, where there is no such GPU or no package that can use it.
    """
    gpu, driver = demand_gpu(ort, settings.device, provider), cuda_probe.look().driver
    load_libraries(ort, provider, settings)
    cuda_arithmetic.demand(settings.precision, gpu)
    facts.update(gpu=gpu._asdict(), **{"gpu caches": cuda_probe.CACHES, "cuda driver": driver})
    if TENSORRT not in provider.chain:
        return None
    facts["tensorrt"] = version = tensorrt_version()
    if not values[ort_providers.CACHE]:
        return None
    depends = [settings.precision, dict(values), ort.__version__, version, gpu.name, gpu.capability, driver]
    folder = engine_cache.folder_for(path, {"depends": depends})
    found = engine_cache.has_engine(folder)
    facts["engine cache"] = "%s: %s" % ("found" if found else "built", folder)
    if not found:
        facts["notes"] = [BUILT_TEXT]
    return folder


def tensorrt_version() -> str:
    """The version of the library that the provider loads; nothing where there is none."""
    try:
        number = int(ctypes.CDLL(TENSORRT_LIBRARY).getInferLibVersion())
    except (OSError, AttributeError):
        return ""
    return "%d.%d.%d" % (number // 10000, number // 100 % 100, number % 100)


def demand_gpu(ort: Any, device: str, provider: Provider) -> cuda_probe.Gpu:
    """The GPU of that number; DeviceUnavailable, with what to install, where this package can use none."""
    found = cuda_probe.look()
    offered = ort.get_available_providers()
    built = "" if provider.name in offered else "onnxruntime %s here is built without %s" % (
        ort.__version__, provider.name,
    )  # fmt: skip
    if not found.gpus:
        also = " (%s, too)" % built if built else ""
        raise DeviceUnavailable("%s cannot be used: %s%s; to mend: %s%s" % (
            device, found.reason, also, found.remedy, "; then " + INSTALL if built else "",
        ))  # fmt: skip
    gpu = cuda_probe.numbered(device)
    if built:
        raise DeviceUnavailable("%s cannot be used: %s: %s" % (device, built, INSTALL))
    return gpu


def load_libraries(ort: Any, provider: Provider, settings: Settings) -> None:
    """Load CUDA, cuDNN and TensorRT where pip put them, and say once what fp32 means to all of NVIDIA's libraries."""
    if TENSORRT in provider.chain:
        _say_tf32(settings.precision == "tf32")
        with suppress(Exception):  # a system's own TensorRT needs none of it; what is missing is told later
            importlib.import_module("tensorrt_libs")
    preload = getattr(ort, "preload_dlls", None)
    if preload is not None:
        preload()


def _say_tf32(wanted: bool) -> None:
    """TensorRT computes fp32 in TF32 unless this variable of the environment says 0; it is read once a process."""
    if _TF32 and _TF32[0] != wanted:
        raise AdapterError("one process cannot run tensorrt both in fp32 and in tf32: start another")
    if not wanted:
        os.environ[cuda_arithmetic.OVERRIDE] = "0"
    _TF32[:] = [wanted]
