"""ONNX Runtime: the promises of every adapter, and those of its own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bench.conformance import AdapterConformance, Example, onnx_examples, wide_onnx_example


class TestOnnxRuntime(AdapterConformance):
    adapter = "backends.ort:OnnxRuntimeAdapter"

    def make_examples(self, folder: Path) -> Sequence[Example]:
        return onnx_examples(folder)

    def make_wide_example(self, folder: Path) -> Example:
        return wide_onnx_example(folder)
