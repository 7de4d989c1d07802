"""What TensorRT's sessions keep on a GPU, and those of TensorRT-RTX, its variant: each has a file, and so a process."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

from backends.trt import TensorRtAdapter
from bench.device.adapter import ModelFiles, Query, Session, Settings
from tests.gpu import proven
from tests.gpu.promises import Computed, OnnxConformance, Promises
from tests.gpu.sessions import DEVICE, answer


class OnTensorRt(OnnxConformance):
    adapter = "tests.gpu.proven:TensorRt"
    __test__ = False


class TensorRtPromises(Promises):
    """What 10, 11 and RTX have in common: each graph in its own types, and fp32 in TF32."""

    kind: ClassVar[type[TensorRtAdapter]] = proven.TensorRt
    computes: ClassVar[Sequence[Computed]] = (
        Computed("fp32", "fp32", 1e-4),
        Computed("fp32", "tf32", 1e-2),
        Computed("fp16", "fp16", 2e-2),
        Computed("bf16", "bf16", 5e-2),
    )

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
