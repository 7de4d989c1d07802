"""What TensorRT's sessions keep on a GPU, and those of TensorRT-RTX, its variant: each has a file, and so a process."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

from backends.trt import TensorRtAdapter
from bench.conformance import Example, onnx_examples, wide_onnx_example
from bench.device.adapter import ModelFiles, Query, Session, Settings
from tests.gpu.promises import Computed, Conformance, Promises
from tests.gpu.sessions import DEVICE, answer, layers


class OnTensorRt(Conformance):
    adapter = "backends.trt:TensorRtAdapter"
    __test__ = False

    def make_examples(self, folder: Path) -> Sequence[Example]:
        return [replace(one, settings=self.settings, rtol=1e-3, atol=1e-4) for one in onnx_examples(folder)]

    def make_wide_example(self, folder: Path) -> Example:
        return replace(wide_onnx_example(folder), settings=self.settings, rtol=1e-3, atol=1e-3)


class TensorRtPromises(Promises):
    """What 10, 11 and RTX have in common: each graph in its own types, and fp32 in TF32."""

    kind: ClassVar[type[TensorRtAdapter]] = TensorRtAdapter
    computes: ClassVar[Sequence[Computed]] = (
        Computed("fp32", "fp32", 1e-4),
        Computed("fp32", "tf32", 1e-2),
        Computed("fp16", "fp16", 2e-2),
        Computed("bf16", "bf16", 5e-2),
    )

    def layers(
        self, folder: Path, count: int, size: int, batch: int | str = "batch", graph: str = "fp32"
    ) -> ModelFiles:
        return layers(folder, count, size, batch, graph)

    def opened(self, model: ModelFiles, extra: Mapping[str, Any] | None = None, **settings: Any) -> Session:
        asked = Settings(**{"device": DEVICE, "extra": extra or {}, **settings})
        session: Session = self.kind().open(model, asked)
        return session

    def right(self, model: ModelFiles, asked: Query) -> Any:
        return answer(model, asked, device="cpu")

    def unwaited(self, session: Any) -> Callable[[Any], Any]:
        def run(staged: Any) -> Any:
            session._enqueue(staged)
            return staged

        return run

    def settle(self, session: Any) -> None:
        session._stream.wait()
