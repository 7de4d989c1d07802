"""TensorRT's interface in software, for tests: what an engine computes is computed by onnx's reference, in the stream.

Only names of the real bindings (``tests/gpu_tools`` holds them against 10 and 11), and their manners: calls return
None or False and say why to the logger. Tensors lie in the memory of ``software_cuda.c``; work is done when its turn
comes in the stream, on another thread, and nobody waits for it here. ``BuilderFlag.FP16`` is there as in version 10;
``without_flags`` takes it away as 11 did.
"""

from __future__ import annotations

import contextlib
import ctypes
import enum
import json
import sys
import traceback
from typing import Any

import numpy as np
import onnx
from onnx.reference import ReferenceEvaluator

__version__ = "10.16.1.11"
HEAD = b"an engine of software\n"
NO_KERNEL = ("Det", "Unique")
_CALLBACK = ctypes.CFUNCTYPE(None, ctypes.c_void_p)
SCRATCH_BYTES = 4096


class DataType(enum.Enum):
    FLOAT = 1
    UINT8 = 2
    INT8 = 3
    INT32 = 6
    INT64 = 7
    BOOL = 9
    HALF = 10
    BF16 = 16


class TensorIOMode(enum.Enum):
    INPUT = 1
    OUTPUT = 2


class TensorLocation(enum.Enum):
    DEVICE = 0
    HOST = 1


class TensorFormat(enum.Enum):
    LINEAR = 0


class MemoryPoolType(enum.Enum):
    WORKSPACE = 0


class ProfilingVerbosity(enum.Enum):
    DETAILED = 2


class NetworkDefinitionCreationFlag(enum.IntEnum):
    STRONGLY_TYPED = 1


class BuilderFlag(enum.Enum):
    FP16 = 0
    TF32 = 7
    BF16 = 17


class ErrorCode(enum.Enum):
    MODEL_DESERIALIZE_FAILED = 4
    UNSUPPORTED_NODE = 8


class ILogger:
    class Severity(enum.Enum):
        INTERNAL_ERROR = 0
        ERROR = 1
        WARNING = 2

    def __init__(self) -> None:
        """The real one must be called by whoever inherits."""
        self._is_made = True

    def log(self, severity: Any, message: str) -> None:
        raise NotImplementedError


class IProfiler:
    def __init__(self) -> None:
        """The real one must be called by whoever inherits."""
        self._is_made = True

    def report_layer_time(self, layer_name: str, ms: float) -> None:
        raise NotImplementedError


class LayerInformationFormat(enum.Enum):
    JSON = 1


class EngineInspector:
    def __init__(self, model: Any) -> None:
        self._model = model

    def get_engine_information(self, format: LayerInformationFormat) -> str:
        layers = [{"Name": _layer(node), "LayerType": node.op_type} for node in self._model.graph.node]
        return json.dumps({"Layers": layers, "Bindings": []})


def _layer(node: Any) -> str:
    return str(node.name or f"{node.op_type}_{node.output[0]}")


def _cuda() -> Any:
    library = ctypes.CDLL("libcuda.so.1")
    library.cuLaunchHostFunc.argtypes = [ctypes.c_void_p, _CALLBACK, ctypes.c_void_p]
    library.cuMemAlloc_v2.argtypes = [ctypes.POINTER(ctypes.c_uint64), ctypes.c_size_t]
    library.cuMemFree_v2.argtypes = [ctypes.c_uint64]
    library.software_delay.argtypes = [ctypes.c_void_p, ctypes.c_double]
    return library


def init_libnvinfer_plugins(logger: Any, namespace: str) -> bool:
    assert logger._is_made
    return True


def _error(logger: Any, message: str) -> None:
    assert logger._is_made, "the logger's own class was not initialised: the real one crashes"
    logger.log(ILogger.Severity.ERROR, message)


class ITensor:
    def __init__(self, info: Any, is_shape: bool) -> None:
        kind = info.type.tensor_type
        self.name = info.name
        self.dtype = DataType(kind.elem_type)
        self.shape = tuple(-1 if one.dim_param else one.dim_value for one in kind.shape.dim)
        self.is_shape_tensor = is_shape


class INetworkDefinition:
    def __init__(self, strongly: bool) -> None:
        self._strongly = strongly
        self._model = b""
        self._inputs: list[ITensor] = []
        self._outputs: list[ITensor] = []

    @property
    def num_inputs(self) -> int:
        return len(self._inputs)

    @property
    def num_outputs(self) -> int:
        return len(self._outputs)

    def get_input(self, index: int) -> ITensor:
        return self._inputs[index]

    def get_output(self, index: int) -> ITensor:
        return self._outputs[index]


class ParserError:
    def __init__(self, code: ErrorCode, why: str, index: int = -1, node: Any = None) -> None:
        self._words = (code, why, index, node)

    def code(self) -> ErrorCode:
        return self._words[0]

    def desc(self) -> str:
        return self._words[1]

    def node(self) -> int:
        return self._words[2]

    def node_name(self) -> str:
        return str(self._words[3].name) if self._words[3] else ""

    def node_operator(self) -> str:
        return str(self._words[3].op_type) if self._words[3] else ""


class OnnxParser:
    def __init__(self, network: INetworkDefinition, logger: Any) -> None:
        self._network = network
        self._errors: list[ParserError] = []

    @property
    def num_errors(self) -> int:
        return len(self._errors)

    def get_error(self, index: int) -> ParserError:
        return self._errors[index]

    def parse_from_file(self, path: str) -> bool:
        try:
            model = onnx.load(path)
        except Exception:
            self._errors.append(ParserError(ErrorCode.MODEL_DESERIALIZE_FAILED, "Failed to parse the ONNX model."))
            return False
        for index, node in enumerate(model.graph.node):
            if node.op_type in NO_KERNEL:
                self._errors.append(ParserError(ErrorCode.UNSUPPORTED_NODE, "no importer", index, node))
        sizes = {node.input[1] for node in model.graph.node if node.op_type in ("Reshape", "Expand")}
        constants = {tensor.name for tensor in model.graph.initializer}
        graph = model.graph
        self._network._model = model.SerializeToString()
        self._network._inputs = [ITensor(one, one.name in sizes) for one in graph.input if one.name not in constants]
        self._network._outputs = [ITensor(one, False) for one in graph.output]
        return not self._errors


class IOptimizationProfile:
    def __init__(self) -> None:
        self._shapes: dict[str, list[list[int]]] = {}

    def set_shape(self, input: str, min: Any, opt: Any, max: Any) -> None:
        self._shapes[input] = [list(min), list(opt), list(max)]


class ITimingCache:
    def __init__(self, data: bytes) -> None:
        self._data = data

    def serialize(self) -> bytes:
        return self._data + b"t"


class IBuilderConfig:
    def __init__(self, logger: Any) -> None:
        self._logger = logger
        self._flags = {BuilderFlag.TF32}
        self._pools: dict[MemoryPoolType, int] = {}
        self._profiles: list[IOptimizationProfile] = []
        self._timings: ITimingCache | None = None
        self.builder_optimization_level = 3
        self.profiling_verbosity = ProfilingVerbosity.DETAILED

    def set_memory_pool_limit(self, pool: MemoryPoolType, pool_size: int) -> None:
        self._pools[pool] = pool_size

    def set_flag(self, flag: BuilderFlag) -> None:
        self._flags.add(flag)

    def clear_flag(self, flag: BuilderFlag) -> None:
        self._flags.discard(flag)

    def add_optimization_profile(self, profile: IOptimizationProfile) -> int:
        for name, (low, usual, high) in profile._shapes.items():
            if not all(a <= b <= c for a, b, c in zip(low, usual, high, strict=True)):
                _error(self._logger, f"the profile of {name} is not in order")
                return -1
        self._profiles.append(profile)
        return len(self._profiles) - 1

    def create_timing_cache(self, serialized_timing_cache: bytes) -> ITimingCache | None:
        good = not serialized_timing_cache.strip(b"t")
        return ITimingCache(serialized_timing_cache) if good else None

    def get_timing_cache(self) -> ITimingCache | None:
        return self._timings

    def set_timing_cache(self, cache: ITimingCache, ignore_mismatch: bool) -> bool:
        self._timings = cache
        return True


class Builder:
    def __init__(self, logger: Any) -> None:
        self._logger = logger

    def create_network(self, flags: int = 0) -> INetworkDefinition:
        return INetworkDefinition(bool(flags >> int(NetworkDefinitionCreationFlag.STRONGLY_TYPED) & 1))

    def create_builder_config(self) -> IBuilderConfig:
        return IBuilderConfig(self._logger)

    def create_optimization_profile(self) -> IOptimizationProfile:
        return IOptimizationProfile()

    def build_serialized_network(self, network: INetworkDefinition, config: IBuilderConfig) -> bytes | None:
        loose = [one.name for one in network._inputs if -1 in one.shape]
        shapes = config._profiles[0]._shapes if config._profiles else {}
        if any(name not in shapes for name in loose):
            _error(config._logger, "Network has dynamic or shape inputs, but no optimization profile has been defined.")
            return None
        reduced = {flag.name for flag in config._flags} - {"TF32"}
        if network._strongly and reduced:
            _error(config._logger, f"{reduced} cannot be set for a strongly typed network")
            return None
        said = {"version": __version__, "shapes": shapes, "flags": sorted(flag.name for flag in config._flags)}
        return HEAD + json.dumps(said).encode() + b"\n" + network._model


class Runtime:
    def __init__(self, logger: Any) -> None:
        self._logger = logger

    def deserialize_cuda_engine(self, serialized_engine: bytes) -> ICudaEngine | None:
        head, _, rest = bytes(serialized_engine).partition(b"\n")
        said, _, model = rest.partition(b"\n")
        if head + b"\n" != HEAD or json.loads(said)["version"] != __version__:
            _error(self._logger, "the engine's magic tag does not match")
            return None
        try:
            return ICudaEngine(json.loads(said)["shapes"], model, self._logger)
        except Exception:
            _error(self._logger, "the engine is cut")
            return None


class ICudaEngine:
    def __init__(self, shapes: dict[str, Any], model: bytes, logger: Any) -> None:
        self._logger = logger
        self._shapes = shapes
        self._model = onnx.load_from_string(model)
        graph = self._model.graph
        constants = {tensor.name for tensor in graph.initializer}
        self._inputs = {one.name: ITensor(one, False) for one in graph.input if one.name not in constants}
        self._outputs = {one.name: ITensor(one, False) for one in graph.output}
        self._evaluator = ReferenceEvaluator(self._model)

    @property
    def num_io_tensors(self) -> int:
        return len(self._inputs) + len(self._outputs)

    @property
    def device_memory_size_v2(self) -> int:
        return SCRATCH_BYTES

    def _tensor(self, name: str) -> ITensor:
        return {**self._inputs, **self._outputs}[name]

    def get_tensor_name(self, index: int) -> str:
        names: list[str] = [*self._inputs, *self._outputs]
        return names[index]

    def get_tensor_mode(self, name: str) -> TensorIOMode:
        return TensorIOMode.INPUT if name in self._inputs else TensorIOMode.OUTPUT

    def get_tensor_dtype(self, name: str) -> DataType:
        return self._tensor(name).dtype

    def get_tensor_shape(self, name: str) -> tuple[int, ...]:
        return self._tensor(name).shape

    def get_tensor_location(self, name: str) -> TensorLocation:
        return TensorLocation.DEVICE

    def get_tensor_format(self, name: str) -> TensorFormat:
        return TensorFormat.LINEAR

    def create_engine_inspector(self) -> EngineInspector:
        return EngineInspector(self._model)

    def create_execution_context(self) -> IExecutionContext | None:
        cuda, address = _cuda(), ctypes.c_uint64()
        code = cuda.cuMemAlloc_v2(ctypes.byref(address), SCRATCH_BYTES)
        if code:
            _error(self._logger, f"Error Code 2: OutOfMemory (Requested size was {SCRATCH_BYTES} bytes.)")
            return None
        return IExecutionContext(self, cuda, address.value)


class IExecutionContext:
    def __init__(self, engine: ICudaEngine, cuda: Any, scratch: int) -> None:
        self._engine = engine
        self._cuda = cuda
        self._scratch = scratch
        self._shapes: dict[str, tuple[int, ...]] = {
            name: one.shape for name, one in engine._inputs.items() if -1 not in one.shape
        }
        self._addresses: dict[str, int] = {}
        self._kernels: dict[Any, Any] = {}
        self._profiler: IProfiler | None = None

    @property
    def engine(self) -> ICudaEngine:
        return self._engine

    @property
    def profiler(self) -> IProfiler | None:
        return self._profiler

    @profiler.setter
    def profiler(self, profiler: IProfiler) -> None:
        assert profiler._is_made, "the profiler's own class was not initialised: the real one crashes"
        self._profiler = profiler

    def __del__(self) -> None:
        self._cuda.cuMemFree_v2(self._scratch)

    def set_input_shape(self, name: str, shape: Any) -> bool:
        given, own = tuple(shape), self._engine._inputs[name].shape
        low, _, high = self._engine._shapes.get(name, (own, own, own))
        fits = len(given) == len(own) and all(a <= b <= c for a, b, c in zip(low, given, high, strict=True))
        if fits:
            self._shapes[name] = given
        else:
            _error(self._engine._logger, f"{name}: {list(given)} is not within the profile")
        return fits

    def infer_shapes(self) -> list[str]:
        return [name for name in self._engine._inputs if name not in self._shapes]

    def get_tensor_shape(self, name: str) -> tuple[int, ...]:
        if name in self._shapes:
            return self._shapes[name]
        sizes: dict[str, int] = {}
        for info in self._engine._model.graph.input:
            for one, size in zip(info.type.tensor_type.shape.dim, self._shapes.get(info.name, ()), strict=False):
                sizes[one.dim_param] = size
        (info,) = (one for one in self._engine._model.graph.output if one.name == name)
        dims = info.type.tensor_type.shape.dim
        return tuple(sizes.get(one.dim_param, -1) if one.dim_param else int(one.dim_value) for one in dims)

    def set_tensor_address(self, name: str, memory: int) -> bool:
        self._addresses[name] = memory
        return bool(memory)

    def execute_async_v3(self, stream_handle: int) -> bool:
        missing = [name for name in (*self._engine._inputs, *self._engine._outputs) if name not in self._addresses]
        if missing or stream_handle < 3:
            _error(self._engine._logger, f"no address is set for {missing}, or the stream is the default one")
            return False
        key = (tuple(self._addresses.items()), tuple(self._shapes.items()))
        if key not in self._kernels:
            self._kernels[key] = self._kernel(dict(self._addresses))
        started = bool(self._cuda.cuLaunchHostFunc(stream_handle, self._kernels[key], None) == 0)
        if self._profiler is not None:
            for node in self._engine._model.graph.node:
                self._profiler.report_layer_time(_layer(node), 0.25)
        return started

    def _kernel(self, addresses: dict[str, int]) -> Any:
        """What runs when the work's turn comes: inputs are read then, and not before."""
        engine = self._engine  # not self: a circle would keep the scratch memory
        arrays = {
            name: _array(addresses[name], self.get_tensor_shape(name), engine._tensor(name).dtype) for name in addresses
        }

        def kernel(_: Any) -> None:
            try:
                inputs = {name: arrays[name] for name in engine._inputs}
                found = engine._evaluator.run(list(engine._outputs), inputs)
                for name, array in zip(engine._outputs, found, strict=True):
                    np.copyto(arrays[name], array)
            except Exception:
                traceback.print_exc(file=sys.stderr)

        return _CALLBACK(kernel)


def _array(address: int, shape: tuple[int, ...], dtype: DataType) -> Any:
    kind = onnx.helper.tensor_dtype_to_np_dtype(dtype.value)
    count = int(np.prod(shape, dtype=np.int64))
    view = memoryview((ctypes.c_char * max(1, count * kind.itemsize)).from_address(address)).cast("B")
    return np.frombuffer(view, kind, count=count).reshape(shape)


@contextlib.contextmanager
def without_flags() -> Any:
    """As version 11: the builder has no flags of precision."""
    own = globals()
    kept = {name: own[name] for name in ("BuilderFlag", "__version__")}
    own.update(BuilderFlag=enum.Enum("BuilderFlag", {"TF32": 7}), __version__="11.4.0.106")
    try:
        yield
    finally:
        own.update(kept)
