"""An adapter that computes on the CPU, and says all that one on ``cuda:0`` says: only where it computes is untrue."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from time import perf_counter_ns
from typing import Any

from backends import cuda_probe
from backends.ort import OnnxRuntimeAdapter
from bench.device.adapter import Arrays, Availability, ModelFiles, Query, Settings
from tests.gpu import proven

CUDA = "CUDAExecutionProvider"


class Lying:
    """A session of the CPU's with a GPU's facts, and times by a clock that is no GPU's."""

    def __init__(self, inner: Any, settings: Settings) -> None:
        self._inner, self._settings = inner, settings
        self.run = inner.run
        for name in ("advance", "reset", "profile"):
            if hasattr(inner, name):
                setattr(self, name, getattr(inner, name))

    def stage(self, query: Query) -> Any:
        return self._inner.stage(query)

    def read(self, outputs: Any) -> Arrays:
        return dict(self._inner.read(outputs))

    def facts(self) -> Mapping[str, object]:
        asked = self._settings
        own = {"device": asked.device, "precision": asked.precision, "residency": asked.residency, **asked.extra}
        gpu = cuda_probe.numbered(asked.device)._asdict()
        told = {"gpu": gpu, "gpu caches": cuda_probe.CACHES, "nodes by provider": {CUDA: 2}}
        return {**self._inner.facts(), **own, **told, "operators on the cpu": []}

    def device_times(self, staged: Any) -> dict[str, int]:
        begin = perf_counter_ns()
        self.run(staged)
        took_ns = perf_counter_ns() - begin
        return {"gpu compute": took_ns, "enqueue": took_ns // 2, "host to device": took_ns, "device to host": took_ns}

    def __enter__(self) -> Lying:
        return self

    def __exit__(self, *error: Any) -> None:
        self._inner.__exit__(*error)


def on_the_cpu(opened: Callable[..., Any], model: ModelFiles, settings: Settings) -> Lying:
    """What ``opened`` gives of the CPU's, where a session on the GPU was asked for."""
    plain = replace(settings, device="cpu", precision="fp32", residency="host", extra={})
    return Lying(opened(model, plain), settings)


class OnTheCpu(OnnxRuntimeAdapter):
    """As the suite opens it: it has to show where it computes."""

    def probe(self) -> Availability:
        return replace(super().probe(), devices=("cpu", "cuda:0"))

    def open(self, model: ModelFiles, settings: Settings) -> Any:
        return proven.shown(self, on_the_cpu(super().open, model, settings), model, settings)
