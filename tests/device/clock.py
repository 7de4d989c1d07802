"""A scripted clock and sessions that take exactly as long as they are told."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pytest

from bench.device import audit_closure, audit_groups, audit_reading, batches, loop, scenarios, serving
from bench.device.adapter import Query
from bench.device.library import SampleLibrary


class Clock:
    """A monotonic clock of nanoseconds that moves only when somebody lets time pass, or reads it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, reading_ns: int = 0) -> None:
        self.now_ns = 1_000_000
        self.reading_ns = reading_ns
        self.oversleeps_ns = 0
        self.slept_ns: list[int] = []
        for module in (audit_closure, audit_groups, audit_reading, batches, loop, scenarios, serving):
            monkeypatch.setattr(module, "perf_counter_ns", self)
        monkeypatch.setattr(loop, "sleep", self.sleep)

    def __call__(self) -> int:
        self.now_ns += self.reading_ns
        return self.now_ns

    def sleep(self, seconds: float) -> None:
        self.slept_ns.append(round(seconds * 1e9))
        self.now_ns += self.slept_ns[-1] + self.oversleeps_ns

    def passes(self, duration_ns: int) -> None:
        self.now_ns += duration_ns


class Session:
    """``run`` takes ``run_ns(staged)``, ``read`` takes ``read_ns``; what is issued is kept in ``issued``."""

    def __init__(self, clock: Clock, run_ns: Callable[[Any], int], read_ns: int = 0) -> None:
        self.clock, self.run_ns, self.read_ns = clock, run_ns, read_ns
        self.issued: list[Any] = []

    def stage(self, query: Query) -> Any:
        return query.arrays["x"]

    def run(self, staged: Any) -> Any:
        self.issued.append(staged)
        self.clock.passes(self.run_ns(staged))
        return staged

    def read(self, outputs: Any) -> dict[str, Any]:
        self.clock.passes(self.read_ns)
        return {"y": outputs}

    def facts(self) -> Mapping[str, object]:
        return {}

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: object) -> None: ...


class WithState(Session):
    """Notes each ``advance`` among what is issued; it takes a millisecond."""

    def advance(self, outputs: Any) -> None:
        self.issued.append("advance")
        self.clock.passes(1_000_000)


class Overlapping(Session):
    """Two batches at once: a group takes half as long as its batches one by one."""

    def __init__(self, clock: Clock, run_ns: Callable[[Any], int]) -> None:
        super().__init__(clock, run_ns)
        self.groups: list[int] = []

    def run_all(self, staged: Sequence[Any]) -> None:
        self.groups.append(len(staged))
        self.clock.passes(sum(map(self.run_ns, staged)) // 2)


class Asynchronous(Session):
    """``run`` only enqueues, in a microsecond or ``waits_ns``; ``read`` waits until all that was enqueued is done."""

    def __init__(self, clock: Clock, work_ns: int, waits_ns: int = 1000) -> None:
        super().__init__(clock, lambda staged: waits_ns)
        self.work_ns = work_ns
        self.done_at_ns = 0

    def run(self, staged: Any) -> Any:
        self.done_at_ns = max(self.done_at_ns, self.clock.now_ns) + self.work_ns
        return super().run(staged)

    def read(self, outputs: Any) -> dict[str, Any]:
        self.clock.now_ns = max(self.clock.now_ns, self.done_at_ns)
        return super().read(outputs)


def library(count: int = 10, group: int = 1) -> SampleLibrary:
    """Samples that are their own index."""
    return SampleLibrary(count, group, {"x": np.arange(count, dtype=np.float32)}, {}, "generated")
