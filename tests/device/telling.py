"""A made-up device with a clock of its own: it says beforehand how long it will have taken."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from backends.null import NullAdapter
from bench.device.adapter import ModelFiles, Settings
from tests.device.spinning import SpinningSession

SERVICE_NS = 1_000_000
"""A query takes this long, so that no busy machine makes its audit doubtful."""


class TellingSession(SpinningSession):
    """Its n-th query took the device n µs, and the host nine tenths of that."""

    def __init__(self, model: ModelFiles, device: str = "other-made-up") -> None:
        super().__init__(model, SERVICE_NS)
        self.asked, self._device = 0, device

    def device_times(self, staged: Any) -> Mapping[str, int]:
        self.asked += 1
        return {"gpu compute": self.asked * 1000, "enqueue": self.asked * 900, "host to device": 7}

    def facts(self) -> Mapping[str, object]:
        notes = ["it is made up", *(["it was asked"] if self.asked else [])]
        return dict(super().facts(), device=self._device, asked=self.asked, notes=notes)


class Telling(NullAdapter):
    """A backend whose sessions tell."""

    devices = ("cpu", "cpu:0", "other-made-up")

    def open(self, model: ModelFiles, settings: Settings) -> TellingSession:
        return TellingSession(model, settings.device)
