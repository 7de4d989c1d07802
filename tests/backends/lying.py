"""Adapters that break one promise each, around a real one. ``Honest`` breaks none.

Named by tests and loaded by workers: ``tests.backends.lying:ReturnsEarly``.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import Any, ClassVar

from backends.ort import OnnxRuntimeAdapter
from bench.device.adapter import Arrays, Availability, ModelFiles, Query, Settings


class HonestSession:
    """Passes everything on."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner

    def stage(self, query: Query) -> Any:
        return self.inner.stage(query)

    def run(self, staged: Any) -> Any:
        return self.inner.run(staged)

    def read(self, outputs: Any) -> Arrays:
        return dict(self.inner.read(outputs))

    def facts(self) -> Mapping[str, object]:
        return dict(self.inner.facts())

    def __enter__(self) -> HonestSession:
        return self

    def __exit__(self, *_: object) -> None:
        self.inner.__exit__()


class HonestStateSession(HonestSession):
    def advance(self, outputs: Any) -> None:
        self.inner.advance(outputs)

    def reset(self) -> None:
        self.inner.reset()


class Honest:
    artifact_kinds: tuple[str, ...] = ("onnx",)
    options: Mapping[str, str] = {}
    packages: tuple[str, ...] = ("onnxruntime",)
    concurrent_runs = False
    session: ClassVar[type[HonestSession]] = HonestSession
    state_session: ClassVar[type[HonestStateSession]] = HonestStateSession

    def probe(self) -> Availability:
        return OnnxRuntimeAdapter().probe()

    def open(self, model: ModelFiles, settings: Settings) -> HonestSession:
        return (self.state_session if model.state else self.session)(OnnxRuntimeAdapter().open(model, settings))


class EarlySession(HonestSession):
    """Hands the work to a thread and returns; whoever reads the outputs waits."""

    def __init__(self, inner: Any) -> None:
        super().__init__(inner)
        self.pool = ThreadPoolExecutor(1)

    def run(self, staged: Any) -> Future[Any]:
        return self.pool.submit(self.inner.run, staged)

    def read(self, outputs: Future[Any]) -> Arrays:
        return dict(self.inner.read(outputs.result()))


class ReturnsEarly(Honest):
    session = EarlySession


class StagesLazily(Honest):
    """Leaves the arrays where they are, and looks at them when it runs."""

    class session(HonestSession):
        def stage(self, query: Query) -> Any:
            return query

        def run(self, staged: Any) -> Any:
            return self.inner.run(self.inner.stage(staged))


class ReadsInPlace(Honest):
    """Gives its own buffers away."""

    class session(HonestSession):
        def read(self, outputs: Any) -> Arrays:
            return dict(outputs.buffers.outputs)


class AnswersWrongly(Honest):
    class session(HonestSession):
        def read(self, outputs: Any) -> Arrays:
            return {name: array + array.dtype.type(1) for name, array in super().read(outputs).items()}


class Leaks(Honest):
    kept: ClassVar[list[Any]] = []

    class session(HonestSession):
        def __exit__(self, *_: object) -> None:
            Leaks.kept.append(self.inner)


class TakesFewerThreads(Honest):
    def open(self, model: ModelFiles, settings: Settings) -> HonestSession:
        session = super().open(model, replace(settings, threads=1))
        said = {**session.facts(), "threads": settings.threads}
        session.facts = lambda: said  # type: ignore[method-assign]
        return session


class TakesAnyOption(Honest):
    def open(self, model: ModelFiles, settings: Settings) -> HonestSession:
        return super().open(model, replace(settings, extra={}))


class RaisesInProbe(Honest):
    def probe(self) -> Availability:
        onnxruntime: Any = importlib.import_module("onnxruntime")
        return Availability(True, {"onnxruntime": str(onnxruntime.__version__)}, ("cpu",))


class RaisesTheFrameworksOwn(Honest):
    def open(self, model: ModelFiles, settings: Settings) -> HonestSession:
        onnxruntime: Any = importlib.import_module("onnxruntime")
        onnxruntime.InferenceSession(str(model.artifacts["onnx"]))
        return super().open(model, settings)


class NeverResets(Honest):
    class state_session(HonestStateSession):
        def reset(self) -> None:
            pass


class AdvancesInRun(Honest):
    class state_session(HonestStateSession):
        def run(self, staged: Any) -> Any:
            outputs = self.inner.run(staged)
            self.inner.advance(outputs)
            return outputs

        def advance(self, outputs: Any) -> None:
            pass


class HasStateAlways(Honest):
    session = HonestStateSession
