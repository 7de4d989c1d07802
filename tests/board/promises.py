"""The promises of every adapter, kept on a board: this file goes there, and pytest runs it there.

What it runs is made on the host, where the packages are that write models: ``NAME.pickle`` beside this file, and the
models themselves.
"""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.conformance import AdapterConformance, Example

HERE = Path(__file__).parent


class OnBoard(AdapterConformance):
    """An emulated one, on a machine that may be busy."""

    child_timeout_s = 1200.0


class TestOnnxRuntime(OnBoard):
    adapter = "backends.ort:OnnxRuntimeAdapter"

    def make_examples(self, folder: Path) -> Sequence[Example]:
        return [_here(one) for one in _made("onnxruntime")[:-1]]

    def make_wide_example(self, folder: Path) -> Example:
        return _here(_made("onnxruntime")[-1])


class TestLiteRt(OnBoard):
    adapter = "backends.litert:LiteRtAdapter"

    def make_examples(self, folder: Path) -> Sequence[Example]:
        return [_here(one) for one in _made("litert")[:-1]]

    def make_wide_example(self, folder: Path) -> Example:
        return _here(_made("litert")[-1])


def _made(name: str) -> list[Example]:
    """What the host made for it: examples, and the wide one last."""
    found: Any = pickle.loads((HERE / f"{name}.pickle").read_bytes())
    return list(found)


def _here(example: Example) -> Example:
    return example.with_artifacts({kind: HERE / path for kind, path in example.model.artifacts.items()})
