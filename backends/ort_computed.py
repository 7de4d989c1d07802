"""What ONNX Runtime's CPU provider really computes a 16-bit graph in, by the graph that it makes of it.

Where it has no kernel of 16 bits it inserts casts and computes in fp32; which ones it has depends on the version and
the processor. The graph that a session runs is what it writes to ``optimized_model_filepath``. A process beside the
worker has it written, once, after the load and the first query: it is in neither's time, nor in the worker's memory.
"""

from __future__ import annotations

import importlib
import json
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any, Dict

from backends import onnx_arithmetic, onnx_weights, ort_beside, ort_config, ort_nodes, ort_providers, precision
from bench.device.adapter import ModelFiles, ModelRejected, Settings

BOOT = ort_beside.BOOT % "ort_computed"
FILE = "graph.onnx"


def tell(facts: Dict[str, object], path: Path, model: ModelFiles, settings: Settings) -> None:
    """Add to the facts of a 16-bit graph what it is computed in, with a note where that is another precision.

    ModelRejected where another precision was asked for; AdapterError where it cannot be found out.
    """
    graph = precision.of(onnx_weights.weight_dtypes(path), model)
    facts["arithmetic"] = found = computed_in(path, settings)
    facts["precision"] = word = precision.of(found, model)
    if settings.precision != word:
        raise ModelRejected(
            "precision %s was asked for, but onnxruntime computes this %s graph in %s on this CPU: say `precision: %s`"
            % (settings.precision, graph, word, word)
        )
    if word != graph:
        ort_nodes.note(facts, "the graph is %s, but onnxruntime computes it in %s on this CPU" % (graph, word))


def computed_in(path: Path, settings: Settings) -> Dict[str, int]:
    """Number of weights by the type that they are used in, of the graph that a session runs."""
    with tempfile.TemporaryDirectory(prefix="benchpact-") as folder:
        job = {"model": str(path), "graph": str(Path(folder, FILE)), "settings": asdict(settings)}
        ort_beside.write(BOOT, job, "in what precision onnxruntime computes %s" % path.name)
        return onnx_arithmetic.arithmetic(Path(folder, FILE))


def write(asked: str) -> None:
    """In the process beside: the graph as a session with these settings runs it, its weights in a file beside it."""
    job: Dict[str, Any] = json.loads(asked)
    ort: Any = importlib.import_module("onnxruntime")
    config, _ = ort_config.configure(ort, Settings(**job["settings"]))
    config.optimized_model_filepath = job["graph"]
    config.add_session_config_entry("session.optimized_model_external_initializers_file_name", FILE + ".data")
    config.add_session_config_entry("session.optimized_model_external_initializers_min_size_in_bytes", "1024")
    ort.set_default_logger_severity(ort_config.FATAL)
    ort.InferenceSession(job["model"], config, providers=[ort_providers.CPU.name], enable_fallback=0)
