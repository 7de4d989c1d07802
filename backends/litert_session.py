"""One LiteRT model: an interpreter for each query shape, its inputs resized to it once."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Tuple

import numpy as np

from backends import staging
from backends.matching import Found, match_inputs, match_outputs
from bench.device.adapter import AdapterError, Arrays, ModelFiles, ModelRejected, Query, TensorSpec
from bench.device.tflite import TfLite

Sizes = Tuple[Tuple[str, int], ...]
DELEGATE = "DELEGATE"
"""What the interpreter calls the operator that stands for what a delegate took."""


class Opener(NamedTuple):
    """All that an interpreter is made of. ``module`` is the framework's, ``found`` what the file says."""

    module: Any
    path: Path
    found: TfLite
    threads: int
    delegated: bool

    def interpreter(self) -> Any:
        """A new interpreter, not yet allocated; ModelRejected in the framework's words where there is none."""
        kinds = self.module.OpResolverType
        kind = kinds.BUILTIN if self.delegated else kinds.BUILTIN_WITHOUT_DEFAULT_DELEGATES
        try:
            return self.module.Interpreter(str(self.path), num_threads=self.threads, experimental_op_resolver_type=kind)
        except MemoryError:
            raise
        except Exception as error:  # noqa: BLE001 - the framework raises ValueError, RuntimeError and others
            raise self.refused(error)

    def refused(self, error: Exception) -> ModelRejected:
        return ModelRejected("litert does not take %s: %s" % (self.path.name, staging.one_line(error)))


class _Ready(NamedTuple):
    """An interpreter whose inputs have the sizes of one query shape. ``inputs`` and ``outputs`` are indices by name."""

    interpreter: Any
    set_tensor: Any
    invoke: Any
    inputs: Dict[str, int]
    outputs: Dict[str, int]


class _Staged:
    """A query: its arrays, and where they go. ``pairs`` are copied in by each run."""

    __slots__ = ("pairs", "ready", "sizes")

    def __init__(self, pairs: List[Tuple[int, Any]], ready: _Ready, sizes: Sizes) -> None:
        self.pairs = pairs
        self.ready = ready
        self.sizes = sizes


class LiteRtSession:
    """One model. The interpreter before goes when another shape comes, once no staged query holds it."""

    run: staging.Run

    def __init__(self, opener: Opener, model: ModelFiles, facts: Dict[str, object]) -> None:
        self._opener = opener
        self._model = model
        self._facts = facts
        self._ready: Dict[Sizes, _Ready] = {}
        self._state: Dict[Sizes, Arrays] = {}
        match_inputs(model.inputs, _found(opener.found.inputs))
        match_outputs(model.outputs, _found(opener.found.outputs))
        self.run = _run

    def stage(self, query: Query) -> _Staged:
        sizes = tuple(sorted(staging.sizes_of(self._model, query).items()))
        ready = self.ready_for(sizes)
        arrays = {**staging.copies_of(query), **self._state_for(sizes)}
        return _Staged([(ready.inputs[name], array) for name, array in arrays.items()], ready, sizes)

    def read(self, outputs: _Staged) -> Arrays:
        return {spec.name: _output(outputs, spec.name) for spec in self._model.outputs}

    def facts(self) -> Mapping[str, object]:
        return dict(self._facts)

    def ready_for(self, sizes: Sizes) -> _Ready:
        """An interpreter for these sizes."""
        if sizes not in self._ready:
            self._ready.clear()
            self._ready[sizes] = self._allocate(dict(sizes))
        return self._ready[sizes]

    def __enter__(self) -> "LiteRtSession":
        return self

    def __exit__(self, *_: Optional[object]) -> None:
        self.run = staging.closed
        self._ready.clear()
        self._state.clear()

    def _allocate(self, sizes: Dict[str, int]) -> _Ready:
        found, interpreter = self._opener.found, self._opener.interpreter()
        inputs = {spec.name: index for spec, index in zip(found.inputs, found.input_indices)}
        outputs = {spec.name: index for spec, index in zip(found.outputs, found.output_indices)}
        fixed = {spec.name: spec.shape for spec in found.inputs}
        try:
            for spec in self._model.inputs:
                shape = staging.resolve(spec, sizes)
                if shape is not None and shape != fixed[spec.name]:
                    interpreter.resize_tensor_input(inputs[spec.name], list(shape), strict=False)
            interpreter.allocate_tensors()
        except MemoryError:
            raise
        except Exception as error:  # noqa: BLE001 - what the framework raises here is about the model
            raise self._opener.refused(error)
        self._facts["xnnpack"] = _taken(interpreter, self._opener.delegated)
        native = getattr(interpreter, "_interpreter", None)
        set_tensor = getattr(native, "SetTensor", interpreter.set_tensor)
        return _Ready(interpreter, set_tensor, getattr(native, "Invoke", interpreter.invoke), inputs, outputs)

    def _state_for(self, sizes: Sizes) -> Arrays:
        if sizes not in self._state:
            fed = [spec for spec in self._model.inputs if spec.name in self._model.state]
            self._state[sizes] = {spec.name: staging.zeros(spec, dict(sizes)) for spec in fed}
        return self._state[sizes]


class LiteRtStateSession(LiteRtSession):
    """A session whose model has state: arrays that ``advance`` writes to, zeros at first."""

    def advance(self, outputs: _Staged) -> None:
        """Copy the state outputs into the inputs that they feed."""
        for fed, source in self._model.state.items():
            staging.move_on(self._state[outputs.sizes][fed], fed, _output(outputs, source), source)

    def reset(self) -> None:
        """Start a sequence: zeros."""
        for state in self._state.values():
            for array in state.values():
                array.fill(0)


def _run(staged: Any) -> Any:
    """The framework's own calls: inputs in, the graph once."""
    ready = staged.ready
    set_tensor = ready.set_tensor
    try:
        for index, array in staged.pairs:
            set_tensor(index, array)
        ready.invoke()
    except (ValueError, RuntimeError) as error:
        raise AdapterError("litert: %s" % staging.one_line(error))
    return staged


def _output(staged: _Staged, name: str) -> Any:
    """One output as an array of its own."""
    return np.array(staged.ready.interpreter.get_tensor(staged.ready.outputs[name]), copy=True)


def _found(specs: Tuple[TensorSpec, ...]) -> Dict[str, Found]:
    return {
        spec.name: Found(spec.dtype, None if spec.shape == ("...",) else [_size(size) for size in spec.shape])
        for spec in specs
    }


def _size(size: object) -> Optional[int]:
    return size if isinstance(size, int) else None


def _taken(interpreter: Any, asked: bool) -> str:
    """What became of the delegate, by the interpreter's own list of what it runs."""
    if not asked:
        return "off"
    try:
        parts = sum(one["op_name"] == DELEGATE for one in interpreter._get_ops_details())
    except Exception:  # noqa: BLE001 - a private method, of which nothing is promised
        return "asked for; this release does not tell what it took"
    return (
        "takes %d part%s of the graph" % (parts, "" if parts == 1 else "s") if parts else "takes nothing of the graph"
    )
