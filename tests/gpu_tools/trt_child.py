"""A process in an environment with the real TensorRT-RTX, which builds engines without a GPU, by benchpact's own path.

``python -m tests.gpu_tools.trt_child WHAT`` reads JSON words, and prints one line of JSON.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from pathlib import Path
from typing import Any

from backends import cuda_probe, trt_api, trt_options
from backends.trt import TensorRtRtxAdapter
from backends.trt_build import Asked
from backends.trt_engines import Engines
from bench.device.adapter import AdapterError, Settings
from tests.gpu_tools.child import model_of

WORKSPACE_BYTES = 1 << 28


def engines_of(words: dict[str, Any]) -> tuple[Engines, Any, Asked]:
    """The engines of the model, as the adapter makes them; the GPU is one that is only named."""
    adapter = TensorRtRtxAdapter()
    gpu = cuda_probe.Gpu("Some GPU", "GPU-1", words.get("capability", "8.9"), 1 << 33)
    cuda_probe._FOUND[:] = [cuda_probe.Found((gpu,), "13.0")]
    trt_api.choose(adapter.module)
    model, path = model_of(words), Path(words["model"])
    level = words.get("level", 3)
    asked = Asked(words.get("precision", "fp32"), words.get("graph", "fp32"), WORKSPACE_BYTES, level, gpu.capability)
    text = words.get("sizes", "batch 1/2/4")
    ranges = trt_options.ranges_of(text, model) if text else {}
    cache = adapter._cache(path, asked, gpu)
    engines = Engines(path, model, asked, ranges, cache, trt_api.new_log())
    return engines, trt_options.shapes_of(model, ranges), asked


def build(words: dict[str, Any]) -> dict[str, Any]:
    """A serialised engine, built or found."""
    engines, shapes, asked = engines_of(words)
    plan, build_ns, origin = engines._plan(shapes, asked)
    return {"from": origin, "bytes": len(plan), "build_ns": build_ns, "cache": str(engines._cache)}


def engine(words: dict[str, Any]) -> dict[str, Any]:
    """The engine, deserialised: that needs the GPU."""
    engines, _, _ = engines_of(words)
    engines.engine_for({"batch": 1})
    return {"engine": "taken"}


def open_it(words: dict[str, Any]) -> dict[str, Any]:
    """The whole adapter on this machine as it is."""
    TensorRtRtxAdapter().open(model_of(words), Settings(device="cuda:0"))
    return {"session": "opened"}


def names(words: dict[str, Any]) -> dict[str, Any]:
    """What the real module has of each of these classes; ``module`` says which it is."""
    native = importlib.import_module(words["module"])
    return {kind: dir(getattr(native, kind, None)) for kind in words["kinds"]}


ASKS = {"build": build, "engine": engine, "open": open_it, "names": names}


def main(what: str) -> None:
    words = json.load(sys.stdin)
    channel = os.dup(1)
    os.dup2(2, 1)  # what libraries print is no answer
    try:
        answer = ASKS[what](words)
    except AdapterError as error:
        answer = {"error": type(error).__name__, "message": str(error)}
    os.write(channel, json.dumps(answer).encode() + b"\n")
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1])
