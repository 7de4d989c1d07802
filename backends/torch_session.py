"""One PyTorch module: a staged query is the tuple of its forward's arguments."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

import numpy as np

from backends import staging, torch_arithmetic, torch_profile
from backends.torch_compile import Compiled, example
from backends.torch_load import Loaded, without_deprecations
from bench.device.adapter import AdapterError, Arrays, ModelFiles, Query, Settings
from bench.device.operators import Profiled

NUMBERS = {"int": int, "float": float, "bool": bool}


class TorchSession:
    """One module. A staged query is the tuple of its forward's arguments.

    Inference mode belongs to the thread that opened the session: it must also be the one that runs it.
    """

    run: staging.Run
    _kind = "cpu"

    def __init__(self, torch: Any, loaded: Loaded, model: ModelFiles, settings: Settings, facts: Dict[str, object]):
        self._torch = torch
        self._model = model
        self._facts = facts
        self._order, facts["inputs by"] = _order(model, loaded)
        self._channels_last = bool(settings.extra.get("channels last", False))
        self._state: Dict[str, Dict[Tuple[int, ...], Any]] = {name: {} for name in model.state}
        self._compiled: Optional[Compiled] = None
        self._open = ExitStack()
        self._module = loaded.module
        self.run = self._bind(loaded.module)

    def stage(self, query: Query) -> Tuple[Any, ...]:
        sizes = staging.sizes_of(self._model, query)
        arrays = staging.copies_of(query)
        tensors = {name: self._tensor(array) for name, array in arrays.items()}
        for spec in self._model.inputs:
            if spec.name in self._model.state:
                zeros = staging.zeros(spec, sizes)
                tensors[spec.name] = self._state[spec.name].setdefault(zeros.shape, self._for_state(zeros))
        staged = tuple(
            NUMBERS[kind](arrays[name]) if kind in NUMBERS and arrays[name].ndim == 0 else tensors[name]
            for name, kind in self._order
        )
        if self._compiled is not None:
            self._compiled.be_ready_for(sizes, self.run, staged)
        return staged

    def read(self, outputs: Any) -> Arrays:
        tensors = {name: tensor.detach().cpu() for name, tensor in self._named(outputs).items()}
        arrays = {name: (one.float() if self._widens(name, one) else one).numpy() for name, one in tensors.items()}
        return {name: np.array(array, order="C", copy=True) for name, array in arrays.items()}

    def facts(self) -> Mapping[str, object]:
        if "precision" in self._facts:  # the user's own forward may have set other arithmetic than was asked for
            torch_arithmetic.demand(self._torch, tf32=self._facts["precision"] == "tf32")
        compiled = {} if self._compiled is None else self._compiled.facts()
        return dict(self._facts, **compiled, threads=self._torch.get_num_threads())

    def profile(self, staged: Sequence[Any]) -> Profiled:
        """What each operator took of these queries, each run once."""
        return torch_profile.profile(self._torch, self.run, staged, on_gpu=self._kind == "cuda")

    def enter(self, autocast: Optional[str], compile_mode: Any) -> None:
        """Go into inference mode, and autocast where a dtype for it is given, until the session is closed."""
        self._open.enter_context(self._torch.inference_mode())
        if autocast:
            self._open.enter_context(self._torch.autocast(self._kind, dtype=getattr(self._torch, autocast)))
        self._facts["compile"] = compile_mode
        if compile_mode:
            with without_deprecations():
                compiled = Compiled(self._torch, self._module, compile_mode, self._open)
                self.run = self._bind(compiled.module)
                self._compiled = compiled
                self.stage(example(self._model))

    def __enter__(self) -> "TorchSession":
        return self

    def __exit__(self, *_: Optional[object]) -> None:
        self.run = staging.closed
        self._module = None
        self._state.clear()
        self._open.close()

    def _bind(self, module: Any) -> staging.Run:
        return _runner(self._torch, module)

    def _widens(self, name: str, tensor: Any) -> bool:
        """numpy has no bfloat16, and what autocast gave in half is float32 to the contract: each of both is one."""
        if tensor.dtype == self._torch.float16 and self._facts.get("autocast") == "float16":
            return any(spec.dtype == "float32" for spec in self._model.outputs if spec.name == name)
        return bool(tensor.dtype == self._torch.bfloat16)

    def _for_state(self, array: Any) -> Any:
        return self._torch.from_numpy(array)

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


def _order(model: ModelFiles, loaded: Loaded) -> Tuple[List[Tuple[str, str]], str]:
    """The contract's inputs in the order of forward's arguments: by name where the names agree, else by position."""
    names = [spec.name for spec in model.inputs]
    first = loaded.parameters[: len(names)]
    if {name for name, _ in first} == set(names):
        return list(first), "name"
    kinds = [kind for _, kind in first] + ["Tensor"] * len(names)
    return list(zip(names, kinds)), "position"


def _flat(outputs: Any) -> List[Any]:
    if isinstance(outputs, dict):
        outputs = list(outputs.values())
    return [tensor for part in outputs for tensor in _flat(part)] if isinstance(outputs, (tuple, list)) else [outputs]


def _runner(torch: Any, module: Any) -> staging.Run:
    call = callable_of(torch, module)

    def run(staged: Any) -> Any:
        return call(*staged)

    return run


def callable_of(torch: Any, module: Any) -> Any:
    """``forward`` of a module whose own call would do nothing but look for hooks, in Python, and find none.

    That look is 1.6 µs a call, a fifth of a tiny model.
    """
    plain = torch.nn.Module
    if not isinstance(module, plain) or type(module).__call__ is not plain.__call__:
        return module
    hooks = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks", "_compiled_call_impl")
    return module if any(getattr(module, name, None) for name in hooks) else module.forward
