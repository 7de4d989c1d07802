"""Opening a session on a GPU, or saying in one sentence why not: no part of it falls to the CPU in silence."""

from __future__ import annotations

import os
import re
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Dict, Iterator, List, Mapping, NamedTuple, Optional, Sequence, Tuple

from backends import ort_config, ort_cuda, ort_nodes, ort_providers, staging
from backends.ort_clock import STREAM, OrtClock
from backends.ort_providers import Provider
from bench.device.adapter import AdapterError, DeviceUnavailable, ModelRejected, Settings

TENSORRT = "install TensorRT 10 for CUDA 13: pip install 'tensorrt-cu13<11' (from NVIDIA's own index)"
OF_THE_DEVICE = re.compile(
    r"CUDA (?:failure|error)|CUDNN|cuDNN|Failed to load library|TensorRT libraries|provider option|no CUDA-capable",
    re.IGNORECASE,
)
"""An error's words that are about the device or the install, not about the model."""
MISSING = re.compile(r"\blib[\w.+-]+?\.so[.\d]*: cannot open shared object file")
FAILED = re.compile(r"(?:with error: |\[ERROR\] )([^\n]+)")
HELD = ("device_id", "use_tf32", "trt_fp16_enable", "trt_bf16_enable", STREAM)
"""Options that change device or arithmetic: the session may not report others than were asked for."""
PLACE = "device_id"
"""The one of them that says which GPU computes."""
NOWHERE = "%s was asked for, but the session does not report back on which device %s runs: no number is that GPU's then"
SILENT = "the session does not report back %s: that it runs so is not known"
Asked = Sequence[Tuple[str, Mapping[str, str]]]
Nodes = Optional[List[ort_nodes.Placed]]


class Opened(NamedTuple):
    """A session of the framework's, and the GPU's clock beside it where the target asks for one."""

    native: Any
    clock: Optional[OrtClock]


def opened(
    ort: Any, path: Path, config: Any, provider: Provider, settings: Settings, facts: Dict[str, object]
) -> Opened:
    """A session on the device that ``settings`` name, its facts added; AdapterError with the reason where not."""
    values = ort_config.values_of(settings)
    cache = None
    if provider.memory == "cuda":
        cache = ort_cuda.ready(ort, path, provider, settings, values, facts)
    asked = ort_providers.options_of(settings, values, str(cache or ""))
    clock = OrtClock(ort_providers.number_of(settings.device)) if values[ort_providers.CLOCK] else None
    if clock is not None:
        asked[0][1].update(clock.options())
    allowed = values[ort_providers.FALLBACK] == "allowed"
    native, nodes = create(ort, path, config, asked, settings, allowed)
    told = ort_nodes.facts_of(nodes, [name for name, _ in asked], settings.device, allowed)
    echo = check_echo(native, asked, settings.device)
    started = [(name, options) for name, options in asked if name in native.get_providers()]
    notes = [*ort_nodes.notes_of(facts), *ort_nodes.notes_of(told), *silent_notes(echo, started)]
    facts.update(told, residency=settings.residency, **{"provider options": echo})
    said = (ort_providers.GRAPH, ort_providers.FALLBACK, ort_providers.CLOCK)
    facts.update({name: values[name] for name in said})
    if notes:
        facts["notes"] = notes
    return Opened(native, clock)


def create(ort: Any, path: Path, config: Any, asked: Asked, settings: Settings, allowed: bool) -> Tuple[Any, Nodes]:
    """A session whose nodes run where they were asked to, and their places.

    Unless the target allows nodes on the CPU, the framework itself is told to refuse them. Where it does, a
    second try without that tells which nodes they are, or that the provider did not come up at all.
    """
    config.add_session_config_entry(ort_nodes.RECORD, "1")
    config.add_session_config_entry(ort_nodes.STRICT, str(int(not allowed)))
    try:
        native = ort.InferenceSession(str(path), config, providers=list(asked), enable_fallback=0)
    except MemoryError:
        raise
    except Exception as error:  # noqa: BLE001 - the framework's own errors share no base class
        raise _why(ort, path, config, asked, settings, error)
    return native, _checked(native, asked, settings, allowed, "")


def _why(ort: Any, path: Path, config: Any, asked: Asked, settings: Settings, error: Exception) -> AdapterError:
    """The reason of a refusal, found by a try that refuses nothing."""
    config.add_session_config_entry(ort_nodes.STRICT, "0")
    with _heard() as said:
        try:
            native = ort.InferenceSession(str(path), config, providers=list(asked), enable_fallback=0)
        except Exception as again:  # noqa: BLE001 - as above
            error, native = again, None
    if native is not None:
        try:
            _checked(native, asked, settings, False, said["text"])
        except AdapterError as refusal:
            return refusal
    text = staging.one_line(error)
    if OF_THE_DEVICE.search(text):
        return DeviceUnavailable("%s cannot be used: %s%s" % (settings.device, text, _remedy(text + said["text"])))
    return ModelRejected("onnxruntime does not take %s: %s" % (path.name, text))


def _checked(native: Any, asked: Asked, settings: Settings, allowed: bool, said: str) -> Nodes:
    """The nodes' places; DeviceUnavailable where a node is where none may be."""
    wanted, nodes = [name for name, _ in asked], ort_nodes.placed(native)
    if wanted[0] not in native.get_providers():
        why = _cause(said)
        raise DeviceUnavailable("%s cannot be used: %s did not start, and the whole model would run on the CPU%s%s" % (
            settings.device, wanted[0], why and ": " + why, _remedy(said),
        ))  # fmt: skip
    if nodes is None and allowed:
        raise AdapterError(
            "`cpu fallback`: this onnxruntime does not tell which nodes run where: it needs 1.24 or newer"
        )
    astray = [node for node in nodes or () if node.provider not in wanted]
    if astray and not allowed:
        raise DeviceUnavailable(_astray(astray, len(nodes or ()), settings.device))
    return nodes


def _astray(nodes: Sequence[ort_nodes.Placed], recorded: int, device: str) -> str:
    part = len(nodes) < recorded
    several = "%d of %d nodes" % (len(nodes), recorded) if part else "%d of the nodes" % len(nodes)
    told = "%s would run on the CPU, not on %s: %s" % (several, device, ort_nodes.named(nodes))
    return told + "; to measure it so, say option `cpu fallback: allowed`" if part else told


def check_echo(native: Any, asked: Asked, device: str) -> Dict[str, Dict[str, str]]:
    """The options as the session reports them; DeviceUnavailable where it computes otherwise than asked.

    So it is where a session does not say on which device a provider of it computes; one that did not start has no node.
    """
    told, started = native.get_provider_options(), native.get_providers()
    echo = {name: {key: str(value) for key, value in told.get(name, {}).items()} for name, _ in asked}
    for name, options in asked:
        for key in HELD:
            got = {"true": "1", "false": "0"}.get(echo[name].get(key, "").lower(), echo[name].get(key))
            if key == PLACE and key in options and got is None and name in started:
                raise DeviceUnavailable(NOWHERE % (device, name))
            if key in options and got is not None and got != options[key]:
                raise DeviceUnavailable("asked %s for %s=%s, but the session has %s" % (name, key, options[key], got))
    return {name: {key: echo[name][key] for key in options if key in echo[name]} for name, options in asked}


def silent_notes(echo: Mapping[str, Mapping[str, str]], asked: Asked) -> List[str]:
    """That the session does not report back what was asked of arithmetic or stream: nobody knows that it took it.

    Not every version that takes an option tells of it.
    """
    silent = [
        "%s=%s" % (key, options[key])
        for name, options in asked
        for key in HELD
        if key in options and key not in echo[name]
    ]
    return [SILENT % ", ".join(silent)] if silent else []


def _cause(said: str) -> str:
    found = MISSING.search(said) or FAILED.search(said)
    return staging.one_line(Exception(found.group(found.lastindex or 0))) if found else ""


def _remedy(said: str) -> str:
    if "nvinfer" in said or "TensorRT libraries" in said:
        return "; to mend: " + TENSORRT
    return "; to mend: " + ort_cuda.INSTALL if MISSING.search(said) else ""


@contextmanager
def _heard() -> Iterator[Dict[str, str]]:
    """What native code writes to standard error meanwhile; it is written there all the same, a little later."""
    said, own = {"text": ""}, os.dup(2)
    with tempfile.TemporaryFile() as file:
        os.dup2(file.fileno(), 2)
        try:
            yield said
        finally:
            os.dup2(own, 2)
            os.close(own)
            file.seek(0)
            text = file.read(1 << 20)
            os.write(2, text)
            said["text"] = text.decode(errors="replace")
