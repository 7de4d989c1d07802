"""One OpenVINO model, compiled for each query shape; a request a staged query, inputs and outputs bound once."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any, Dict, Mapping, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from backends import ov_network, ov_profile, staging
from backends.matching import match_inputs, match_outputs
from bench.device.adapter import Arrays, ModelFiles, Query
from bench.device.operators import Profiled

Sizes = Tuple[Tuple[str, int], ...]


class _Ready(NamedTuple):
    """A model compiled for one query shape, and the outputs' buffers that its requests share."""

    compiled: Any
    inputs: Dict[str, int]
    outputs: Dict[str, int]
    buffers: Dict[int, Tuple[Any, Any]]
    """Output's index -> (array, tensor over it); an output whose shape only the run tells has none."""
    queue: Any
    """As many requests as streams, where there are several."""


class _Staged:
    """A request with its inputs bound once: running it moves nothing."""

    __slots__ = ("ready", "request", "sizes", "tensors")

    def __init__(self, request: Any, tensors: Dict[int, Any], ready: _Ready, sizes: Sizes) -> None:
        self.request = request
        self.tensors = tensors
        self.ready = ready
        self.sizes = sizes


class OvSession:
    """One model, compiled for each query shape that is staged; the first one, of one sample, when it is opened."""

    run: staging.Run

    def __init__(
        self, ov: Any, path: Path, model: ModelFiles, config: Dict[str, Any], facts: Dict[str, object]
    ) -> None:
        self._ov = ov
        self._core = ov.Core()
        self._path = path
        self._model = model
        self._config = config
        self._facts = facts
        self._ready: Dict[Sizes, _Ready] = {}
        self._state: Dict[Sizes, Dict[str, Tuple[Any, Any]]] = {}
        self.run = _runner(importlib.import_module("openvino._pyopenvino").InferRequest.infer)

    def stage(self, query: Query) -> _Staged:
        sizes = tuple(sorted(staging.sizes_of(self._model, query).items()))
        ready = self.ready_for(sizes)
        tensors = {ready.inputs[name]: self._tensor(array) for name, array in staging.copies_of(query).items()}
        for name, (_, tensor) in self._state_for(sizes).items():
            tensors[ready.inputs[name]] = tensor
        request = ready.compiled.create_infer_request()
        for index, tensor in tensors.items():
            request.set_input_tensor(index, tensor)
        for index, (_, tensor) in ready.buffers.items():
            request.set_output_tensor(index, tensor)
        return _Staged(request, tensors, ready, sizes)

    def read(self, outputs: _Staged) -> Arrays:
        return {spec.name: _output(outputs, spec.name).copy() for spec in self._model.outputs}

    def facts(self) -> Mapping[str, object]:
        return dict(self._facts)

    def profile(self, staged: Sequence[_Staged]) -> Profiled:
        """What each node took of these queries, each run once. The session was opened for it."""
        return ov_profile.profile(self.run, staged)

    def ready_for(self, sizes: Sizes) -> _Ready:
        """The model compiled for these sizes. The one before goes, once no staged query holds it."""
        if sizes not in self._ready:
            self._ready.clear()
            self._ready[sizes] = self._compile(dict(sizes))
        return self._ready[sizes]

    def __enter__(self) -> "OvSession":
        return self

    def __exit__(self, *_: Optional[object]) -> None:
        self.run = staging.closed
        self._ready.clear()
        self._state.clear()
        self._core = None

    def _tensor(self, array: Any) -> Any:
        return self._ov.Tensor(array, shared_memory=True)

    def _state_for(self, sizes: Sizes) -> Dict[str, Tuple[Any, Any]]:
        if sizes not in self._state:
            fed = [spec for spec in self._model.inputs if spec.name in self._model.state]
            arrays = {spec.name: staging.zeros(spec, dict(sizes)) for spec in fed}
            self._state[sizes] = {name: (array, self._tensor(array)) for name, array in arrays.items()}
        return self._state[sizes]

    def _compile(self, sizes: Dict[str, int]) -> _Ready:
        with ov_network.rejecting(self._path):
            network = self._core.read_model(str(self._path))
            inputs = ov_network.ports(network.inputs, self._model.inputs)
            outputs = ov_network.ports(network.outputs, self._model.outputs)
            match_inputs(self._model.inputs, ov_network.found(inputs))
            match_outputs(self._model.outputs, ov_network.found(outputs))
            if "weights" not in self._facts:
                self._facts["weights"] = ov_network.weights(network)
            at = {spec.name: list(inputs).index(spec.name) for spec in self._model.inputs}
            shapes = {at[spec.name]: staging.resolve(spec, sizes) for spec in self._model.inputs}
            network.reshape({index: list(shape) for index, shape in shapes.items() if shape is not None})
            compiled = self._core.compile_model(network, "CPU", self._config)
        self._check(compiled)
        wanted = {spec.name: list(outputs).index(spec.name) for spec in self._model.outputs}
        streams = int(self._config["NUM_STREAMS"])
        queue = self._ov.AsyncInferQueue(compiled, streams) if streams > 1 else None
        return _Ready(compiled, at, wanted, self._new_buffers(compiled, wanted), queue)

    def _new_buffers(self, compiled: Any, wanted: Dict[str, int]) -> Dict[int, Tuple[Any, Any]]:
        buffers = {}
        for index in wanted.values():
            port = compiled.outputs[index]
            if port.get_partial_shape().is_static:
                array = np.zeros(list(port.get_shape()), port.get_element_type().to_dtype())
                buffers[index] = (array, self._tensor(array))
        return buffers

    def _check(self, compiled: Any) -> None:
        self._facts.update(ov_network.taken(compiled, self._config))


class OvOverlappedSession(OvSession):
    """A session with several streams: a group of batches is in flight at once."""

    def run_all(self, staged: Sequence[_Staged]) -> None:
        """Issue all queries, as many at once as there are streams; returns when every result is there."""
        queue = staged[0].ready.queue
        for one in staged:
            queue.start_async(one.tensors, share_inputs=True)
        queue.wait_all()


class OvStateSession(OvSession):
    """A session whose model has state: arrays that ``advance`` writes to, zeros at first."""

    def advance(self, outputs: _Staged) -> None:
        """Copy the state outputs into the inputs that they feed."""
        for fed, source in self._model.state.items():
            staging.move_on(self._state[outputs.sizes][fed][0], fed, _output(outputs, source), source)

    def reset(self) -> None:
        """Start a sequence: zeros."""
        for state in self._state.values():
            for array, _ in state.values():
                array.fill(0)


def _output(staged: _Staged, name: str) -> Any:
    """One output's array, in place."""
    index = staged.ready.outputs[name]
    buffer = staged.ready.buffers.get(index)
    return staged.request.get_output_tensor(index).data if buffer is None else buffer[0]


def _runner(infer: Any) -> staging.Run:
    """``run`` of a session: the request's native call where it is as we know it.

    The public one first looks for inputs in its arguments and last copies the outputs to a dictionary
    (3 µs a call, a fifth of a tiny model); here both are bound.
    """
    if "decode_strings" not in (infer.__doc__ or ""):

        def run_public(staged: Any) -> Any:
            staged.request.infer(share_outputs=True)
            return staged

        return run_public

    nothing: Dict[int, Any] = {}

    def run(staged: Any) -> Any:
        infer(staged.request, nothing, True, False)
        return staged

    return run
