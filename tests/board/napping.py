"""A backend for boards: each query takes twenty milliseconds of nothing.

What takes that long the closure audit believes, also on an emulator that gets little of its machine. It travels as a
module of its own (`tests.board.working` copies it), like a third party's.
"""

from __future__ import annotations

import time
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
