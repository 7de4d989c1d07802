"""ONNX Runtime's XNNPACK on a CPU: in no package on PyPI, only in a build of one's own (``--use_xnnpack``).

What it does not take runs on the CPU provider. The framework's record of nodes leaves out those of a provider that
changes their layout, as this one does; its profile of one query names all. A process beside the worker makes that,
once, after the load and the first query.
"""

from __future__ import annotations

import importlib
import json
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any, Dict, List

import numpy as np

from backends import ort_beside, ort_config, ort_nodes, ort_profile, ort_providers
from bench.device.adapter import AdapterError, DeviceUnavailable, ModelFiles, Settings

BOOT = ort_beside.BOOT % "ort_xnnpack"


def demand(ort: Any) -> None:
    """DeviceUnavailable where this package is built without it."""
    name = ort_providers.PROVIDERS["xnnpack"].name
    if name not in ort.get_available_providers():
        raise DeviceUnavailable(
            "onnxruntime %s here is built without %s, like every package on PyPI: build it with `--use_xnnpack`, or "
            "leave option `provider` out" % (ort.__version__, name)
        )


def tell(facts: Dict[str, object], path: Path, model: ModelFiles, settings: Settings) -> None:
    """Add to the facts which nodes it ran, with a note on the others; DeviceUnavailable where it ran none."""
    name = ort_providers.PROVIDERS["xnnpack"].name
    told = ort_nodes.facts_of(ran(path, model, settings), [name], settings.device, True)
    notes = [*ort_nodes.notes_of(facts), *ort_nodes.notes_of(told)]
    facts.update(told)
    if notes:
        facts["notes"] = notes


def ran(path: Path, model: ModelFiles, settings: Settings) -> List[ort_nodes.Placed]:
    """The nodes that one query of zeros ran, each with its provider; sizes that nobody gave are 1."""
    inputs = {
        spec.name: [spec.dtype, [size if isinstance(size, int) else model.dims.get(size, 1) for size in spec.shape]]
        for spec in model.inputs
    }
    with tempfile.TemporaryDirectory(prefix="benchpact-") as folder:
        job: Dict[str, object] = {"model": str(path), "folder": folder, "settings": asdict(settings), "inputs": inputs}
        job["providers"] = ort_providers.options_of(settings, ort_config.values_of(settings), "")
        ort_beside.write(BOOT, job, "which nodes of %s run on XNNPACK" % path.name)
        try:
            (file,) = Path(folder).iterdir()
            events = json.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise AdapterError("the profile that onnxruntime wrote cannot be read: %s" % error)
    return ort_profile.placed(events)


def write(asked: str) -> None:
    """In the process beside: the profile of one query, in the folder that the job names."""
    job: Dict[str, Any] = json.loads(asked)
    ort: Any = importlib.import_module("onnxruntime")
    config, _ = ort_config.configure(ort, Settings(**job["settings"]))
    config.enable_profiling = True
    config.profile_file_prefix = str(Path(job["folder"]) / "profile")
    ort.set_default_logger_severity(ort_config.FATAL)
    providers = [(name, dict(options)) for name, options in job["providers"]]
    native = ort.InferenceSession(job["model"], config, providers=providers, enable_fallback=0)
    native.run(None, {name: np.zeros(shape, dtype) for name, (dtype, shape) in job["inputs"].items()})
    native.end_profiling()
