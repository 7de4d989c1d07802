"""A model that takes a known time and no processor: it sleeps, as a device does that works on its own."""

from __future__ import annotations

from collections.abc import Mapping
from threading import get_ident
from time import perf_counter_ns, sleep
from typing import Any

from backends.null import NullAdapter, NullSession
from bench.device.adapter import ModelFiles, ModelRejected, Settings


class SleepingSession(NullSession):
    def __init__(self, model: ModelFiles, service_ns: int) -> None:
        super().__init__(model)
        self.service_ns = service_ns
        self.ran: list[tuple[int, int, int]] = []
        """Begin, end, thread."""

    def run(self, staged: Any) -> Any:
        begin = perf_counter_ns()
        sleep(self.service_ns / 1e9)
        self.ran.append((begin, perf_counter_ns(), get_ident()))
        return staged


class Sleeping(NullAdapter):
    options = {"microseconds": "how long a query takes"}  # noqa: RUF012 - as the protocol has it

    def open(self, model: ModelFiles, settings: Settings) -> SleepingSession:
        return SleepingSession(model, int(settings.extra.get("microseconds", 1000)) * 1000)


class Alone(Sleeping):
    """Its sessions serve one thread each."""

    concurrent_runs = False


class SecondFails(Alone):
    opened = 0

    def open(self, model: ModelFiles, settings: Settings) -> SleepingSession:
        self.opened += 1
        if self.opened > 1:
            raise ModelRejected("there is no second one")
        return super().open(model, settings)


class FallingBack(SleepingSession):
    """Honest about it: once it was asked so often, it says that it runs on the CPU."""

    def __init__(self, model: ModelFiles, device: str, asked_before: float) -> None:
        super().__init__(model, 1_000_000)
        self._device, self._asked_before = device, asked_before

    def facts(self) -> Mapping[str, object]:
        self._asked_before -= 1
        return {**super().facts(), "device": "cpu" if self._asked_before < 0 else self._device}


class FallsBack(Alone):
    """The session of that number falls back to the CPU, once it was asked so often what it runs on."""

    devices = ("npu:0",)
    options = {"session": "its number", "asked before": "how often"}  # noqa: RUF012 - as the protocol has it
    opened = 0

    def open(self, model: ModelFiles, settings: Settings) -> FallingBack:
        self.opened += 1
        falls = self.opened == settings.extra["session"]
        return FallingBack(model, settings.device, float(settings.extra["asked before"] if falls else "inf"))
