"""The adapters as the suite opens them: a session that says ``cuda:0`` shows that the GPU computes, or there is none.

It shows it where its first query is staged, which nobody times: there it has to wait for a GPU that is taken up. So it
does in a worker, too, which a job tells ``tests.gpu.proven:PyTorch``. A session of the same model and settings as one
that has shown it is opened as it is: a thousand of them are not held up.
"""

from __future__ import annotations

from threading import Lock
from typing import Any

from backends.ort import OnnxRuntimeAdapter
from backends.pytorch import PyTorchAdapter
from backends.trt import TensorRtAdapter, TensorRtRtxAdapter
from bench.device.adapter import Adapter, ModelFiles, Query, Session, Settings
from tests.gpu import occupying

_SHOWN: set[str] = set()
_ONE_AT_A_TIME = Lock()


def shown(adapter: Adapter, session: Any, model: ModelFiles, settings: Settings) -> Any:
    """The session, which shows at its first query that it computes on the GPU; NotOnGpu comes from there if not."""
    what = repr((type(adapter), sorted(model.artifacts.items()), model.factory, settings))
    return session if settings.device == "cpu" or what in _SHOWN else _showing(session, what)


def _showing(session: Any, what: str) -> Any:
    stage, run = session.stage, session.run

    def stage_and_show(query: Query) -> Any:
        staged = stage(query)
        with _ONE_AT_A_TIME:
            if what not in _SHOWN:
                occupying.demand(lambda: run(staged))
                _SHOWN.add(what)
        vars(session).pop("stage", None)  # nothing of this is left to hold the session's memory
        return staged

    session.stage = stage_and_show
    return session


class OnnxRuntime(OnnxRuntimeAdapter):
    def open(self, model: ModelFiles, settings: Settings) -> Session:
        session: Session = shown(self, super().open(model, settings), model, settings)
        return session


class PyTorch(PyTorchAdapter):
    def open(self, model: ModelFiles, settings: Settings) -> Any:
        return shown(self, super().open(model, settings), model, settings)


class TensorRt(TensorRtAdapter):
    def open(self, model: ModelFiles, settings: Settings) -> Any:
        return shown(self, super().open(model, settings), model, settings)


class TensorRtRtx(TensorRtRtxAdapter):
    def open(self, model: ModelFiles, settings: Settings) -> Any:
        return shown(self, super().open(model, settings), model, settings)
