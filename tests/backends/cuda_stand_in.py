"""What stands in for ``torch.cuda`` where there is none: it counts who waits, and scripts the clock of its events.

Nothing is computed by it: tensors are the real torch's, on the CPU or on ``meta``, a real device without any data.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import torch

A_MARK_MS = 0.25
"""Between two events that are recorded one after the other."""


class Stream:
    def __init__(self, said: list[str]) -> None:
        self._said = said

    def synchronize(self) -> None:
        self._said.append("synchronize")

    def wait_stream(self, other: Any) -> None:
        self._said.append("wait for a stream")


class Event:
    """The n-th that is recorded was recorded at n quarters of a millisecond."""

    def __init__(self, said: list[str]) -> None:
        self._said = said
        self.at = -1

    def record(self) -> None:
        self.at = self._said.count("record")
        self._said.append("record")

    def synchronize(self) -> None:
        self._said.append("wait for an event")

    def elapsed_time(self, other: Event) -> float:
        return (other.at - self.at) * A_MARK_MS


class Cuda:
    """The part of ``torch.cuda`` that a session uses; ``said`` is what was asked of it, in order."""

    OutOfMemoryError = torch.OutOfMemoryError

    def __init__(self) -> None:
        self.said: list[str] = []
        self.limits: list[tuple[float, str]] = []
        self.CUDAGraph: Any = lambda: SimpleNamespace(replay=lambda: self.said.append("replay"))

    def current_stream(self, place: Any) -> Stream:
        return Stream(self.said)

    def Stream(self, place: Any) -> Stream:
        return Stream(self.said)

    def Event(self, enable_timing: bool) -> Event:
        assert enable_timing
        return Event(self.said)

    def graph_pool_handle(self) -> str:
        return "pool"

    @contextmanager
    def stream(self, one: Any) -> Iterator[None]:
        yield

    @contextmanager
    def graph(self, one: Any, pool: str) -> Iterator[None]:
        self.said.append("capture")
        yield

    def max_memory_allocated(self, device: str) -> int:
        return 1000 + len(self.said)

    def max_memory_reserved(self, device: str) -> int:
        return 5000

    def set_device(self, device: str) -> None:
        self.said.append(f"set {device}")

    def get_device_properties(self, device: str) -> Any:
        return SimpleNamespace(name="GPU", total_memory=8 << 30)

    def set_per_process_memory_fraction(self, fraction: float, device: str) -> None:
        self.limits.append((fraction, device))

    def is_available(self) -> bool:
        return True

    def device_count(self) -> int:
        return 1


class Torch:
    """The real torch, but for ``cuda``, for what it was built for, and for where ``cuda:0`` is."""

    def __init__(self, place: str = "cpu", built_for: str | None = "13.0") -> None:
        self.cuda = Cuda()
        self.version = SimpleNamespace(cuda=built_for)
        self._place = torch.device(place)

    def device(self, name: str) -> torch.device:
        assert name.startswith("cuda:")
        return self._place

    def __getattr__(self, name: str) -> Any:
        return getattr(torch, name)
