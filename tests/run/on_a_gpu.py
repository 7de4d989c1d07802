"""A backend whose session says that it runs on a GPU: a query takes a millisecond of waiting, as on a device."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from backends.null import NullAdapter, NullSession
from bench.device.adapter import ModelFiles, Settings
from bench.device.operators import Operator, Profiled
from bench.device.records import GPU, GPU_OWN
from tests.device.fake_nvml import UUID


class OnAGpu(NullAdapter):
    devices = ("cpu", "cuda:0")
    packages = ("nothing",)

    def open(self, model: ModelFiles, settings: Settings) -> NullSession:
        return GpuSession(model, settings.device)

    def profiled(self, model: ModelFiles, settings: Settings) -> NullSession:
        return self.open(model, settings)


class GpuSession(NullSession):
    def __init__(self, model: ModelFiles, device: str) -> None:
        super().__init__(model)
        self._device = device

    def run(self, staged: Any) -> Any:
        time.sleep(0.001)
        return staged

    def profile(self, staged: Sequence[Any]) -> Profiled:
        return Profiled([Operator("all", "Wait", 1000, len(staged))], "its own word")

    def facts(self) -> Mapping[str, object]:
        said = {**super().facts(), "device": self._device}
        if self._device != "cpu":
            said.update({GPU: {"name": "Made-up GPU 0", "uuid": UUID}, GPU_OWN: 512 << 20})
        return said


class NamesAnother(OnAGpu):
    """Calls the GPU, or the CPU that it runs on, what it likes."""

    def open(self, model: ModelFiles, settings: Settings) -> NullSession:
        session = super().open(model, settings)
        facts = {**session.facts(), GPU: {"name": "H200", "uuid": UUID}}
        session.facts = lambda: facts  # type: ignore[method-assign]
        return session
