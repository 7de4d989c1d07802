"""What every adapter promises, of the TensorRT adapter on a GPU in software; `make test-gpu` asks it of a real one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from bench.conformance import AdapterConformance, Example, onnx_examples
from bench.device.adapter import Settings

DEVICE = "cuda:0"


class OnSoftware(AdapterConformance):
    adapter = "backends.trt:TensorRtAdapter"
    __test__ = False
    settings = Settings(device=DEVICE)

    def make_examples(self, folder: Path) -> Sequence[Example]:
        return [replace(one, settings=self.settings) for one in onnx_examples(folder)]


class TestHostResident(OnSoftware):
    __test__ = True


class TestDeviceResident(OnSoftware):
    __test__ = True
    settings = Settings(device=DEVICE, residency="device")


class TestCapturedGraphs(OnSoftware):
    __test__ = True
    settings = Settings(device=DEVICE, residency="host", extra={"cuda graph": True, "wait": "sleep"})
