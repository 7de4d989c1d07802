"""A worker's two ends: where its records go out, and where it hears the host, or that the host is gone."""

from __future__ import annotations

import os
import sys
import threading
from contextlib import contextmanager
from time import perf_counter_ns
from typing import Any, BinaryIO, Iterator, Mapping, NoReturn

from . import guard, memory, records


class Channel:
    """Where records go: written whole, flushed at once."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._process = os.getpid()

    def send(self, kind: str, fields: Mapping[str, Any], payload: bytes = b"") -> None:
        """Write one record. Where nobody reads any more, the process ends; so does a fork of it, which has no say."""
        if os.getpid() != self._process:
            os._exit(1)
        line = records.encode(kind, fields, len(payload))
        try:
            self._stream.write(line + payload)
            self._stream.flush()
        except BrokenPipeError:  # told from one that the model's own code may raise
            end_with_host()

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Announce a phase and, once it is done, its duration and the process's memory."""
        self.send(records.ENTER, {"phase": name})
        start = perf_counter_ns()
        yield
        self.phase_done(name, perf_counter_ns() - start)

    def phase_done(self, name: str, duration_ns: int) -> None:
        """Say how long a phase took, and what memory the process holds at its end."""
        held = memory.resident()
        fields = {"duration_ns": duration_ns, "rss_bytes": held.now_bytes, "peak_rss_bytes": held.peak_bytes}
        self.send(records.PHASE, dict(fields, phase=name))


class Host:
    """The host's side of standard input, watched by a thread that sleeps in a blocking read."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._stop = threading.Event()

    def watch(self) -> None:
        """Start watching for ``stop`` and for the end of the host."""
        threading.Thread(target=self._wait, name="host-watch", daemon=True).start()

    def wants_stop(self) -> bool:
        """Whether the host said that it has seen enough."""
        return self._stop.is_set()

    def _wait(self) -> None:
        while True:
            try:
                line = self._stream.readline()
            except OSError:  # an SSH server's socket may end with an error
                line = b""
            if not line:
                end_with_host()
            if line == records.STOP:
                self._stop.set()


def end_with_host() -> NoReturn:
    """End at once, with every process this one started: there is nobody left to tell."""
    if os.getpgid(0) == os.getpid():
        guard.kill_all(os.getpid())
    os._exit(1)


def die_with_parent() -> None:
    """Ask the kernel to kill this process when its parent dies, even inside a call that never returns."""
    if sys.platform != "linux":
        return
    import ctypes
    import signal

    ctypes.CDLL(None, use_errno=True).prctl(1, signal.SIGKILL, 0, 0, 0)  # 1: PR_SET_PDEATHSIG
