"""What ``cuda:N`` means to PyTorch: the GPU found or the reason why not, its arithmetic said, its memory told."""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, Tuple

from backends import cuda_probe, torch_arithmetic, torch_places
from bench.device import records
from bench.device.adapter import DeviceUnavailable, Settings
from bench.device.declared import Conflict, Declared, OneOf, Size, bytes_of

DEVICES = tuple("cuda:%d" % number for number in range(8))
GRAPH, LIMIT, SEARCH = "cuda graph", "gpu memory limit", "cudnn search"
OPTIONS: Mapping[str, Declared] = {
    GRAPH: OneOf("whether each query's kernels are captured once and replayed, on a GPU", (True, False), False),
    LIMIT: Size("the most memory of the GPU that torch takes for tensors; no limit by default"),
    SEARCH: OneOf("how cuDNN chooses a convolution's algorithm", ("exhaustive", "heuristic"), "heuristic"),
}
AUTOCAST = {"bf16": "bfloat16", "fp16": "float16"}
"""The precisions that a model of fp32 is computed in by autocast; fp16 only on a GPU."""
ALLOCATED = "gpu memory that torch gave out at most"
CAPTURES = ("reduce-overhead", "max-autotune")
"""Modes of torch.compile that capture graphs of their own."""
INSTALL = "pip install --force-reinstall torch, for a CUDA that the driver speaks (https://pytorch.org/get-started)"
RESIDENCY = {
    "host": "inputs copied to the GPU, the model, outputs copied back; host memory is pageable, and the copies wait",
    "device": "the model until its stream is done, which the host spins for; inputs and outputs are on the GPU",
}


def is_cuda(device: str) -> bool:
    return device.startswith("cuda")


def conflict(settings: Settings) -> Conflict:
    """What has no meaning on the device that was asked for, or not together."""
    extra, on_gpu = settings.extra, is_cuda(settings.device)
    of_a_gpu = (torch_places.FALLBACK, *OPTIONS)
    asked = next((name for name in of_a_gpu if name in extra and extra[name] is not False), None)
    if asked is not None and not on_gpu:
        return asked, "it is of a GPU, and this target's device is %s" % settings.device
    if settings.precision == "tf32" and not on_gpu:
        return "precision", "tf32 is arithmetic of NVIDIA's GPUs; a CPU has fp32"
    if extra.get(GRAPH) and settings.residency != "device":
        return GRAPH, "it needs `residency: device`: what is captured reads and writes the GPU's memory"
    if extra.get(GRAPH) and extra.get("compile") in CAPTURES:
        return GRAPH, "`compile: %s` captures graphs of its own: say one of the two" % extra["compile"]
    return None


def offered(torch: Any) -> Tuple[Tuple[str, ...], Dict[str, str], str, str]:
    """The GPUs that this torch can use, versions, and why there is none, with a remedy, where it was built for them."""
    if torch.version.cuda is None:
        return (), {}, "", ""
    found, versions = cuda_probe.look(), {"cuda": str(torch.version.cuda)}
    if not found.gpus:
        return (), versions, found.reason, found.remedy
    versions["cuda driver"] = found.driver
    if not torch.cuda.is_available():
        return (), versions, unfit(torch, found.driver), INSTALL
    return DEVICES[: min(len(found.gpus), torch.cuda.device_count())], versions, "", ""


def unfit(torch: Any, driver: str) -> str:
    """Why torch cannot use a GPU that the driver has."""
    return "torch %s is for CUDA %s, and the driver speaks %s" % (torch.__version__, torch.version.cuda, driver)


def demand(torch: Any, device: str) -> cuda_probe.Gpu:
    """The GPU of that number; DeviceUnavailable, with what to install, where this torch can use none."""
    found = cuda_probe.look()
    built = "" if torch.version.cuda else "torch %s is built without CUDA" % torch.__version__
    if not found.gpus:
        also = "; and %s: then %s" % (built, INSTALL) if built else ""
        raise DeviceUnavailable("%s cannot be used: %s; to mend: %s%s" % (device, found.reason, found.remedy, also))
    gpu = cuda_probe.numbered(device)
    if built or not torch.cuda.is_available():
        reason = built or unfit(torch, found.driver)
        raise DeviceUnavailable("%s cannot be used: %s; to mend: %s" % (device, reason, INSTALL))
    _same(torch, device, gpu)
    return gpu


def _same(torch: Any, device: str, gpu: cuda_probe.Gpu) -> None:
    """Whether torch's device of that number is the driver's."""
    name = str(torch.cuda.get_device_properties(device).name)
    if name != gpu.name:
        raise DeviceUnavailable("torch calls %s a %s, the driver a %s: say which by CUDA_VISIBLE_DEVICES" % (
            device, name, gpu.name,
        ))  # fmt: skip


def configure(torch: Any, settings: Settings, values: Mapping[str, Any]) -> Dict[str, object]:
    """Arithmetic, algorithms and the memory's limit of the whole process; what of it to record."""
    tf32 = settings.precision == "tf32"
    torch_arithmetic.say(torch, tf32)
    torch.backends.cudnn.benchmark = values[SEARCH] == "exhaustive"
    torch.cuda.set_device(settings.device)
    limit = bytes_of(values[LIMIT]) if values[LIMIT] else 0
    if limit:
        total = int(torch.cuda.get_device_properties(settings.device).total_memory)
        torch.cuda.set_per_process_memory_fraction(min(1.0, limit / total), settings.device)
    facts: Dict[str, object] = {"tf32": tf32, SEARCH: values[SEARCH], GRAPH: values[GRAPH]}
    if settings.precision in AUTOCAST:
        name = "allow_%s_reduced_precision_reduction" % settings.precision
        facts["reduced precision sums"] = str(getattr(torch.backends.cuda.matmul, name))
    return dict(facts, **({LIMIT: values[LIMIT]} if limit else {}))


def refuse_elsewhere(module: Any, device: str) -> None:
    """DeviceUnavailable where a parameter or a buffer did not come along to the GPU."""
    left: List[str] = [
        "%s (%s)" % (name, tensor.device)
        for kind in ("named_parameters", "named_buffers")
        for name, tensor in getattr(module, kind, lambda: ())()
        if str(tensor.device) != device
    ]
    if left:
        raise DeviceUnavailable("%d tensors of the model are not on %s: %s" % (len(left), device, ", ".join(left[:5])))


def memory(torch: Any, device: str) -> Dict[str, object]:
    """The most that torch's allocator held of the GPU, and gave out, since the process began."""
    return {
        records.GPU_OWN: int(torch.cuda.max_memory_reserved(device)),
        ALLOCATED: int(torch.cuda.max_memory_allocated(device)),
    }
