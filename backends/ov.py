"""OpenVINO on the CPU: one synchronous request at a time, or streams of its own where work may overlap."""

from __future__ import annotations

import importlib
import sys
from typing import Any, Dict, Mapping, Tuple

from backends import options, ov_profile, probing
from backends.ov_network import PRECISIONS
from backends.ov_session import OvOverlappedSession, OvSession, OvStateSession
from bench.device.adapter import (
    CHOICE,
    AdapterError,
    Availability,
    ModelFiles,
    ModelRejected,
    Settings,
    choose_artifact,
)
from bench.device.declared import Conflict, Count, Declared, OneOf

SUFFIXES = {"openvino": ".xml", "onnx": ".onnx"}
OPTIONS: Mapping[str, Declared] = {
    CHOICE: OneOf("which artifact is run; auto is the first of them that there is", ("auto", *SUFFIXES), "auto"),
    "streams": Count("batches in flight at once in the offline scenario; as many as threads by default", None),
}


class OpenVinoAdapter:
    """OpenVINO IR and ONNX models on the CPU."""

    artifact_kinds: Tuple[str, ...] = ("openvino", "onnx")
    options: Mapping[str, Declared] = OPTIONS
    devices: Tuple[str, ...] = ("cpu",)
    precisions: Tuple[str, ...] = tuple(PRECISIONS)
    packages: Tuple[str, ...] = ("openvino",)
    concurrent_runs = False

    def probe(self) -> Availability:
        try:
            ov = _import()
            devices = tuple(device.lower() for device in ov.Core().available_devices if device == "CPU")
            reason = "" if devices else "openvino finds no CPU plugin"
            return Availability(bool(devices), {"openvino": _release(ov.__version__)}, devices, reason)
        except Exception as error:  # noqa: BLE001 - a broken install raises anything; a probe never does
            return probing.unusable("openvino", error)

    def conflict(self, _: ModelFiles, settings: Settings) -> Conflict:
        """Streams share the threads."""
        streams = int(settings.extra.get("streams", settings.threads))
        if streams > settings.threads:
            return "streams", "%d streams have only %d threads to share" % (streams, settings.threads)
        return None

    def open(self, model: ModelFiles, settings: Settings) -> OvSession:
        return self._opened(model, settings, {})

    def profiled(self, model: ModelFiles, settings: Settings) -> OvSession:
        """As ``open``, its performance counts on."""
        return self._opened(model, settings, ov_profile.CONFIG)

    def _opened(self, model: ModelFiles, settings: Settings, more: Mapping[str, Any]) -> OvSession:
        options.check_known(settings, self.options, self.devices)
        options.refuse(self.conflict(model, settings))
        asked = options.value_of(settings.extra, OPTIONS, CHOICE)
        kind, path = choose_artifact(model, self.artifact_kinds if asked == "auto" else (asked,))
        if path.suffix.lower() != SUFFIXES[kind]:
            raise ModelRejected("OpenVINO goes by the name: %s should end in %s" % (path.name, SUFFIXES[kind]))
        config = {**_config(settings), **more}
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
    streams = int(settings.extra.get("streams", settings.threads))
    return {
        "INFERENCE_PRECISION_HINT": PRECISIONS[settings.precision],
        "INFERENCE_NUM_THREADS": settings.threads,
        "NUM_STREAMS": streams if offline else 1,
        "PERFORMANCE_HINT": "THROUGHPUT" if offline else "LATENCY",
        "DYNAMIC_QUANTIZATION_GROUP_SIZE": 0,
    }


def _release(version: str) -> str:
    """What pip calls it, of ``2026.4.1-22982-e213a147257-releases/2026/4``."""
    return version.partition("-")[0]


def _import() -> Any:
    """The framework, without its telemetry: importing it reports the import to its makers."""
    if "openvino" in sys.modules or "openvino_telemetry" in sys.modules:
        return importlib.import_module("openvino")
    sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]
    try:
        return importlib.import_module("openvino")
    finally:
        del sys.modules["openvino_telemetry"]
