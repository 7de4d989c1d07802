"""PyTorch on the CPU: TorchScript, ``torch.export`` and eager modules, with ``torch.compile`` as an option."""

from __future__ import annotations

import importlib
from contextlib import ExitStack
from time import perf_counter
from typing import Any, Dict, List, Mapping, Optional, Tuple

import numpy as np

from backends import options, precision, probing, staging, torch_load
from backends.torch_load import Loaded
from bench.device.adapter import (
    AdapterError,
    Arrays,
    Availability,
    ModelFiles,
    ModelRejected,
    Query,
    Settings,
)

COMPILE_MODES = ("default", "reduce-overhead", "max-autotune", "max-autotune-no-cudagraphs")
RECOMPILES = 64
"""Shapes that may be compiled; past torch's own limit of 8 it would go on uncompiled, unsaid."""
NUMBERS = {"int": int, "float": float, "bool": bool}


class TorchSession:
    """One module. A staged query is the tuple of its forward's arguments.

    Inference mode belongs to the thread that opened the session: it must also be the one that runs it.
    """

    run: staging.Run

    def __init__(self, torch: Any, loaded: Loaded, model: ModelFiles, settings: Settings, facts: Dict[str, object]):
        self._torch = torch
        self._model = model
        self._facts = facts
        self._order, facts["inputs by"] = _order(model, loaded)
        self._channels_last = bool(settings.extra.get("channels last", False))
        self._state: Dict[str, Dict[Tuple[int, ...], Any]] = {name: {} for name in model.state}
        self._compiled: Optional[List[Any]] = None
        self._open = ExitStack()
        self._module = loaded.module
        self.run = _runner(torch, loaded.module)

    def stage(self, query: Query) -> Tuple[Any, ...]:
        sizes = staging.sizes_of(self._model, query)
        arrays = staging.copies_of(query)
        tensors = {name: self._tensor(array) for name, array in arrays.items()}
        for spec in self._model.inputs:
            if spec.name in self._model.state:
                zeros = staging.zeros(spec, sizes)
                tensors[spec.name] = self._state[spec.name].setdefault(zeros.shape, self._torch.from_numpy(zeros))
        staged = tuple(
            NUMBERS[kind](arrays[name]) if kind in NUMBERS and arrays[name].ndim == 0 else tensors[name]
            for name, kind in self._order
        )
        if self._compiled is not None and sizes not in self._compiled:
            self._compile_for(staged)
            self._compiled.append(sizes)
        return staged

    def read(self, outputs: Any) -> Arrays:
        bfloat16 = self._torch.bfloat16  # numpy has none; every bfloat16 is a float32
        tensors = {name: tensor.detach() for name, tensor in self._named(outputs).items()}
        arrays = {name: (one.float() if one.dtype == bfloat16 else one).numpy() for name, one in tensors.items()}
        return {name: np.array(array, order="C", copy=True) for name, array in arrays.items()}

    def facts(self) -> Mapping[str, object]:
        return dict(self._facts, threads=self._torch.get_num_threads())

    def enter(self, settings: Settings, bf16: bool) -> None:
        """Go into inference mode, and autocast where bfloat16 was asked for, until the session is closed."""
        self._open.enter_context(self._torch.inference_mode())
        if bf16:
            self._open.enter_context(self._torch.autocast("cpu", dtype=self._torch.bfloat16))
        mode = options.choice(settings.extra, "compile", (False, *COMPILE_MODES), False)
        self._facts["compile"] = mode
        if mode:
            with torch_load.without_deprecations():
                self._compile(mode)

    def __enter__(self) -> "TorchSession":
        return self

    def __exit__(self, *_: Optional[object]) -> None:
        self.run = staging.closed
        self._module = None
        self._state.clear()
        self._open.close()

    def _tensor(self, array: Any) -> Any:
        tensor = self._torch.from_numpy(array)
        if self._channels_last and tensor.dim() == 4:
            return tensor.contiguous(memory_format=self._torch.channels_last)
        return tensor

    def _named(self, outputs: Any) -> Dict[str, Any]:
        """What the module returned, by the contract's names of the outputs: in order, unless it named them."""
        names = [spec.name for spec in self._model.outputs]
        if isinstance(outputs, dict) and set(names) <= set(outputs):
            return {name: outputs[name] for name in names}
        tensors = _flat(outputs)
        if len(tensors) != len(names):
            raise AdapterError(
                "the module returned %d tensors; the contract has %d outputs" % (len(tensors), len(names))
            )
        return dict(zip(names, tensors))

    def _compile(self, mode: Any) -> None:
        """Have the module compiled, now for one sample and in ``stage`` for each other shape."""
        dynamo, inductor = (importlib.import_module("torch.%s.config" % name) for name in ("_dynamo", "_inductor"))
        limit = "recompile_limit" if hasattr(dynamo, "recompile_limit") else "cache_size_limit"
        self._open.callback(importlib.import_module("torch._dynamo").reset)
        self._open.enter_context(dynamo.patch(**{limit: RECOMPILES}))
        self._open.enter_context(inductor.patch(compile_threads=1))  # else a pool of processes stays behind
        self.run = _runner(self._torch, self._torch.compile(self._module, mode=mode, dynamic=False))
        self._compiled = []
        self._facts["compile_s"] = 0.0
        self.stage(_example(self._model))

    def _compile_for(self, staged: Any) -> None:
        """Run once, untimed, so that the compiler has done its work for these shapes."""
        start = perf_counter()
        counters = importlib.import_module("torch._dynamo.utils").counters
        before = counters["stats"]["unique_graphs"]
        try:
            with torch_load.without_deprecations():
                self.run(staged)
        except Exception as error:  # noqa: BLE001 - the compiler's errors share no base class
            raise AdapterError("torch.compile failed: %s" % _compiler_reason(error))
        if counters["stats"]["unique_graphs"] == before:
            raise AdapterError("torch.compile compiled nothing for these shapes: leave the option out")
        self._facts["compile_s"] = round(float(str(self._facts["compile_s"])) + perf_counter() - start, 3)
        self._facts["graph breaks"] = sum(counters["graph_break"].values())


class TorchStateSession(TorchSession):
    """A session whose model has state: tensors that ``advance`` writes to, zeros at first."""

    def advance(self, outputs: Any) -> None:
        """Copy the state outputs into the inputs that they feed."""
        named = self._named(outputs)
        for fed, source in self._model.state.items():
            target = self._state[fed].get(tuple(named[source].shape))
            if target is None:
                raise AdapterError(
                    "output `%s` has shape %s, which the state `%s` that it feeds has not"
                    % (source, tuple(named[source].shape), fed)
                )
            target.copy_(named[source])

    def reset(self) -> None:
        """Start a sequence: zeros."""
        for tensors in self._state.values():
            for tensor in tensors.values():
                tensor.zero_()


class PyTorchAdapter:
    """PyTorch models on the CPU."""

    artifact_kinds: Tuple[str, ...] = ("torchscript", "torch-export", "safetensors", "state-dict")
    options: Mapping[str, str] = {
        "artifact": "torchscript, torch-export or eager (default: the first of them that there is)",
        "compile": "false, or torch.compile's mode: %s (default: false)" % ", ".join(COMPILE_MODES),
        "channels last": "whether images are laid out with their channels last (default: false)",
        "inter-op threads": "threads that run independent operators of TorchScript (default: 1)",
    }
    packages: Tuple[str, ...] = ("torch",)
    concurrent_runs = False

    def probe(self) -> Availability:
        try:
            torch = importlib.import_module("torch")
            torch.zeros(1)
            return Availability(True, {"torch": str(torch.__version__)}, ("cpu",))
        except Exception as error:  # noqa: BLE001 - a broken install raises anything; a probe never does
            return probing.unusable("torch", error)

    def open(self, model: ModelFiles, settings: Settings) -> TorchSession:
        options.check_known(settings, self.options, ("cpu",))
        kinds = ("auto", "torchscript", "torch-export", "eager")
        kind = torch_load.choose(model, options.choice(settings.extra, "artifact", kinds, "auto"))
        channels_last = options.choice(settings.extra, "channels last", (False, True), False)
        compiled = options.choice(settings.extra, "compile", (False, *COMPILE_MODES), False)
        if compiled and kind == "torchscript":
            raise AdapterError("option `compile` needs `artifact: torch-export` or `eager`: TorchScript has its own")
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
            session.enter(settings, bf16)
        except BaseException:
            session.__exit__()
            raise
        return session


def _configure(torch: Any, settings: Settings) -> Dict[str, object]:
    """Threads and arithmetic of the whole process, nothing left to a default; what of it to record."""
    inter_op = options.count(settings.extra, "inter-op threads", 1)
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


def _order(model: ModelFiles, loaded: Loaded) -> Tuple[List[Tuple[str, str]], str]:
    """The contract's inputs in the order of forward's arguments: by name where the names agree, else by position."""
    names = [spec.name for spec in model.inputs]
    first = loaded.parameters[: len(names)]
    if {name for name, _ in first} == set(names):
        return list(first), "name"
    kinds = [kind for _, kind in first] + ["Tensor"] * len(names)
    return list(zip(names, kinds)), "position"


def _weights(module: Any) -> Dict[str, int]:
    """Number of weights by dtype."""
    counts: Dict[str, int] = {}
    for kind in ("parameters", "buffers"):
        for tensor in getattr(module, kind, lambda: ())():
            dtype = str(tensor.dtype).replace("torch.", "")
            counts[dtype] = counts.get(dtype, 0) + int(tensor.numel())
    return counts


def _example(model: ModelFiles) -> Query:
    """One sample of zeros, to compile for."""
    arrays = {
        spec.name: np.zeros(
            [size if isinstance(size, int) else model.dims.get(size, 1) for size in spec.shape], spec.dtype
        )
        for spec in staging.fed_inputs(model)
    }
    return Query(arrays, 1)


def _flat(outputs: Any) -> List[Any]:
    if isinstance(outputs, dict):
        outputs = list(outputs.values())
    return [tensor for part in outputs for tensor in _flat(part)] if isinstance(outputs, (tuple, list)) else [outputs]


def _compiler_reason(error: BaseException) -> str:
    reason = staging.one_line(error)
    if "InvalidCxxCompiler" in reason or "No working C++ compiler" in reason:
        return "it needs a C++ compiler, and none works here: apt install g++, or set CXX (%s)" % reason
    return reason


def _runner(torch: Any, module: Any) -> staging.Run:
    call = _callable(torch, module)

    def run(staged: Any) -> Any:
        return call(*staged)

    return run


def _callable(torch: Any, module: Any) -> Any:
    """``forward`` of a module whose own call would do nothing but look for hooks, in Python, and find none.

    That look is 1.6 µs a call, a fifth of a tiny model.
    """
    plain = torch.nn.Module
    if not isinstance(module, plain) or type(module).__call__ is not plain.__call__:
        return module
    hooks = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks", "_compiled_call_impl")
    return module if any(getattr(module, name, None) for name in hooks) else module.forward
