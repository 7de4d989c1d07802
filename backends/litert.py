"""LiteRT (TensorFlow Lite): TFLite models on the CPU, with or without its XNNPACK delegate."""

from __future__ import annotations

import importlib
import importlib.util
from importlib import metadata
from typing import Any, Dict, Mapping, Tuple

from backends import options, precision, probing, staging
from backends.litert_session import LiteRtSession, LiteRtStateSession, Opener
from bench.device import flatbuffer, tflite
from bench.device.adapter import Availability, ModelFiles, ModelRejected, Settings, choose_artifact
from bench.device.declared import Conflict, Declared, OneOf

PACKAGES = {"ai-edge-litert": "ai_edge_litert.interpreter", "tflite-runtime": "tflite_runtime.interpreter"}
"""Distribution -> the module with its interpreter: LiteRT, and what it was called before, for older boards."""
XNNPACK = "xnnpack"
OPTIONS: Mapping[str, Declared] = {
    XNNPACK: OneOf("whether the XNNPACK delegate takes what it can of the graph", (True, False), True)
}
PRECISIONS = ("fp32",)
REDUCED = "reduced_precision_support"
"""Metadata of a model by which its maker allows XNNPACK to compute in fp16."""


class LiteRtAdapter:
    """TFLite models through LiteRT's interpreter."""

    artifact_kinds: Tuple[str, ...] = ("tflite",)
    options: Mapping[str, Declared] = OPTIONS
    devices: Tuple[str, ...] = ("cpu",)
    precisions: Tuple[str, ...] = PRECISIONS
    concurrent_runs = False
    """An interpreter has one set of tensors."""

    def __init__(self) -> None:
        self.packages: Tuple[str, ...] = (_package(),)

    def probe(self) -> Availability:
        package = _package()
        try:
            importlib.import_module(package.replace("-", "_"))
            module = importlib.import_module(PACKAGES[package])
            if not (hasattr(module, "Interpreter") and hasattr(module, "OpResolverType")):
                raise ImportError("%s has no interpreter" % PACKAGES[package])
            return Availability(True, {package: metadata.version(package)}, self.devices)
        except Exception as error:  # noqa: BLE001 - a broken install raises anything; a probe never does
            return probing.unusable(package, error)

    def conflict(self, _: ModelFiles, settings: Settings) -> Conflict:
        """The interpreter's arrays are the host's."""
        if settings.residency != "host":
            return "residency", "inputs of this backend live on the host: say `residency: host`"
        return None

    def open(self, model: ModelFiles, settings: Settings) -> LiteRtSession:
        options.check_known(settings, self.options, self.devices)
        options.refuse(self.conflict(model, settings))
        probing.demand(self.probe())
        kind, path = choose_artifact(model, self.artifact_kinds)
        try:
            found = tflite.read(path)
        except (OSError, flatbuffer.Broken) as error:
            raise ModelRejected("%s is not a whole TFLite model: %s" % (path.name, staging.one_line(error)))
        weights = found.weights()
        facts: Dict[str, object] = {"device": "cpu", "precision": _precision(settings.precision, weights, model)}
        facts.update(threads=settings.threads, artifact=kind, residency="host", weights=weights)
        facts["inputs"] = "copied into the interpreter's own tensors by each run"
        if REDUCED in found.metadata:
            facts["reduced precision"] = "the model lets XNNPACK compute in fp16 where the processor can"
        module: Any = importlib.import_module(PACKAGES[_package()])
        delegated = options.value_of(settings.extra, OPTIONS, XNNPACK)
        opener = Opener(module, path, found, settings.threads, delegated)
        session = (LiteRtStateSession if model.state else LiteRtSession)(opener, model, facts)
        named = {size for spec in model.inputs for size in spec.shape if isinstance(size, str)}
        session.ready_for(tuple(sorted({**dict.fromkeys(named, 1), **model.dims}.items())))
        return session


def _package() -> str:
    """The distribution that is there; LiteRT where both are, or none."""
    return next((package for package in PACKAGES if _is_there(package.replace("-", "_"))), next(iter(PACKAGES)))


def _is_there(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ValueError:  # something stands in for the package
        return True


def _precision(asked: str, weights: Mapping[str, int], model: ModelFiles) -> str:
    """The precision that the graph's tensors say. Weights of 8 bits or fewer are quantized: their facts tell."""
    found = precision.of({dtype: count for dtype, count in weights.items() if dtype != "float16"}, model)
    if asked != found:
        raise ModelRejected(
            "precision %s was asked for, but the graph's is %s, and LiteRT computes in the graph's: "
            "say `precision: %s`, or convert the model" % (asked, found, found)
        )
    return found
