"""The engines of one model: built, found on disk, or handed over; each is ready once a process."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Tuple

from backends import trt_api, trt_build, trt_cache, trt_options
from backends.matching import Found, match_inputs, match_outputs
from backends.trt_api import Log, trt
from backends.trt_build import Asked, Built
from backends.trt_options import Range, Shapes
from bench.device.adapter import AdapterError, ModelFiles, ModelRejected

BUILT_TEXT = "%s built its engine in this process, which is in its load time; it is kept, and the next process finds it"
UNKEPT_TEXT = "%s built its engine in this process, which is in its load time; every process does, as the target asks"


class Engines:
    """Engines by the sizes that they serve. ``ranges`` are those of the one engine for all, where there is one."""

    def __init__(
        self,
        path: Path,
        model: ModelFiles,
        asked: Optional[Asked],
        ranges: Optional[Mapping[str, Range]],
        cache: Optional[Path],
        log: Log,
    ) -> None:
        self._path = path
        self._model = model
        self._asked = asked
        self._ranges = ranges
        self._cache = cache
        self._log = log
        self._runtime = trt.Runtime(log.native)
        self._ready: Dict[Any, "trt.ICudaEngine"] = {}
        self._told: List[Dict[str, object]] = []

    def engine_for(self, sizes: Mapping[str, int]) -> "trt.ICudaEngine":
        """The engine that serves queries of these sizes; ModelRejected or AdapterError with the library's words."""
        free = trt_options.free_dimensions(self._model)
        ranges = trt_options.exactly({name: sizes[name] for name in free}) if self._ranges is None else self._ranges
        key = None if self._asked is None else tuple(sorted(ranges.items()))
        if key not in self._ready:
            self._ready[key] = self._made(ranges)
        return self._ready[key]

    def facts(self) -> Dict[str, object]:
        """Where each engine came from, its bytes, and how long building it took, in ns."""
        return {"engines": [dict(one) for one in self._told]}

    def notes(self) -> List[str]:
        """What a reader must know of those that were built here."""
        if not any(one["from"] == "built" for one in self._told):
            return []
        return [(BUILT_TEXT if self._cache else UNKEPT_TEXT) % trt_api.name_of()]

    def close(self) -> None:
        self._ready.clear()
        self._runtime = None  # type: ignore[assignment, unused-ignore]

    def _made(self, ranges: Mapping[str, Range]) -> "trt.ICudaEngine":
        told: Dict[str, object] = {}
        if self._asked is None:
            plan, told["from"] = self._path.read_bytes(), "the contract"
        else:
            shapes = trt_options.shapes_of(self._model, ranges)
            plan, build_ns, told["from"] = self._plan(shapes, self._asked)
            told.update({"for": trt_options.shown(shapes), "build_ns": build_ns})
        self._log.forget()
        engine = self._runtime.deserialize_cuda_engine(plan)
        if engine is None:
            head = "%s does not take %s: " % (trt_api.name_of(), self._path.name)
            raise ModelRejected(head + self._log.since("it is no engine of this version and for this GPU"))
        _check(self._model, engine)
        self._told.append(dict(told, bytes=len(plan)))
        return engine

    def _plan(self, shapes: Mapping[str, Shapes], asked: Asked) -> Tuple[bytes, int, str]:
        """The serialised engine, how long its build took, and whether it was ``built`` or ``found``."""
        kept = trt_cache.find(self._cache, shapes) if self._cache else None
        if kept is not None:
            return kept.plan, kept.build_ns, "found"
        timings = trt_cache.timings(self._cache) if self._cache else b""
        built: Built = trt_build.build(self._path, self._model, shapes, asked, timings, self._log)
        if self._cache is not None:
            trt_cache.keep(self._cache, shapes, built)
        return built.plan, built.build_ns, "built"


def _check(model: ModelFiles, engine: "trt.ICudaEngine") -> None:
    """ModelRejected unless the engine has the contract's tensors, on the device and as plain rows."""
    found: Dict[bool, Dict[str, Found]] = {True: {}, False: {}}
    for name in names_of(engine):
        if engine.get_tensor_location(name) != trt.TensorLocation.DEVICE:
            raise ModelRejected("the engine wants `%s` on the host: such tensors are not taken here" % name)
        if engine.get_tensor_format(name) != trt.TensorFormat.LINEAR:
            raise ModelRejected("the engine wants `%s` in a layout of its own: build it for plain rows" % name)
        shape = trt_api.loose(engine.get_tensor_shape(name))
        found[is_input(engine, name)][name] = Found(trt_api.dtype_of(engine.get_tensor_dtype(name)), shape)
    match_inputs(model.inputs, found[True])
    match_outputs(model.outputs, found[False])


def names_of(engine: "trt.ICudaEngine") -> List[str]:
    """The inputs and outputs."""
    return [engine.get_tensor_name(at) for at in range(engine.num_io_tensors)]


def is_input(engine: "trt.ICudaEngine", name: str) -> bool:
    """Whether it is an input, and not an output."""
    return bool(engine.get_tensor_mode(name) == trt.TensorIOMode.INPUT)


def context_of(engine: "trt.ICudaEngine", log: Log) -> "trt.IExecutionContext":
    """What runs the engine, with its own memory for what lies between layers; AdapterError where it gets none."""
    log.forget()
    context = engine.create_execution_context()
    if context is None:
        raise AdapterError("%s makes no context to run in: %s" % (trt_api.name_of(), log.since("it does not say why")))
    return context
