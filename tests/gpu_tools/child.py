"""A process in another environment: benchpact's own ONNX Runtime adapter on a provider that stands in for a GPU.

``python -m tests.gpu_tools.child WHAT`` reads JSON words, and prints one line of JSON. The product knows no
``openvino:0`` and no ``webgpu:0``: this process adds them to the tables that the adapter reads, and nothing else.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from backends import cuda_probe, ort_providers
from backends.ort import OnnxRuntimeAdapter
from bench.device.adapter import AdapterError, ModelFiles, Query, Settings, TensorSpec
from bench.device.audit import audit_session
from bench.device.library import open_library
from bench.device.records import TensorJob
from bench.device.scenarios import Issuer

STAND_INS = {
    "openvino": ort_providers.Provider("OpenVINOExecutionProvider", memory="cpu"),
    "webgpu": ort_providers.Provider("WebGpuExecutionProvider", memory="gpu"),
}

KEPT: list[Any] = []
"""Everything that is open: a software Vulkan device may crash where it is closed, and this process only answers."""


def add_stand_ins(options: dict[str, str]) -> None:
    ours = ort_providers.options_of

    def options_of(settings: Settings, values: Any, cache: str) -> Any:
        word = ort_providers.word_of(settings)
        return [(STAND_INS[word].name, options)] if word in STAND_INS else ours(settings, values, cache)

    ort_providers.options_of = options_of
    ort_providers.PROVIDERS.update(STAND_INS)
    ort_providers.BY_DEVICE.update({word: (word,) for word in STAND_INS})
    OnnxRuntimeAdapter.devices += tuple(f"{word}:0" for word in STAND_INS)


def model_of(words: dict[str, Any]) -> ModelFiles:
    def specs(end: str) -> tuple[TensorSpec, ...]:
        return tuple(TensorSpec(name, "float32", tuple(shape)) for name, shape in words[end].items())

    return ModelFiles({"onnx": Path(words["model"])}, specs("inputs"), specs("outputs"))


def opened(words: dict[str, Any]) -> Any:
    settings = Settings(
        device=words["device"], residency=words.get("residency", "host"), extra=words.get("extra", {}),
        precision=words.get("precision", "fp32"),
    )  # fmt: skip
    session = OnnxRuntimeAdapter().open(model_of(words), settings)
    KEPT.append(session)
    return session


def open_it(words: dict[str, Any]) -> dict[str, Any]:
    """The session's facts, or why there is none."""
    if "gpus" in words:  # what the driver would say: everything behind it is then asked for real
        cuda_probe._FOUND[:] = [cuda_probe.Found(tuple(cuda_probe.Gpu(*one) for one in words["gpus"]), "13.0")]
    return {"facts": opened(words).facts()}


def answers(words: dict[str, Any]) -> dict[str, Any]:
    """Answers to queries staged beforehand, asked in turn and again; and once more after the arrays were changed."""
    arrays = [np.full((2, 64), value, np.float32) for value in (0.5, -1.0)]
    session = opened(words)
    staged = [session.stage(Query({"x": array}, 2)) for array in arrays]
    KEPT.extend(staged)
    for array in arrays:
        array.fill(9)
    found = [session.read(session.run(staged[at]))["y"].tolist() for at in (0, 1, 0)]
    return {"answers": found, "facts": session.facts()}


def audit(words: dict[str, Any]) -> dict[str, Any]:
    """The audit that every process run of a measurement passes, on this session."""
    model = model_of(words)
    jobs = [TensorJob(spec.name, spec.dtype, list(spec.shape)) for spec in model.inputs]
    issuer = Issuer(opened(words), open_library(jobs, {}, {}, "batch", None, 1), 8, overlapped=False)
    KEPT.append(issuer)
    for _ in range(3):
        issuer.drained_ns()
    closure, complaint = audit_session(issuer)
    return {"ratio": closure.ratio, "complaint": complaint}


def borders(words: dict[str, Any]) -> dict[str, Any]:
    """How many copies between devices the framework's own profile names in one run of the mixed graph."""
    onnxruntime: Any = importlib.import_module("onnxruntime")
    options = onnxruntime.SessionOptions()
    options.enable_profiling, options.profile_file_prefix = True, words["prefix"]
    name = STAND_INS[words["device"].partition(":")[0]].name
    session = onnxruntime.InferenceSession(words["model"], options, providers=[(name, {})])
    KEPT.append(session)
    session.run(None, {key: np.ones(shape, np.float32) for key, shape in words["inputs"].items()})
    events = json.loads(Path(session.end_profiling()).read_text())
    return {"copies": [one["name"] for one in events if "Memcpy" in one["name"]]}


def cuda_options(words: dict[str, Any]) -> dict[str, Any]:
    """What the real CUDA provider says to each of these options alone, before it touches a device."""
    onnxruntime: Any = importlib.import_module("onnxruntime")
    onnxruntime.preload_dlls()

    def said(name: str, value: str) -> str:
        try:
            asked = [("CUDAExecutionProvider", {name: value})]
            onnxruntime.InferenceSession(words["model"], providers=asked, enable_fallback=0)
        except Exception as error:
            return str(error)
        return "taken"

    return {"said": [said(name, value) for name, value in words["options"]]}


def probe(_: dict[str, Any]) -> dict[str, Any]:
    return {"probe": asdict(OnnxRuntimeAdapter().probe())}


ASKS = {
    "open": open_it,
    "answers": answers,
    "audit": audit,
    "borders": borders,
    "options": cuda_options,
    "probe": probe,
}


def main(what: str) -> None:
    words = json.load(sys.stdin)
    channel = os.dup(1)
    os.dup2(2, 1)  # what libraries print is no answer
    add_stand_ins(words.get("options_of_provider", {}))
    try:
        answer = ASKS[what](words)
    except AdapterError as error:
        answer = {"error": type(error).__name__, "message": str(error)}
    os.write(channel, json.dumps(answer).encode() + b"\n")
    os._exit(0)  # past the interpreter's end, where a software Vulkan device may crash


if __name__ == "__main__":
    main(sys.argv[1])
