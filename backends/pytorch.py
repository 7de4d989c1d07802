"""PyTorch on the CPU: TorchScript, ``torch.export`` and eager modules, with ``torch.compile`` as an option."""

from __future__ import annotations

import importlib
from typing import Any, Dict, Mapping, Tuple

from backends import options, precision, probing, staging, torch_load
from backends.torch_compile import MODES
from backends.torch_session import TorchSession, TorchStateSession
from bench.device.adapter import CHOICE, EAGER, AdapterError, Availability, ModelFiles, ModelRejected, Settings
from bench.device.declared import Conflict, Count, Declared, OneOf

NOT_COMPILED = "it needs `artifact: torch-export` or `eager`: TorchScript has a compiler of its own"
OPTIONS: Mapping[str, Declared] = {
    CHOICE: OneOf(
        "what is run; auto is the first of them that there is", ("auto", "torchscript", "torch-export", EAGER), "auto"
    ),
    "compile": OneOf("whether torch.compile is used, and in which mode", (False, *MODES), False),
    "channels last": OneOf("whether images are laid out with their channels last", (True, False), False),
    "inter-op threads": Count("threads that run independent operators of TorchScript"),
}


class PyTorchAdapter:
    """PyTorch models on the CPU."""

    artifact_kinds: Tuple[str, ...] = ("torchscript", "torch-export", "safetensors", "state-dict")
    options: Mapping[str, Declared] = OPTIONS
    devices: Tuple[str, ...] = ("cpu",)
    packages: Tuple[str, ...] = ("torch",)
    concurrent_runs = False

    def probe(self) -> Availability:
        try:
            torch = importlib.import_module("torch")
            torch.zeros(1)
            return Availability(True, {"torch": str(torch.__version__)}, ("cpu",))
        except Exception as error:  # noqa: BLE001 - a broken install raises anything; a probe never does
            return probing.unusable("torch", error)

    def conflict(self, model: ModelFiles, settings: Settings) -> Conflict:
        """TorchScript is not compiled. Where nothing is chosen, it is the first that would be taken."""
        chosen, mode = (options.value_of(settings.extra, OPTIONS, name) for name in (CHOICE, "compile"))
        script = chosen == "torchscript" or (chosen == "auto" and "torchscript" in model.artifacts)
        return ("compile", NOT_COMPILED) if mode and script else None

    def open(self, model: ModelFiles, settings: Settings) -> TorchSession:
        options.check_known(settings, self.options, self.devices)
        options.refuse(self.conflict(model, settings))
        kind = torch_load.choose(model, options.value_of(settings.extra, OPTIONS, CHOICE))
        channels_last = options.value_of(settings.extra, OPTIONS, "channels last")
        compiled = options.value_of(settings.extra, OPTIONS, "compile")
        probing.demand(self.probe())
        torch: Any = importlib.import_module("torch")
        facts = _configure(torch, settings)
        loaded = torch_load.load(torch, model, kind)
        weights = _weights(loaded.module)
        if channels_last and hasattr(loaded.module, "to"):
            loaded.module.to(memory_format=torch.channels_last)
        own = precision.of(weights, model)
        bf16 = settings.precision == "bf16" and own == "fp32"
        if settings.precision != own and not bf16:
            raise ModelRejected("precision %s was asked for, but the model's is %s" % (settings.precision, own))
        facts.update(device="cpu", artifact=kind, residency="host", precision=settings.precision, weights=weights)
        facts.update({"autocast": "bfloat16" if bf16 else "off", "channels last": channels_last})
        session = (TorchStateSession if model.state else TorchSession)(torch, loaded, model, settings, facts)
        try:
            session.enter(bf16, compiled)
        except BaseException:
            session.__exit__()
            raise
        return session

    def profiled(self, model: ModelFiles, settings: Settings) -> TorchSession:
        """As ``open``: the profiler is switched on for the queries that are profiled."""
        return self.open(model, settings)


def _configure(torch: Any, settings: Settings) -> Dict[str, object]:
    """Threads and arithmetic of the whole process, nothing left to a default; what of it to record."""
    inter_op = options.value_of(settings.extra, OPTIONS, "inter-op threads")
    if torch.get_num_interop_threads() != inter_op:
        try:
            torch.set_num_interop_threads(inter_op)
        except RuntimeError as error:
            raise AdapterError("inter-op threads cannot be %d any more: %s" % (inter_op, staging.one_line(error)))
    torch.set_num_threads(settings.threads)
    if torch.get_num_threads() != settings.threads:
        raise AdapterError("asked for %d threads, torch took %d" % (settings.threads, torch.get_num_threads()))
    torch.set_float32_matmul_precision("highest")
    return {
        "inter-op threads": torch.get_num_interop_threads(),
        "float32 matmul precision": torch.get_float32_matmul_precision(),
        "onednn": bool(torch.backends.mkldnn.is_available() and torch.backends.mkldnn.enabled),
    }


def _weights(module: Any) -> Dict[str, int]:
    """Number of weights by dtype."""
    counts: Dict[str, int] = {}
    for kind in ("parameters", "buffers"):
        for tensor in getattr(module, kind, lambda: ())():
            dtype = str(tensor.dtype).replace("torch.", "")
            counts[dtype] = counts.get(dtype, 0) + int(tensor.numel())
    return counts
