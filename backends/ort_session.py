"""One ONNX Runtime session: IO binding, every staged query bound once, outputs preallocated."""

from __future__ import annotations

from threading import get_ident
from typing import Any, Callable, Dict, List, Mapping, NamedTuple, Optional, Tuple

import numpy as np

from backends import staging
from bench.device.adapter import Arrays, ModelFiles, Query

Told = Callable[[], None]


class _Buffers(NamedTuple):
    """What all queries of one shape share that one thread staged: a thread runs one query at a time.

    ``outputs`` holds the preallocated ones by name; the framework allocates the others. ``values`` are
    the framework's views of the buffers.
    """

    state: Arrays
    outputs: Arrays
    values: Dict[str, Any]


class _Staged:
    """A query bound once: running it moves nothing."""

    __slots__ = ("arrays", "binding", "buffers", "native", "values")

    def __init__(self, binding: Any, native: Any, arrays: Arrays, values: List[Any], buffers: _Buffers) -> None:
        self.binding = binding
        self.native = native
        self.arrays = arrays
        self.values = values
        self.buffers = buffers


class OrtSession:
    """One inference session. Outputs are preallocated where the query's shapes tell theirs.

    ``told`` adds to ``facts`` what takes long to find: it is called once, with the first question for facts.
    """

    run: staging.Run

    def __init__(
        self, ort: Any, native: Any, model: ModelFiles, facts: Dict[str, object], told: Optional[Told] = None
    ) -> None:
        self._told = told
        self._ort = ort
        self._native = native
        self._model = model
        self._facts = facts
        self._buffers: Dict[Tuple[int, Tuple[Tuple[str, int], ...]], _Buffers] = {}
        self.run = _runner(native)

    def stage(self, query: Query) -> _Staged:
        model, value_of = self._model, self._ort.OrtValue.ortvalue_from_numpy
        sizes = staging.sizes_of(model, query)
        buffers = self._buffers_for(sizes)
        arrays = staging.copies_of(query)
        values = [value_of(array) for array in arrays.values()]
        binding = self._native.io_binding()
        for name, value in zip(arrays, values):
            binding.bind_ortvalue_input(name, value)
        for name in model.state:
            binding.bind_ortvalue_input(name, buffers.values[name])
        for spec in model.outputs:
            if spec.name in buffers.outputs:
                binding.bind_ortvalue_output(spec.name, buffers.values["output " + spec.name])
            else:
                binding.bind_output(spec.name)
        return _Staged(binding, getattr(binding, "_iobinding", None), arrays, values, buffers)

    def read(self, outputs: _Staged) -> Arrays:
        ready = outputs.buffers.outputs
        if len(ready) == len(self._model.outputs):
            return {name: array.copy() for name, array in ready.items()}
        arrays = zip(self._model.outputs, outputs.binding.copy_outputs_to_cpu())
        return {spec.name: np.array(array, copy=True) for spec, array in arrays}

    def facts(self) -> Mapping[str, object]:
        if self._told is not None:
            late, self._told = self._told, None
            late()
        return dict(self._facts)

    def __enter__(self) -> "OrtSession":
        return self

    def __exit__(self, *_: Optional[object]) -> None:
        self.run = staging.closed
        self._buffers.clear()
        self._native = None

    def _buffers_for(self, sizes: Dict[str, int]) -> _Buffers:
        key = (get_ident(), tuple(sorted(sizes.items())))
        if key not in self._buffers:
            self._buffers[key] = self._new_buffers(sizes)
        return self._buffers[key]

    def _new_buffers(self, sizes: Dict[str, int]) -> _Buffers:
        model, value_of = self._model, self._ort.OrtValue.ortvalue_from_numpy
        state = {spec.name: staging.zeros(spec, sizes) for spec in model.inputs if spec.name in model.state}
        shapes = {spec.name: staging.resolve(spec, sizes) for spec in model.outputs}
        outputs = {
            spec.name: np.zeros(shape, spec.dtype)
            for spec, shape in zip(model.outputs, shapes.values())
            if shape is not None
        }
        values = {name: value_of(array) for name, array in state.items()}
        values.update({"output " + name: value_of(array) for name, array in outputs.items()})
        return _Buffers(state, outputs, values)


class OrtStateSession(OrtSession):
    """A session whose model has state: one set of state arrays a query shape, zeros at first."""

    def advance(self, outputs: _Staged) -> None:
        """Copy the state outputs into the inputs that they feed."""
        buffers = outputs.buffers
        arrays = buffers.outputs if len(buffers.outputs) == len(self._model.outputs) else self.read(outputs)
        for fed, source in self._model.state.items():
            staging.move_on(buffers.state[fed], fed, arrays[source], source)

    def reset(self) -> None:
        """Start a sequence: zeros."""
        for buffers in self._buffers.values():
            for array in buffers.state.values():
                array.fill(0)


def _runner(native: Any) -> staging.Run:
    """``run`` of a session, bound once.

    The public method looks at WebGPU's graph capture before each run, in Python (0.4 µs a call, 10 % of
    a tiny model); the native one is called where the package has it.
    """
    inner = getattr(getattr(native, "_sess", None), "run_with_iobinding", None)
    if inner is None:
        public = native.run_with_iobinding

        def run_public(staged: Any) -> Any:
            public(staged.binding)
            return staged

        return run_public

    def run(staged: Any, run_native: Any = inner) -> Any:
        run_native(staged.native, None)
        return staged

    return run
