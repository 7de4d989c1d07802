"""PyTorch on the CPU and on GPUs: TorchScript, ``torch.export`` and eager modules; ``torch.compile`` as an option."""

from __future__ import annotations

import importlib
from typing import Any, Dict, Mapping, Optional, Tuple

from backends import (
    cuda_arithmetic,
    cuda_probe,
    options,
    precision,
    probing,
    staging,
    torch_arithmetic,
    torch_cuda,
    torch_load,
    torch_places,
)
from backends.torch_compile import MODES
from backends.torch_cuda_session import TorchCudaSession, TorchCudaStateSession
from backends.torch_session import TorchSession, TorchStateSession
from bench.device.adapter import CHOICE, EAGER, AdapterError, Availability, ModelFiles, ModelRejected, Settings
from bench.device.declared import Conflict, Count, Declared, OneOf

NOT_COMPILED = "it needs `artifact: torch-export` or `eager`: TorchScript has a compiler of its own"
INSTALL = "pip install torch --index-url https://download.pytorch.org/whl/cpu (for a GPU without the option)"
OPTIONS: Mapping[str, Declared] = {
    CHOICE: OneOf(
        "what is run; auto is the first of them that there is", ("auto", "torchscript", "torch-export", EAGER), "auto"
    ),
    "compile": OneOf("whether torch.compile is used, and in which mode", (False, *MODES), False),
    "channels last": OneOf("whether images are laid out with their channels last", (True, False), False),
    "inter-op threads": Count("threads that run independent operators of TorchScript"),
    torch_places.FALLBACK: torch_places.OPTION,
    **torch_cuda.OPTIONS,
}


class PyTorchAdapter:
    """PyTorch models on the CPU, or on a GPU by CUDA."""

    artifact_kinds: Tuple[str, ...] = ("torchscript", "torch-export", "safetensors", "state-dict")
    options: Mapping[str, Declared] = OPTIONS
    devices: Tuple[str, ...] = ("cpu", *torch_cuda.DEVICES)
    packages: Tuple[str, ...] = ("torch",)
    concurrent_runs = False

    def probe(self) -> Availability:
        try:
            torch = importlib.import_module("torch")
            torch.zeros(1)
            gpus, versions, reason, remedy = torch_cuda.offered(torch)
            return Availability(True, {"torch": str(torch.__version__), **versions}, ("cpu", *gpus), reason, remedy)
        except Exception as error:  # noqa: BLE001 - a broken install raises anything; a probe never does
            return probing.unusable("torch", error, INSTALL)

    def conflict(self, model: ModelFiles, settings: Settings) -> Conflict:
        """TorchScript is not compiled. Where nothing is chosen, it is the first that would be taken."""
        chosen, mode = (options.value_of(settings.extra, OPTIONS, name) for name in (CHOICE, "compile"))
        script = chosen == "torchscript" or (chosen == "auto" and "torchscript" in model.artifacts)
        return ("compile", NOT_COMPILED) if mode and script else torch_cuda.conflict(settings)

    def open(self, model: ModelFiles, settings: Settings) -> TorchSession:
        options.check_known(settings, self.options, self.devices)
        options.refuse(self.conflict(model, settings))
        kind = torch_load.choose(model, options.value_of(settings.extra, OPTIONS, CHOICE))
        values = {name: options.value_of(settings.extra, OPTIONS, name) for name in OPTIONS}
        probing.demand(self.probe())
        torch: Any = importlib.import_module("torch")
        on_gpu = torch_cuda.is_cuda(settings.device)
        facts: Dict[str, object] = {}
        if on_gpu:
            gpu = torch_cuda.demand(torch, settings.device)
            cuda_arithmetic.demand(settings.precision, gpu)
            facts.update(gpu=gpu._asdict(), **{"gpu caches": cuda_probe.CACHES})
        _configure(torch, settings, values)
        loaded = torch_load.load(torch, model, kind, settings.device)
        facts.update(_configure(torch, settings, values))  # the user's own code may have set other than was asked for
        weights = _weights(loaded.module)
        if values["channels last"] and hasattr(loaded.module, "to"):
            loaded.module.to(memory_format=torch.channels_last)
        autocast = _autocast(settings, precision.of(weights, model))
        facts.update(device=settings.device, artifact=kind, residency=settings.residency if on_gpu else "host")
        facts.update(precision=settings.precision, weights=weights, autocast=autocast or "off")
        facts["channels last"] = values["channels last"]
        session = _session(torch, loaded, model, settings, facts)
        try:
            session.enter(autocast, values["compile"])
        except BaseException:
            session.__exit__()
            raise
        return session

    def profiled(self, model: ModelFiles, settings: Settings) -> TorchSession:
        """As ``open``: the profiler is switched on for the queries that are profiled."""
        return self.open(model, settings)


def _session(
    torch: Any, loaded: torch_load.Loaded, model: ModelFiles, settings: Settings, facts: Dict[str, object]
) -> TorchSession:
    if torch_cuda.is_cuda(settings.device):
        torch_cuda.refuse_elsewhere(loaded.module, settings.device)
        facts["in the clock"] = torch_cuda.RESIDENCY[settings.residency]
        return (TorchCudaStateSession if model.state else TorchCudaSession)(torch, loaded, model, settings, facts)
    return (TorchStateSession if model.state else TorchSession)(torch, loaded, model, settings, facts)


def _autocast(settings: Settings, own: str) -> Optional[str]:
    """Autocast's dtype, where it makes what was asked for of the model's ``own``; ModelRejected where none does."""
    asked = settings.precision
    if asked == own or (asked, own) == ("tf32", "fp32"):
        return None
    if own == "fp32" and (asked == "bf16" or (asked == "fp16" and torch_cuda.is_cuda(settings.device))):
        return torch_cuda.AUTOCAST[asked]
    raise ModelRejected("precision %s was asked for, but the model's is %s" % (asked, own))


def _configure(torch: Any, settings: Settings, values: Mapping[str, Any]) -> Dict[str, object]:
    """Threads and arithmetic of the whole process, nothing left to a default; what of it to record."""
    inter_op = values["inter-op threads"]
    if torch.get_num_interop_threads() != inter_op:
        try:
            torch.set_num_interop_threads(inter_op)
        except RuntimeError as error:
            raise AdapterError("inter-op threads cannot be %d any more: %s" % (inter_op, staging.one_line(error)))
    torch.set_num_threads(settings.threads)
    if torch.get_num_threads() != settings.threads:
        raise AdapterError("asked for %d threads, torch took %d" % (settings.threads, torch.get_num_threads()))
    on_gpu = torch_cuda.is_cuda(settings.device)
    facts = torch_cuda.configure(torch, settings, values) if on_gpu else {}
    if not on_gpu:
        torch_arithmetic.say(torch, tf32=settings.precision == "tf32")
    facts.update({
        "inter-op threads": torch.get_num_interop_threads(),
        "float32 matmul precision": torch.get_float32_matmul_precision(),
    })  # fmt: skip
    if on_gpu:
        facts[torch_places.FALLBACK] = values[torch_places.FALLBACK]
    else:
        facts["onednn"] = bool(torch.backends.mkldnn.is_available() and torch.backends.mkldnn.enabled)
    return facts


def _weights(module: Any) -> Dict[str, int]:
    """Number of weights by dtype."""
    counts: Dict[str, int] = {}
    for kind in ("parameters", "buffers"):
        for tensor in getattr(module, kind, lambda: ())():
            dtype = str(tensor.dtype).replace("torch.", "")
            counts[dtype] = counts.get(dtype, 0) + int(tensor.numel())
    return counts
