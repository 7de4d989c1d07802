"""A model that takes a known time, and does not begin a query in the first fifth of each second."""

from __future__ import annotations

from time import perf_counter_ns
from typing import Any

from backends.null import NullAdapter, NullSession
from bench.device.adapter import ModelFiles, Settings

EVERY_NS, STALL_NS = 1_000_000_000, 200_000_000


class StallingSession(NullSession):
    def __init__(self, model: ModelFiles, service_ns: int) -> None:
        super().__init__(model)
        self.service_ns = service_ns

    def run(self, staged: Any) -> Any:
        now = perf_counter_ns()
        while now % EVERY_NS < STALL_NS:
            now = perf_counter_ns()
        begin = now
        while now < begin + self.service_ns:
            now = perf_counter_ns()
        return staged


class Stalling(NullAdapter):
    options = {"microseconds": "how long a query takes"}  # noqa: RUF012 - as the protocol has it

    def open(self, model: ModelFiles, settings: Settings) -> StallingSession:
        return StallingSession(model, int(settings.extra.get("microseconds", 1000)) * 1000)
