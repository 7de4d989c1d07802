"""Models for a soak: one that keeps some memory of every query, and one that gets slower."""

from __future__ import annotations

from time import perf_counter_ns
from typing import Any

from bench.device.adapter import ModelFiles, Settings
from tests.device.sleeping import Sleeping, SleepingSession
from tests.device.spinning import Spinning, SpinningSession


class LeakingSession(SpinningSession):
    def __init__(self, model: ModelFiles, leak_bytes: int) -> None:
        super().__init__(model, 200_000)
        self.leak_bytes = leak_bytes
        self.kept: list[bytes] = []

    def run(self, staged: Any) -> Any:
        if self.leak_bytes:
            self.kept.append(b"x" * self.leak_bytes)
        self.ran.clear()
        return super().run(staged)


class Leaking(Spinning):
    options = {"leak": "bytes that a query leaves behind"}  # noqa: RUF012 - as the protocol has it

    def open(self, model: ModelFiles, settings: Settings) -> LeakingSession:
        return LeakingSession(model, int(settings.extra.get("leak", 0)))


class SlowingSession(SleepingSession):
    """Takes 1 ms at first, and ``more_us`` longer a second later, and so on."""

    def __init__(self, model: ModelFiles, more_us: int) -> None:
        super().__init__(model, 1_000_000)
        self.more_us, self.began_ns = more_us, 0

    def run(self, staged: Any) -> Any:
        self.began_ns = self.began_ns or perf_counter_ns()
        self.service_ns = 1_000_000 + self.more_us * (perf_counter_ns() - self.began_ns) // 1_000_000
        return super().run(staged)


class Slowing(Sleeping):
    options = {"more": "how many us longer a query takes after each second"}  # noqa: RUF012 - as the protocol has it

    def open(self, model: ModelFiles, settings: Settings) -> SlowingSession:
        return SlowingSession(model, int(settings.extra.get("more", 0)))
