"""TensorRT, native: engines built from ONNX, or handed over; and TensorRT-RTX, its variant for consumers' GPUs."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any, Dict, Mapping, Optional, Tuple

from backends import (
    cuda_arithmetic,
    cuda_probe,
    engine_cache,
    onnx_weights,
    options,
    precision,
    probing,
    trt_api,
    trt_options,
)
from backends.cuda_driver import Context
from backends.trt_build import Asked
from backends.trt_engines import Engines
from backends.trt_options import CACHE, ENGINE, GRAPH, LEVEL, ONNX, SIZES, WAIT, WORKSPACE
from backends.trt_session import TrtSession, TrtStateSession
from bench.device.adapter import (
    CHOICE,
    Availability,
    DeviceUnavailable,
    ModelFiles,
    ModelRejected,
    Settings,
    choose_artifact,
)
from bench.device.declared import Conflict, Declared

DRIVER_BINDINGS = "cuda.bindings.driver"
OLDEST = 10
"""The first version with the interface that is used here."""
FOREIGN_TEXT = (
    "the engine was built elsewhere: what precision its layers compute in is its builder's word, and the target says %s"
)


class TensorRtAdapter:
    """ONNX models and engines through TensorRT 10 or 11."""

    module = "tensorrt"
    install = "pip install tensorrt-cu13 cuda-bindings (tensorrt-cu13 comes from NVIDIA's own index)"
    artifact_kinds: Tuple[str, ...] = (ONNX, ENGINE)
    code_kinds: Tuple[str, ...] = (ENGINE,)
    """Loading an engine may run what is in it."""
    options: Mapping[str, Declared] = trt_options.OPTIONS
    devices: Tuple[str, ...] = tuple("cuda:%d" % number for number in range(8))
    precisions: Tuple[str, ...] = trt_options.PRECISIONS
    packages: Tuple[str, ...] = ("tensorrt", "cuda-bindings")
    concurrent_runs = False
    """A session has one stream, and each of its sizes one execution context."""

    def probe(self) -> Availability:
        """Whether the packages import and the driver has a GPU; nothing of TensorRT is constructed."""
        found, broken, versions = cuda_probe.look(), "", {}
        try:
            versions = self._versions()
        except Exception as error:  # noqa: BLE001 - a broken install raises anything; a probe never does
            broken = probing.unusable(self.packages[0], error).reason
        if not found.gpus:
            then = "; then " + self.install if broken else ""
            return Availability(False, versions, (), found.reason, found.remedy + then)
        if broken:
            return Availability(False, versions, (), broken, self.install)
        return Availability(True, dict(versions, **{"cuda driver": found.driver}), self.devices[: len(found.gpus)])

    def conflict(self, model: ModelFiles, settings: Settings) -> Conflict:
        """What ``open`` would refuse, by the settings and by the graph's own weights."""
        other = trt_options.conflict(model, settings)
        if other or ONNX not in model.artifacts or settings.extra.get(CHOICE) == ENGINE:
            return other
        why = _other_precision(settings, _graph_precision(model.artifacts[ONNX], model))
        return ("precision", why) if why else None

    def open(self, model: ModelFiles, settings: Settings) -> TrtSession:
        options.check_known(settings, self.options, self.devices)
        options.refuse(trt_options.conflict(model, settings))
        gpu = self._demand(settings)
        trt_api.choose(self.module)
        values = trt_options.values_of(settings)
        wanted = [kind for kind in trt_options.kinds_of(values) if kind in self.artifact_kinds]
        kind, path = choose_artifact(model, wanted)
        _demand_file(path)
        asked = _asked(path, model, settings, values, gpu) if kind == ONNX else None
        facts = self._facts(settings, values, gpu, kind)
        cache = self._cache(path, asked, gpu) if values[CACHE] and asked else None
        if cache is not None:
            facts[CACHE] = str(cache)
        cuda = Context(int(settings.device.partition(":")[2] or 0), values[WAIT] == "spin")
        try:
            return _opened(cuda, path, model, values, asked, cache, facts)
        except BaseException:
            cuda.close()
            raise

    def profiled(self, model: ModelFiles, settings: Settings) -> TrtSession:
        """As ``open``: the profiler is attached for the queries that are profiled."""
        return self.open(model, settings)

    def _versions(self) -> Dict[str, str]:
        """Import the packages; DeviceUnavailable where TensorRT is too old."""
        native = importlib.import_module(self.module)
        importlib.import_module(DRIVER_BINDINGS)
        version = str(native.__version__)
        if self.module == "tensorrt" and int(version.partition(".")[0]) < OLDEST:
            raise DeviceUnavailable("TensorRT %s is too old: %d or newer is needed" % (version, OLDEST))
        bindings = str(importlib.import_module("cuda.bindings").__version__)
        return {self.packages[0]: version, "cuda-bindings": bindings}

    def _demand(self, settings: Settings) -> cuda_probe.Gpu:
        """The GPU; DeviceUnavailable, with all that there is to mend, where it cannot be used."""
        device, here = settings.device, self.probe()
        if not here.usable:
            raise DeviceUnavailable("%s cannot be used: %s; to mend: %s" % (device, here.reason, here.remedy))
        gpu = cuda_probe.numbered(device)
        cuda_arithmetic.demand(settings.precision, gpu)
        return gpu

    def _facts(self, settings: Settings, values: Mapping[str, Any], gpu: cuda_probe.Gpu, kind: str) -> Dict[str, Any]:
        facts: Dict[str, Any] = {"device": settings.device, "gpu": gpu._asdict(), "artifact": kind}
        facts.update({"cuda driver": cuda_probe.look().driver, self.packages[0]: trt_api.version()})
        facts["gpu caches"] = cuda_probe.CACHES
        facts.update(precision=settings.precision, threads=settings.threads, residency=settings.residency)
        facts.update({GRAPH: values[GRAPH], WAIT: values[WAIT]})
        if kind == ONNX:
            facts.update({WORKSPACE: values[WORKSPACE], LEVEL: values[LEVEL]})
        else:
            facts["notes"] = [FOREIGN_TEXT % settings.precision]
        return facts

    def _cache(self, path: Path, asked: Asked, gpu: cuda_probe.Gpu) -> Path:
        """The folder of this model's engines: all that an engine depends on is in its name."""
        driver = cuda_probe.look().driver
        return engine_cache.folder_for(path, {"depends": [self.module, trt_api.version(), gpu.name, driver, *asked]})


class TensorRtRtxAdapter(TensorRtAdapter):
    """ONNX models through TensorRT-RTX, which finishes an engine for the GPU where it is opened."""

    module = "tensorrt_rtx"
    install = "pip install tensorrt-rtx-cu13 cuda-bindings"
    artifact_kinds: Tuple[str, ...] = (ONNX,)
    code_kinds: Tuple[str, ...] = ()
    options: Mapping[str, Declared] = {name: one for name, one in trt_options.OPTIONS.items() if name != CHOICE}
    packages: Tuple[str, ...] = ("tensorrt-rtx", "cuda-bindings")


def _opened(
    cuda: Context,
    path: Path,
    model: ModelFiles,
    values: Mapping[str, Any],
    asked: Optional[Asked],
    cache: Optional[Path],
    facts: Dict[str, Any],
) -> TrtSession:
    """The session, its first engine ready: the one that the first query needs where nothing else is said."""
    log = trt_api.new_log()
    ranges = trt_options.ranges_of(str(values[SIZES]), model) if values[SIZES] else None
    engines = Engines(path, model, asked, ranges, cache, log)
    engines.engine_for({**dict.fromkeys(trt_options.free_dimensions(model), 1), **model.dims})
    session = TrtStateSession if model.state else TrtSession
    return session(cuda, engines, model, facts, log, bool(values[GRAPH]))


def _asked(path: Path, model: ModelFiles, settings: Settings, values: Mapping[str, Any], gpu: cuda_probe.Gpu) -> Asked:
    """How the engine is built; ModelRejected where the graph cannot be computed in the precision asked for."""
    graph = _graph_precision(path, model)
    why = _other_precision(settings, graph)
    if why:
        raise ModelRejected(why)
    return Asked(settings.precision, graph, int(values[WORKSPACE]), int(values[LEVEL]), gpu.capability)


def _graph_precision(path: Path, model: ModelFiles) -> str:
    return precision.of(onnx_weights.weight_dtypes(path), model)


def _other_precision(settings: Settings, graph: str) -> str:
    """Why the precision asked for cannot be had of a graph of this one; nothing where it can."""
    can = trt_options.COMPUTES.get(graph, ())
    if settings.precision in can:
        return ""
    asked = "precision %s was asked for, but the graph's is %s" % (settings.precision, graph)
    return "%s, and TensorRT computes it in %s" % (asked, ", ".join(can) or "nothing: convert the model")


def _demand_file(path: Path) -> None:
    """ModelRejected where there is nothing to read."""
    if not path.is_file() or not path.stat().st_size:
        why = "it is empty" if path.is_file() else "there is no such file"
        raise ModelRejected("TensorRT does not take %s: %s" % (path.name, why))
