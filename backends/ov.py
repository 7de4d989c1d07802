"""OpenVINO on the CPU: one synchronous request at a time, or streams of its own where work may overlap."""

from __future__ import annotations

import importlib
import sys
from contextlib import contextmanager
from math import prod
from pathlib import Path
from typing import Any, Dict, Iterator, List, Mapping, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from backends import options, probing, staging
from backends.matching import Found, match_inputs, match_outputs
from bench.device.adapter import (
    AdapterError,
    Arrays,
    Availability,
    DeviceUnavailable,
    ModelFiles,
    ModelRejected,
    Query,
    Settings,
    TensorSpec,
    choose_artifact,
)

PRECISIONS = {"fp32": "f32", "bf16": "bf16", "fp16": "f16"}
SUFFIXES = {"openvino": ".xml", "onnx": ".onnx"}
DTYPES = {"f32": "float32", "f16": "float16", "f64": "float64", "bf16": "bfloat16", "i8": "int8", "u8": "uint8",
          "i32": "int32", "i64": "int64", "boolean": "bool"}  # fmt: skip
"""The framework's names of the types that weights mostly have."""

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
        with _rejecting(self._path):
            network = self._core.read_model(str(self._path))
            inputs = _ports(network.inputs, self._model.inputs)
            outputs = _ports(network.outputs, self._model.outputs)
            match_inputs(self._model.inputs, _found(inputs))
            match_outputs(self._model.outputs, _found(outputs))
            if "weights" not in self._facts:
                self._facts["weights"] = _weights(network)
            at = {spec.name: list(inputs).index(spec.name) for spec in self._model.inputs}
            shapes = {at[spec.name]: staging.resolve(spec, sizes) for spec in self._model.inputs}
            network.reshape({index: list(shape) for index, shape in shapes.items() if shape is not None})
            compiled = self._core.compile_model(network, "CPU", self._config)
        self._check(compiled)
        buffers = {}
        wanted = {spec.name: list(outputs).index(spec.name) for spec in self._model.outputs}
        for index in wanted.values():
            port = compiled.outputs[index]
            if port.get_partial_shape().is_static:
                array = np.zeros(list(port.get_shape()), port.get_element_type().to_dtype())
                buffers[index] = (array, self._tensor(array))
        streams = int(self._config["NUM_STREAMS"])
        return _Ready(
            compiled, at, wanted, buffers, self._ov.AsyncInferQueue(compiled, streams) if streams > 1 else None
        )

    def _check(self, compiled: Any) -> None:
        """What the compiled model says of itself must be what was asked for."""
        said = {name: compiled.get_property(name) for name in self._config}
        said["INFERENCE_PRECISION_HINT"] = said["INFERENCE_PRECISION_HINT"].get_type_name()
        for name in ("INFERENCE_PRECISION_HINT", "INFERENCE_NUM_THREADS", "NUM_STREAMS"):
            if str(said[name]) != str(self._config[name]):
                raise DeviceUnavailable(
                    "asked OpenVINO for %s %s, but on this processor it takes %s"
                    % (name, self._config[name], said[name])
                )
        words = {theirs: ours for ours, theirs in PRECISIONS.items()}
        self._facts["precision"] = words[said["INFERENCE_PRECISION_HINT"]]
        self._facts["threads"] = int(said["INFERENCE_NUM_THREADS"])
        self._facts["streams"] = int(said["NUM_STREAMS"])
        self._facts["config"] = {name: str(value) for name, value in said.items()}


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


class OpenVinoAdapter:
    """OpenVINO IR and ONNX models on the CPU."""

    artifact_kinds: Tuple[str, ...] = ("openvino", "onnx")
    options: Mapping[str, str] = {
        "artifact": "openvino or onnx (default: the first of them that there is)",
        "streams": "batches in flight at once in the offline scenario (default: as many as threads)",
    }
    packages: Tuple[str, ...] = ("openvino",)
    concurrent_runs = False

    def probe(self) -> Availability:
        try:
            ov = _import()
            devices = tuple(device.lower() for device in ov.Core().available_devices if device == "CPU")
            reason = "" if devices else "openvino finds no CPU plugin"
            return Availability(bool(devices), {"openvino": str(ov.__version__)}, devices, reason)
        except Exception as error:  # noqa: BLE001 - a broken install raises anything; a probe never does
            return probing.unusable("openvino", error)

    def open(self, model: ModelFiles, settings: Settings) -> OvSession:
        options.check_known(settings, self.options, ("cpu",))
        asked = options.choice(settings.extra, "artifact", ("auto", *self.artifact_kinds), "auto")
        kind, path = choose_artifact(model, self.artifact_kinds if asked == "auto" else (asked,))
        if path.suffix.lower() != SUFFIXES[kind]:
            raise ModelRejected("OpenVINO goes by the name: %s should end in %s" % (path.name, SUFFIXES[kind]))
        config = _config(settings)
        probing.demand(self.probe())
        facts: Dict[str, object] = {"device": "cpu", "artifact": kind, "residency": "host"}
        overlapped = config["NUM_STREAMS"] > 1 and not model.state
        session_type = OvStateSession if model.state else OvOverlappedSession if overlapped else OvSession
        session = session_type(_import(), path, model, config, facts)
        named = {size for spec in model.inputs for size in spec.shape if isinstance(size, str)}
        session.ready_for(tuple(sorted({**dict.fromkeys(named, 1), **model.dims}.items())))
        return session


def _config(settings: Settings) -> Dict[str, Any]:
    """Everything that changes a number, said; OpenVINO's own defaults take bf16 and all cores."""
    if settings.precision not in PRECISIONS:
        raise AdapterError("precision is `%s`: OpenVINO computes in %s" % (settings.precision, ", ".join(PRECISIONS)))
    offline = settings.scenario == "offline"
    streams = options.count(settings.extra, "streams", settings.threads)
    if streams > settings.threads:
        raise AdapterError("option `streams` is %d: there are only %d threads to share" % (streams, settings.threads))
    return {
        "INFERENCE_PRECISION_HINT": PRECISIONS[settings.precision],
        "INFERENCE_NUM_THREADS": settings.threads,
        "NUM_STREAMS": streams if offline else 1,
        "PERFORMANCE_HINT": "THROUGHPUT" if offline else "LATENCY",
        "DYNAMIC_QUANTIZATION_GROUP_SIZE": 0,
    }


def _import() -> Any:
    """The framework, without its telemetry: importing it reports the import to its makers."""
    if "openvino" in sys.modules or "openvino_telemetry" in sys.modules:
        return importlib.import_module("openvino")
    sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]
    try:
        return importlib.import_module("openvino")
    finally:
        del sys.modules["openvino_telemetry"]


@contextmanager
def _rejecting(path: Path) -> Iterator[None]:
    try:
        yield
    except (AdapterError, MemoryError):
        raise
    except Exception as error:  # noqa: BLE001 - whatever the framework raises here is about the model
        raise ModelRejected("openvino does not take %s: %s" % (path.name, staging.one_line(error)))


def _ports(ports: List[Any], specs: Tuple[TensorSpec, ...]) -> Dict[str, Any]:
    """The network's inputs or outputs in order, each by that of its names which the contract uses."""
    wanted = {spec.name for spec in specs}
    named = {}
    for port in ports:
        names = port.get_names() or {port.get_node().get_friendly_name()}
        named[min(names & wanted or names)] = port
    return named


def _found(ports: Mapping[str, Any]) -> Dict[str, Found]:
    found = {}
    for name, port in ports.items():
        shape = port.get_partial_shape()
        sizes = None if shape.rank.is_dynamic else [None if one.is_dynamic else one.get_length() for one in shape]
        found[name] = Found(str(np.dtype(port.get_element_type().to_dtype())), sizes)
    return found


def _weights(network: Any) -> Dict[str, int]:
    """Number of elements of the network's constants by dtype."""
    counts: Dict[str, int] = {}
    for node in network.get_ops():
        if node.get_type_name() == "Constant":
            dtype = node.get_element_type().get_type_name()
            dtype = DTYPES.get(dtype, dtype)
            counts[dtype] = counts.get(dtype, 0) + prod(node.get_output_shape(0))
    return counts


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
