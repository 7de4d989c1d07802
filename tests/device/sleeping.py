"""A model that takes a known time and no processor: it sleeps, as a device does that works on its own."""

from __future__ import annotations

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
