"""One model in a program of the user's own: queries are staged in it under numbers, and run by a line."""

from __future__ import annotations

import os
from statistics import median_low
from time import perf_counter_ns
from typing import Any, Dict, List, Mapping, Optional

import numpy as np

from backends import staging
from backends.command_outputs import Outputs, room_for
from backends.command_pipe import LINE_BYTES, OK, Pipe
from bench.device.adapter import Arrays, ModelFiles, Query

PINGS = 200


class _Staged:
    """A query that the program keeps under a slot. The slot is given to another when nobody holds this."""

    __slots__ = ("_free", "line", "slot")

    def __init__(self, slot: int, free: List[int]) -> None:
        self.slot = slot
        self.line = b"run %d\n" % slot
        self._free = free

    def __del__(self) -> None:
        self._free.append(self.slot)


class CommandSession:
    """One program. A run is a line to it and its ``ok``: the way through two pipes is in every latency."""

    run: staging.Run

    def __init__(self, pipe: Pipe, model: ModelFiles, facts: Dict[str, object]) -> None:
        self._pipe = pipe
        self._model = model
        self._facts = facts
        self._slots = 0
        self._free: List[int] = []
        self._outputs: Optional[Outputs] = None
        self._facts["pipe_round_trip_ns"] = _round_trip_ns(pipe)
        self.run = _runner(pipe)

    def stage(self, query: Query) -> _Staged:
        self._make_room(room_for(self._model, staging.sizes_of(self._model, query)))
        arrays = staging.copies_of(query)
        names = [spec.name for spec in staging.fed_inputs(self._model)]
        little = [(name, _little(arrays[name])) for name in names]
        staged = _Staged(self._slot(), self._free)
        self._pipe.ask("stage %d %d" % (staged.slot, len(names)), little)
        return staged

    def read(self, _: _Staged) -> Arrays:
        assert self._outputs is not None  # whatever ran was staged
        return self._outputs.read(self._pipe.name, self._model.outputs)

    def facts(self) -> Mapping[str, object]:
        return dict(self._facts)

    def __enter__(self) -> "CommandSession":
        return self

    def __exit__(self, *_: Optional[object]) -> None:
        self.run = staging.closed
        self._pipe.close()
        if self._outputs is not None:
            self._outputs.close()
            self._outputs = None

    def _make_room(self, size: int) -> None:
        """Shared memory of at least that size, which the program knows."""
        if self._outputs is not None and self._outputs.size >= size:
            return
        if self._outputs is not None:
            self._outputs.close()
        self._outputs = Outputs(size)
        self._pipe.ask("outputs %d %s" % (size, self._outputs.path))

    def _slot(self) -> int:
        if self._free:
            return self._free.pop()
        self._slots += 1
        return self._slots - 1


class CommandStateSession(CommandSession):
    """A session whose model has state, which the program keeps."""

    def advance(self, _: _Staged) -> None:
        self._pipe.ask("advance")

    def reset(self) -> None:
        self._pipe.ask("reset")


def _little(array: Any) -> Any:
    """The array in little-endian byte order."""
    return np.ascontiguousarray(array.astype(array.dtype.newbyteorder("<"), copy=False)).reshape(array.shape)


def _runner(pipe: Pipe) -> staging.Run:
    """``run`` of a session, bound once."""
    to, back, write, read = pipe.to, pipe.back, os.write, os.read

    def run(staged: Any) -> Any:
        try:
            write(to, staged.line)
            answer = read(back, LINE_BYTES)
        except OSError:
            answer = b""
        if answer != OK:
            if not answer:
                raise pipe.ended("run %d" % staged.slot)
            pipe.expect("run %d" % staged.slot, answer)
        return staged

    return run


def _round_trip_ns(pipe: Pipe) -> int:
    """The median time of a line that asks for nothing and its answer: what every latency holds beside the model's."""
    times = []
    for _ in range(PINGS):
        start = perf_counter_ns()
        pipe.ask("ping")
        times.append(perf_counter_ns() - start)
    return median_low(times)
