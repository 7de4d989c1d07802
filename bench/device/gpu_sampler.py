"""The sampler: a process beside a worker that asks NVML at an interval, so that nobody asks in the timed loop.

It is told what to do by lines of JSON on standard input, and answers each with one line on standard output:

- ``{"uuid", "pids", "every_ns", "avoid"}`` begins: the GPU's facts, or ``{"error"}``. ``avoid`` are the worker's cores.
- ``{"do": "begin", "pids"}`` and ``{"do": "end"}`` mark the timed part: ``{"at_ns"}``, and the account of it.

It ends when its standard input does. ``at_ns`` is of ``perf_counter``, one for all processes of a Linux machine.
"""

from __future__ import annotations

import json
import os
import select
from time import perf_counter_ns
from typing import Any, Dict, List, NoReturn, Optional, Tuple, Union

from .gpu_facts import facts
from .gpu_tally import Tally
from .jetson import Jetson, is_jetson
from .nvml import Gpu, Nvml
from .nvml_refusals import NotTold

NS_PER_S = 1_000_000_000


Looked = Union[Gpu, Jetson]


class Sampler:
    """One GPU, sampled for one worker."""

    def __init__(self, gpu: Looked, pids: List[int]) -> None:
        self._gpu, self.pids = gpu, pids
        self._tally = Tally()
        self._energy_uj: Optional[int] = None
        self._energy_ns = 0
        self._energy_why = ""
        self._inside = False

    def sample(self) -> None:
        """One sample; of the timed part, where that has begun and not ended."""
        try:
            used_bytes = self._gpu.used_bytes(self.pids)
            self._tally.hold(perf_counter_ns(), used_bytes)
        except NotTold as reason:
            self._tally.hold(perf_counter_ns(), None, str(reason))
        if self._inside:
            self._tally.add(perf_counter_ns(), self._gpu.read())

    def begin(self) -> Dict[str, Any]:
        """The timed part begins."""
        self.sample()
        self._inside = True
        self._tally.begin(perf_counter_ns())
        self.sample()
        self._energy_uj = self._energy()
        self._energy_ns = perf_counter_ns()
        return {"at_ns": self._energy_ns}

    def end(self) -> Dict[str, Any]:
        """It is over: the account. The counter is read first, before anything that takes time."""
        energy_uj, at_ns = self._energy(), perf_counter_ns()
        self.sample()
        self._inside = False
        told = self._tally.told()
        known = energy_uj is not None and self._energy_uj is not None
        told["energy_uj"] = (energy_uj or 0) - (self._energy_uj or 0) if known else None
        told["energy_ns"], told["energy_why"] = at_ns - self._energy_ns, self._energy_why
        told["others"], told["others_why"] = self._others()
        told["source"], told["whole"] = self._gpu.source, self._gpu.whole
        return told

    def _others(self) -> Tuple[List[int], str]:
        try:
            return [one.pid for one in self._gpu.others(self.pids)], ""
        except NotTold as reason:
            return [], str(reason)

    def _energy(self) -> Optional[int]:
        try:
            return self._gpu.energy_uj()
        except NotTold as reason:
            self._energy_why = str(reason)
            return None


def main() -> None:
    """Sample until standard input ends."""
    asked, rest = _line(b"", None)
    if asked is None:
        return
    _leave(asked["avoid"])
    try:
        gpu, told = look_at(asked["uuid"], asked["pids"])
        _say({"facts": told})
    except NotTold as reason:
        _say({"error": str(reason)})
        return
    sampler, every_ns = Sampler(gpu, asked["pids"]), asked["every_ns"]
    due_ns = perf_counter_ns()
    while True:
        now_ns = perf_counter_ns()
        if now_ns >= due_ns:
            sampler.sample()
            due_ns = max(due_ns + every_ns, perf_counter_ns() + every_ns // 10)
        asked, rest = _line(rest, max(0, due_ns - perf_counter_ns()))
        if asked is None:
            return
        if asked.get("do") == "begin":
            sampler.pids = asked["pids"]
            _say(sampler.begin())
        elif asked.get("do") == "end":
            _say(sampler.end())


def look_at(uuid: str, pids: List[int]) -> Tuple[Looked, Dict[str, Any]]:
    """The GPU and its facts, by NVML, on a Jetson without it by the kernel's files; NotTold where there is neither."""
    try:
        nvml = Nvml()
        gpu = nvml.gpu(uuid)
        return gpu, facts(nvml, gpu, pids)
    except NotTold:
        if not is_jetson():
            raise
    board = Jetson()
    return board, board.facts()


def _leave(cores: List[int]) -> None:
    """Keep off the worker's own cores, where it keeps to some and there are others."""
    others = set(range(os.cpu_count() or 1)) - set(cores)
    if cores and others and hasattr(os, "sched_setaffinity"):
        try:
            os.sched_setaffinity(0, others)
        except OSError:  # the others are not ours
            return


def _line(rest: bytes, wait_ns: Optional[int]) -> Tuple[Optional[Dict[str, Any]], bytes]:
    """The next line, {} where none came in time, None at the end; and what came after it."""
    while b"\n" not in rest:
        if not select.select([0], [], [], None if wait_ns is None else wait_ns / NS_PER_S)[0]:
            return {}, rest
        more = os.read(0, 1 << 16)
        if not more:
            return None, rest
        rest += more
    line, _, rest = rest.partition(b"\n")
    return dict(json.loads(line)), rest


def _say(told: Dict[str, Any]) -> None:
    os.write(1, json.dumps(told).encode() + b"\n")


def run() -> NoReturn:
    """The whole life of the process: past the driver's own shutdown at the end."""
    main()
    os._exit(0)
