"""The null backend keeps the promises of every adapter, but for its outputs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bench.conformance import AdapterConformance, Example, onnx_examples


class TestNull(AdapterConformance):
    adapter = "backends.null:NullAdapter"
    computes = False
    thread_counts = (1,)

    def make_examples(self, folder: Path) -> Sequence[Example]:
        return [example for example in onnx_examples(folder) if not example.model.state]
