"""An adapter whose whole work is a kernel of known length: what the harness measures of it must be that length."""

from __future__ import annotations

from collections.abc import Mapping
from time import perf_counter_ns
from typing import Any

import numpy as np

from backends.cuda_driver import Buffer, Context, Event, Stream
from backends.cuda_probe import numbered
from bench.device.adapter import Arrays, Availability, ModelFiles, Query, Settings
from tests.gpu.kernels import Kernels

NS, WAITS = "ns", "waits"


class Spinning:
    """Takes no model: option ``ns`` says how long its kernel takes."""

    artifact_kinds: tuple[str, ...] = ()
    options: Mapping[str, str] = {NS: "how long the kernel takes", WAITS: "false for a run that does not wait for it"}
    packages: tuple[str, ...] = ()
    concurrent_runs = False

    def probe(self) -> Availability:
        return Availability(True, devices=("cuda:0",))

    def open(self, model: ModelFiles, settings: Settings) -> SpinningSession:
        return SpinningSession(settings)


class SpinningSession:
    """One stream, one kernel; its output is how many ns it took by the GPU's own clock."""

    def __init__(self, settings: Settings) -> None:
        self._cuda = Context(0)
        self._stream, self._kernels, self._told = Stream(), Kernels(), Buffer(8)
        self._begun, self._ended = Event(), Event()
        self._ns = int(settings.extra[NS])
        self._waits = bool(settings.extra.get(WAITS, True))
        gpu = numbered("cuda:0")._asdict()
        self._facts = {"device": "cuda:0", "gpu": gpu, "precision": settings.precision, "threads": settings.threads}

    def stage(self, query: Query) -> int:
        return self._ns

    def run(self, staged: int) -> None:
        self._enqueue(staged)
        if self._waits:
            self._stream.wait()

    def read(self, outputs: None) -> Arrays:
        found = np.zeros(1, np.uint64)
        self._stream.copy_out(found.ctypes.data, self._told.address, 8)
        self._stream.wait()
        return {"y": found.astype(np.float64)}

    def device_times(self, staged: int) -> dict[str, int]:
        self._begun.record(self._stream)
        before = perf_counter_ns()
        self._enqueue(staged)
        enqueue = perf_counter_ns() - before
        self._ended.record(self._stream)
        self._stream.wait()
        return {"gpu compute": self._ended.ns_since(self._begun), "enqueue": enqueue}

    def facts(self) -> Mapping[str, object]:
        return {**self._facts, "artifact": "none"}

    def __enter__(self) -> SpinningSession:
        return self

    def __exit__(self, *_: Any) -> None:
        self._told.close()
        for one in (self._begun, self._ended, self._stream):
            one.close()
        self._cuda.close()

    def _enqueue(self, ns: int) -> None:
        self._kernels.launch("spin", 1, 1, self._stream.handle, ns, self._told.address)
