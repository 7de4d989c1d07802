"""ONNX Runtime: IO binding with preallocated outputs; the execution provider follows from the device."""

from __future__ import annotations

import importlib
from importlib import metadata
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Tuple

import numpy as np

from backends import onnx_weights, options, precision, probing, staging
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
    choose_artifact,
)

PROVIDERS = {"cpu": "CPUExecutionProvider"}
OPTIMIZATIONS = {
    "disabled": "ORT_DISABLE_ALL",
    "basic": "ORT_ENABLE_BASIC",
    "extended": "ORT_ENABLE_EXTENDED",
    "layout": "ORT_ENABLE_LAYOUT",
    "all": "ORT_ENABLE_ALL",
}
DISTRIBUTIONS = ("onnxruntime", "onnxruntime-gpu", "onnxruntime-openvino", "onnxruntime-directml", "onnxruntime-webgpu")
"""Each of them installs the one import package ``onnxruntime``: the last one installed wins, unsaid."""
FATAL = 3
"""Severity from which the framework logs: errors, which come as exceptions too."""

DTYPES = {
    "tensor(float)": "float32",
    "tensor(double)": "float64",
    "tensor(float16)": "float16",
    "tensor(bool)": "bool",
}
"""The framework's names of tensor types; the integers' are ``tensor(int64)`` and so on."""


class _Buffers(NamedTuple):
    """What all staged queries of one shape share: a session runs one query at a time.

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
    """One inference session. Outputs are preallocated where the query's shapes tell theirs."""

    run: staging.Run

    def __init__(self, ort: Any, native: Any, model: ModelFiles, facts: Dict[str, object]) -> None:
        self._ort = ort
        self._native = native
        self._model = model
        self._facts = facts
        self._buffers: Dict[Tuple[Tuple[str, int], ...], _Buffers] = {}
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
        return dict(self._facts)

    def __enter__(self) -> "OrtSession":
        return self

    def __exit__(self, *_: Optional[object]) -> None:
        self.run = staging.closed
        self._buffers.clear()
        self._native = None

    def _buffers_for(self, sizes: Dict[str, int]) -> _Buffers:
        key = tuple(sorted(sizes.items()))
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


class OnnxRuntimeAdapter:
    """ONNX models through ONNX Runtime."""

    artifact_kinds: Tuple[str, ...] = ("onnx",)
    options: Mapping[str, str] = {
        "graph optimization": "disabled, basic, extended, layout or all (default: all)",
        "execution mode": "sequential or parallel (default: sequential)",
        "inter-op threads": "threads that run independent nodes, in parallel mode (default: 1)",
        "spinning": "whether idle threads of the pool spin before they sleep (default: true, as the framework's own)",
        "deterministic": "whether only deterministic kernels are used (default: false)",
    }
    packages: Tuple[str, ...] = ("onnxruntime",)
    concurrent_runs = False
    """The framework could; the outputs' buffers, shared by the staged queries of one shape, could not."""

    def probe(self) -> Availability:
        try:
            clash = _clash()
            if clash:
                return Availability(False, reason=clash[0], remedy=clash[1])
            ort = importlib.import_module("onnxruntime")
            offered = set(ort.get_available_providers())
            devices = tuple(device for device, provider in PROVIDERS.items() if provider in offered)
            return Availability(bool(devices), {"onnxruntime": str(ort.__version__)}, devices)
        except Exception as error:  # noqa: BLE001 - a broken install raises anything; a probe never does
            return probing.unusable("onnxruntime", error)

    def open(self, model: ModelFiles, settings: Settings) -> OrtSession:
        options.check_known(settings, self.options, tuple(PROVIDERS))
        probing.demand(self.probe())
        ort: Any = importlib.import_module("onnxruntime")
        kind, path = choose_artifact(model, self.artifact_kinds)
        config, facts = _configure(ort, settings)
        provider = PROVIDERS[settings.device]
        ort.set_default_logger_severity(FATAL)
        try:
            native = ort.InferenceSession(str(path), config, providers=[provider], enable_fallback=0)
        except MemoryError:
            raise
        except Exception as error:  # noqa: BLE001 - the framework's own errors share no base class
            raise ModelRejected("onnxruntime does not take %s: %s" % (path.name, staging.one_line(error)))
        got = native.get_providers()
        if got[:1] != [provider]:
            raise DeviceUnavailable("asked for %s, but the session got %s" % (provider, ", ".join(got) or "nothing"))
        match_inputs(model.inputs, _found(native.get_inputs()))
        match_outputs(model.outputs, _found(native.get_outputs()))
        weights = onnx_weights.weight_dtypes(path)
        facts["precision"] = _precision(settings.precision, weights, model)
        facts.update(device=settings.device, artifact=kind, residency="host", providers=got, weights=weights)
        facts["io binding"] = "inputs bound once, outputs preallocated where the query's shapes tell theirs"
        return (OrtStateSession if model.state else OrtSession)(ort, native, model, facts)


def _clash() -> Optional[Tuple[str, str]]:
    """Why two distributions of the framework in one environment cannot be used, and what mends it."""
    found = [dist for name in DISTRIBUTIONS for dist in metadata.distributions(name=name)]
    if len(found) < 2:
        return None
    names = [dist.metadata["Name"] for dist in found]
    both = " and ".join("%s %s" % (dist.metadata["Name"], dist.version) for dist in found)
    reason = "%s are installed together and overwrite each other's files" % both
    remedy = "pip uninstall -y %s && pip install ONE_OF_THEM (%s)" % (" ".join(names), ", ".join(names))
    return reason, remedy


def _configure(ort: Any, settings: Settings) -> Tuple[Any, Dict[str, object]]:
    """The session's options, nothing left to a default, and what of them to record."""
    extra = settings.extra
    optimization = options.choice(extra, "graph optimization", tuple(OPTIMIZATIONS), "all")
    mode = options.choice(extra, "execution mode", ("sequential", "parallel"), "sequential")
    spinning = options.choice(extra, "spinning", (True, False), True)
    deterministic = options.choice(extra, "deterministic", (True, False), False)
    inter_op = options.count(extra, "inter-op threads", 1)
    if inter_op > 1 and mode == "sequential":
        raise AdapterError("option `inter-op threads` needs option `execution mode`: parallel")
    if not hasattr(ort.GraphOptimizationLevel, OPTIMIZATIONS[optimization]):
        raise AdapterError("onnxruntime %s has no graph optimization `%s`" % (ort.__version__, optimization))
    config = ort.SessionOptions()
    config.intra_op_num_threads = settings.threads
    config.inter_op_num_threads = inter_op
    config.graph_optimization_level = getattr(ort.GraphOptimizationLevel, OPTIMIZATIONS[optimization])
    config.execution_mode = ort.ExecutionMode.ORT_PARALLEL if mode == "parallel" else ort.ExecutionMode.ORT_SEQUENTIAL
    config.enable_profiling = False
    config.use_deterministic_compute = deterministic
    config.log_severity_level = FATAL
    entries = {
        "session.intra_op.allow_spinning": str(int(spinning)),
        "session.inter_op.allow_spinning": str(int(spinning)),
    }
    for name, value in entries.items():
        config.add_session_config_entry(name, value)
    facts: Dict[str, object] = {"threads": settings.threads, "inter-op threads": inter_op, "session config": entries}
    facts.update({"graph optimization": optimization, "execution mode": mode, "spinning": spinning})
    facts["deterministic"] = deterministic
    return config, facts


def _found(nodes: Any) -> Dict[str, Found]:
    """The artifact's tensors. ONNX Runtime shows a scalar and an unknown shape alike."""
    return {
        node.name: Found(DTYPES.get(node.type, node.type.replace("tensor(", "").replace(")", "")), node.shape or None)
        for node in nodes
    }


def _precision(asked: str, weights: Mapping[str, int], model: ModelFiles) -> str:
    """The precision the graph says; this provider computes what the graph says and cannot be asked for another."""
    found = precision.of(weights, model)
    if asked != found:
        raise ModelRejected(
            "precision %s was asked for, but the graph's is %s, and the CPU provider computes in the graph's: "
            "say `precision: %s`, or convert the model" % (asked, found, found)
        )
    return found


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
