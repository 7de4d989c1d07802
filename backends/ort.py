"""ONNX Runtime: ONNX models; the execution provider follows from the device."""

from __future__ import annotations

import functools
import importlib
from importlib import metadata
from pathlib import Path
from typing import Any, Dict, Mapping, Optional, Tuple

from backends import (
    cuda_probe,
    onnx_weights,
    options,
    ort_config,
    ort_gpu,
    ort_nodes,
    ort_providers,
    precision,
    probing,
    staging,
)
from backends.matching import Found, match_inputs, match_outputs
from backends.ort_device import OrtDeviceSession, OrtDeviceStateSession
from backends.ort_profile import OrtProfile, ProfiledOrtSession
from backends.ort_session import OrtSession, OrtStateSession
from bench.device.adapter import (
    Availability,
    DeviceUnavailable,
    ModelFiles,
    ModelRejected,
    Session,
    Settings,
    choose_artifact,
)
from bench.device.declared import Conflict, Declared

DISTRIBUTIONS = ("onnxruntime", "onnxruntime-gpu", "onnxruntime-openvino", "onnxruntime-directml", "onnxruntime-webgpu")
"""Each of them installs the one import package ``onnxruntime``: the last one installed wins, unsaid."""

DTYPES = {
    "tensor(float)": "float32",
    "tensor(double)": "float64",
    "tensor(float16)": "float16",
    "tensor(bool)": "bool",
}
"""The framework's names of tensor types; the integers' are ``tensor(int64)`` and so on."""


class OnnxRuntimeAdapter:
    """ONNX models through ONNX Runtime."""

    artifact_kinds: Tuple[str, ...] = ("onnx",)
    options: Mapping[str, Declared] = ort_config.OPTIONS
    devices: Tuple[str, ...] = ("cpu", *ort_providers.CUDA_DEVICES)
    precisions: Tuple[str, ...] = ort_providers.PRECISIONS
    packages: Tuple[str, ...] = ("onnxruntime",)
    concurrent_runs = True
    """The framework's sessions do, and each thread has its own bindings and output buffers."""

    def probe(self) -> Availability:
        try:
            clash = _clash()
            if clash:
                return Availability(False, reason=clash[0], remedy=clash[1])
            ort = importlib.import_module("onnxruntime")
            return _offered(ort)
        except Exception as error:  # noqa: BLE001 - a broken install raises anything; a probe never does
            return probing.unusable("onnxruntime", error)

    def conflict(self, model: ModelFiles, settings: Settings) -> Conflict:
        """What ``open`` would refuse, by the settings and by the graph's own weights."""
        other = ort_config.conflict(settings)
        other = other or ort_providers.conflict(model, settings, ort_config.values_of(settings))
        if other or "onnx" not in model.artifacts:
            return other
        found = precision.of(onnx_weights.weight_dtypes(model.artifacts["onnx"]), model)
        why = ort_providers.other_precision(settings, found)
        return ("precision", why) if why else None

    def open(self, model: ModelFiles, settings: Settings) -> Session:
        return self._opened(model, settings, None)

    def profiled(self, model: ModelFiles, settings: Settings) -> Session:
        """As ``open``, with the framework's profile on."""
        kept = OrtProfile(settings.device)
        try:
            return self._opened(model, settings, kept)
        except BaseException:
            kept.discard()
            raise

    def _opened(self, model: ModelFiles, settings: Settings, kept: Optional[OrtProfile]) -> Session:
        options.check_known(settings, self.options, self.devices)
        options.refuse(ort_config.conflict(settings))
        options.refuse(ort_providers.conflict(model, settings, ort_config.values_of(settings)))
        probing.demand(self.probe())
        ort: Any = importlib.import_module("onnxruntime")
        kind, path = choose_artifact(model, self.artifact_kinds)
        config, facts = ort_config.configure(ort, settings)
        facts.update(device=settings.device, artifact=kind, residency="host")
        if kept is not None:
            kept.turn_on(config)
        ort.set_default_logger_severity(ort_config.FATAL)
        on_cpu, word = ort_providers.kind_of(settings.device) == "cpu", ort_providers.word_of(settings)
        if word == ort_providers.XNNPACK:
            from backends import ort_xnnpack

            ort_xnnpack.demand(ort)
        if on_cpu:
            native = _on_cpu(ort, path, config, settings, facts)
            session: Any = OrtStateSession if model.state else OrtSession
        else:
            provider = ort_providers.PROVIDERS[word]
            native, clock = ort_gpu.opened(ort, path, config, provider, settings, facts)
            session = OrtDeviceStateSession if model.state else OrtDeviceSession
            session = functools.partial(session, provider=provider, clock=clock)
        facts["providers"] = native.get_providers()
        match_inputs(model.inputs, _found(native.get_inputs()))
        match_outputs(model.outputs, _found(native.get_outputs()))
        facts["weights"] = weights = onnx_weights.weight_dtypes(path)
        facts["precision"] = _precision(settings, precision.of(weights, model))
        if precision.quantised(weights):
            ort_nodes.note(facts, precision.quantised(weights) % settings.precision)
        if word == ort_providers.XNNPACK:
            told = functools.partial(ort_xnnpack.tell, facts, path, model, settings)
            session = functools.partial(session, told=told)
        elif on_cpu and precision.is_narrow(weights, model):
            from backends import ort_computed

            told = functools.partial(ort_computed.tell, facts, path, model, settings)
            session = functools.partial(session, told=told)
        facts["io binding"] = "inputs bound once, outputs preallocated where the query's shapes tell theirs"
        opened: Session = session(ort, native, model, facts)
        return opened if kept is None else ProfiledOrtSession(opened, native, kept)


def _offered(ort: Any) -> Availability:
    """The CPU and the driver's GPUs, where this package was built for them; why there is no GPU, where it was."""
    built = set(ort.get_available_providers())
    devices: Tuple[str, ...] = ("cpu",) if ort_providers.CPU.name in built else ()
    versions, reason, remedy = {"onnxruntime": str(ort.__version__)}, "", ""
    if ort_providers.PROVIDERS["cuda"].name in built:
        found = cuda_probe.look()
        devices += ort_providers.CUDA_DEVICES[: len(found.gpus)]
        reason, remedy = found.reason, found.remedy
        if found.gpus:
            versions["cuda driver"] = found.driver
    return Availability(bool(devices), versions, devices, reason, remedy)


def _on_cpu(ort: Any, path: Path, config: Any, settings: Settings, facts: Dict[str, object]) -> Any:
    ((provider, said),) = asked = ort_providers.options_of(settings, ort_config.values_of(settings), "")
    if said:
        facts["provider options"] = dict(asked)
    try:
        native = ort.InferenceSession(str(path), config, providers=asked, enable_fallback=0)
    except MemoryError:
        raise
    except Exception as error:  # noqa: BLE001 - the framework's own errors share no base class
        raise ModelRejected("onnxruntime does not take %s: %s" % (path.name, staging.one_line(error)))
    got = native.get_providers()
    if got[:1] != [provider]:
        raise DeviceUnavailable("asked for %s, but the session got %s" % (provider, ", ".join(got) or "nothing"))
    return native


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


def _found(nodes: Any) -> Dict[str, Found]:
    """The artifact's tensors. ONNX Runtime shows a scalar and an unknown shape alike."""
    return {
        node.name: Found(DTYPES.get(node.type, node.type.replace("tensor(", "").replace(")", "")), node.shape or None)
        for node in nodes
    }


def _precision(settings: Settings, found: str) -> str:
    """The precision asked for; ModelRejected where the provider cannot compute this graph in it."""
    why = ort_providers.other_precision(settings, found)
    if why:
        raise ModelRejected(why)
    return settings.precision
