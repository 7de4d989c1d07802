"""A model that keeps the processor busy for a known time and answers zeros; it notes when each query ran."""

from __future__ import annotations

from time import perf_counter_ns
from typing import Any

from backends.null import NullAdapter, NullSession
from bench.device.adapter import ModelFiles, Settings


class SpinningSession(NullSession):
    def __init__(self, model: ModelFiles, service_ns: int) -> None:
        super().__init__(model)
        self.service_ns = service_ns
        self.ran: list[tuple[int, int]] = []

    def run(self, staged: Any) -> Any:
        begin = now = perf_counter_ns()
        while now < begin + self.service_ns:
            now = perf_counter_ns()
        self.ran.append((begin, now))
        return staged


class Spinning(NullAdapter):
    options = {"microseconds": "how long a query takes"}  # noqa: RUF012 - as the protocol has it

    def open(self, model: ModelFiles, settings: Settings) -> SpinningSession:
        return SpinningSession(model, int(settings.extra.get("microseconds", 1000)) * 1000)
