"""Threads in virtual time: one runs at a time, and the clock jumps to whoever wakes next. Every run is the same."""

from __future__ import annotations

import heapq
import threading
from collections import deque
from collections.abc import Callable
from typing import Any

import pytest

from bench.device import crew, loop

READING_NS = 1000
"""What a reading of the clock takes: a thread that spins on it lets time pass."""


class Virtual:
    """A clock, sleeps, locks and threads for ``bench.device.crew``."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_ns = 1_000_000
        self._order = self.yields = 0
        self._ready: list[tuple[int, int, threading.Event]] = []
        for module in (crew, loop):
            monkeypatch.setattr(module, "perf_counter_ns", self.read)
            monkeypatch.setattr(module, "sleep", self.sleep)
        monkeypatch.setattr(crew, "Lock", lambda: _Lock(self))
        monkeypatch.setattr(crew, "Thread", lambda **words: _Thread(self, **words))

    def read(self) -> int:
        self.now_ns += READING_NS
        if self._ready and self._ready[0][0] < self.now_ns:
            self.passes(0)
        return self.now_ns

    def sleep(self, seconds: float) -> None:
        """For no time it lets others in; whoever is due comes in when the clock is read, which follows."""
        self.yields += not seconds
        if seconds:
            self.passes(round(seconds * 1e9))

    def passes(self, duration_ns: int) -> None:
        """This thread sleeps; others run meanwhile."""
        self.block(self.wake_at(self.now_ns + duration_ns))

    def wake_at(self, time_ns: int, event: threading.Event | None = None) -> threading.Event:
        event = event or threading.Event()
        self._order += 1
        heapq.heappush(self._ready, (time_ns, self._order, event))
        return event

    def block(self, own: threading.Event) -> None:
        """Give the clock to whoever is next; back when ``own`` is set."""
        self.next()
        assert own.wait(60)

    def next(self) -> None:
        time_ns, _, event = heapq.heappop(self._ready)
        self.now_ns = max(self.now_ns, time_ns)
        event.set()


class _Lock:
    def __init__(self, time: Virtual) -> None:
        self._time, self._held, self._waiting = time, False, deque[threading.Event]()

    def __enter__(self) -> None:
        if self._held:
            event = threading.Event()
            self._waiting.append(event)
            self._time.block(event)
        self._held = True

    def __exit__(self, *_: object) -> None:
        if self._waiting:
            self._time.wake_at(self._time.now_ns, self._waiting.popleft())  # it stays held, by the one that wakes
        else:
            self._held = False


class _Thread:
    def __init__(self, time: Virtual, target: Callable[..., None], args: Any, daemon: bool) -> None:
        self._time, self._begin, self._joined = time, threading.Event(), deque[threading.Event]()
        self.ident: int | None = None
        self._over = False

        def whole() -> None:
            assert self._begin.wait(60)
            target(*args)
            self._over = True
            for event in self._joined:
                time.wake_at(time.now_ns, event)
            time.next()

        self._real = threading.Thread(target=whole, daemon=daemon)

    def start(self) -> None:
        self._real.start()
        self.ident = 1
        self._time.wake_at(self._time.now_ns, self._begin)

    def join(self) -> None:
        if not self._over:
            event = threading.Event()
            self._joined.append(event)
            self._time.block(event)
        self._real.join(60)
