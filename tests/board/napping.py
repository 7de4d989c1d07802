"""A backend for boards: each query takes twenty milliseconds of nothing.

What takes that long the closure audit believes, also on an emulator that gets little of its machine. It travels as a
module of its own (`tests.board.working` copies it), like a third party's.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from backends.null import NullAdapter, NullSession
from bench.device.adapter import ModelFiles, Settings


class NappingSession(NullSession):
    def run(self, staged: Any) -> Any:
        time.sleep(0.02)
        return staged


class Naps(NullAdapter):
    def open(self, model: ModelFiles, settings: Settings) -> NappingSession:
        return NappingSession(model)


class Holds(Naps):
    """Is not opened while there is a file ``hold`` in the home of its user."""

    def open(self, model: ModelFiles, settings: Settings) -> NappingSession:
        while (Path.home() / "hold").exists():
            time.sleep(0.1)
        return super().open(model, settings)
