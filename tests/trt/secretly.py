"""Every adapter secretly on the CPU, in this process and those that it starts, for the GPU suite to find out.

A ``sitecustomize`` that imports this module is what does it: ``environment`` makes one.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from backends.ort import OnnxRuntimeAdapter
from backends.pytorch import PyTorchAdapter
from backends.trt import TensorRtAdapter
from bench.device.adapter import Availability, ModelFiles, Settings
from tests.gpu import proof
from tests.trt.lying import on_the_cpu

ROOT = Path(__file__).parents[2]


def environment(folder: Path) -> dict[str, str]:
    """Variables with which Python's processes are so from their start."""
    (folder / "sitecustomize.py").write_text("from tests.trt import secretly\nsecretly.go()\n")
    return {"PYTHONPATH": os.pathsep.join([str(folder), str(ROOT), *filter(None, sys.path)])}


def go() -> None:
    """From now on ``cuda:0`` is the CPU, whoever opens a session there; what calls itself so is taken for a GPU."""
    _patch(OnnxRuntimeAdapter, OnnxRuntimeAdapter().open)
    _patch(PyTorchAdapter, PyTorchAdapter().open)
    _patch(TensorRtAdapter, OnnxRuntimeAdapter().open)
    proof.why_not = lambda *_: ""


def _patch(adapter: Any, opened: Callable[..., Any]) -> None:
    real = adapter.open

    def lying(self: Any, model: ModelFiles, settings: Settings) -> Any:
        on_cpu = settings.device == "cpu"
        return real(self, model, settings) if on_cpu else on_the_cpu(opened, model, settings)

    def probe(self: Any) -> Availability:
        return Availability(True, {"tensorrt": "10.16", "onnxruntime": "1", "torch": "2"}, ("cpu", "cuda:0"))

    adapter.open = adapter.profiled = lying
    adapter.probe = probe
