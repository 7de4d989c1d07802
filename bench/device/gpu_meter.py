"""A worker's own end of the sampler: started, asked at two moments, and never believed without a look.

A sampler that does not start, is slow, dies or talks nonsense costs what it would have told, and nothing else.
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
from contextlib import suppress
from time import perf_counter_ns
from typing import Any, Dict, List, Optional

from . import gpu_account, gpu_words
from .memory import Started
from .metering import Meter, Metering
from .records import GPU_THROTTLED

BOOT = "import sys; sys.path[:] = sys.argv[1:]; from bench.device.gpu_sampler import run; run()"
EVERY_NS = 100_000_000
"""Between two samples: NVML's own figures change some ten times a second, and each look costs the driver something."""
READY_S, ANSWER_S = 10.0, 5.0
"""How long the sampler may take to begin, and to answer; the first call of a driver takes seconds."""
NONSENSE = (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError)
ODD = "the sampler's account is not as it should be (%r)"
MOST_ANSWER_BYTES = 1 << 20
NS_PER_S = 1_000_000_000


class Silent(Exception):
    """The sampler gave no answer that can be used; why, in words."""


class GpuMeter(Meter):
    """Memory, energy, clocks, heat and power of the GPU that a session uses, by a process beside this one."""

    def __init__(self, uuid: str, cores: List[int], started: Started, named: str = "") -> None:
        self._started, self._named = started, named
        self._rest, self._window_ns = b"", 0
        self._told: Dict[str, Any] = {}
        self._gpu: Dict[str, Any] = {}
        self.silent = ""
        self._process: Optional["subprocess.Popen[bytes]"] = None
        path = [os.path.abspath(one) for one in sys.path if one]
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-c", BOOT, *path], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL, bufsize=0,
            )  # fmt: skip
            self._say({"uuid": uuid, "pids": self._pids(), "every_ns": EVERY_NS, "avoid": cores})
        except OSError as error:
            self._give_up("the sampler could not be started: %s" % error)

    def begin(self) -> None:
        """The timed part begins: from here on energy counts."""
        hello = self._answer(READY_S)
        if "error" in hello:
            self._give_up(str(hello["error"]))
        if isinstance(hello.get("facts"), dict):
            self._gpu = hello["facts"]
        self._ask({"do": "begin", "pids": self._pids()})
        self._window_ns = perf_counter_ns()

    def end(self) -> None:
        """It is over."""
        now_ns = perf_counter_ns()
        self._window_ns = now_ns - self._window_ns
        self._told = self._ask({"do": "end"})
        self.close()
        self.ended = True

    def metering(self) -> Metering:
        """What it came to."""
        if self.silent:
            return Metering(self._window_ns, None, self.silent, None, self.silent)
        try:
            return gpu_account.metering_of(self._told, self._window_ns, EVERY_NS)
        except NONSENSE as error:
            self._disbelieve(error)
            return Metering(self._window_ns, None, self.silent, None, self.silent)

    def facts(self) -> Dict[str, str]:
        """What the GPU was like, as far as it was told."""
        account = {} if self.silent else self._told
        try:
            held = gpu_words.slowed(account)
            return dict(gpu_words.facts_of(self._gpu, account), **({GPU_THROTTLED: held} if held else {}))
        except NONSENSE as error:
            self._disbelieve(error)
            return {}

    def notes(self) -> List[str]:
        """Who else is on the GPU; that the sampler was silent, or saw nothing of the worker there."""
        account = {} if self.silent else self._told
        try:
            return gpu_words.notes_of(self._gpu, account, self.silent, self._named)
        except NONSENSE as error:
            self._disbelieve(error)
            return gpu_words.notes_of({}, {}, self.silent)

    def _disbelieve(self, error: Exception) -> None:
        self.silent = self.silent or ODD % (error,)

    def close(self) -> None:
        """No sampler is left behind."""
        process, self._process = self._process, None
        if process is None:
            return
        for pipe in (process.stdin, process.stdout):
            with suppress(OSError):
                pipe.close() if pipe else None
        try:
            process.wait(0.5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _pids(self) -> List[int]:
        return [os.getpid(), *self._started()]

    def _ask(self, what: Dict[str, Any]) -> Dict[str, Any]:
        self._say(what)
        return self._answer(ANSWER_S)

    def _say(self, what: Dict[str, Any]) -> None:
        if self._process is None or self._process.stdin is None:
            return
        try:
            self._process.stdin.write(json.dumps(what).encode() + b"\n")
        except OSError:
            self._give_up("the sampler died%s" % self._how())

    def _answer(self, timeout_s: float) -> Dict[str, Any]:
        """Its next line as an object; nothing where there is none, which is then why it is silent."""
        try:
            return dict(json.loads(self._line(timeout_s)))
        except Silent as reason:
            self._give_up(str(reason))
        except (ValueError, TypeError, RecursionError):
            self._give_up("the sampler's answer is no answer")
        return {}

    def _line(self, timeout_s: float) -> bytes:
        until_ns = perf_counter_ns() + int(timeout_s * NS_PER_S)
        while b"\n" not in self._rest:
            if self._process is None or self._process.stdout is None:
                raise Silent(self.silent or "there is no sampler")
            left_s = max(0, until_ns - perf_counter_ns()) / NS_PER_S
            if len(self._rest) > MOST_ANSWER_BYTES or not select.select([self._process.stdout], [], [], left_s)[0]:
                raise Silent("the sampler did not answer within %g s" % timeout_s)
            more = os.read(self._process.stdout.fileno(), 1 << 16)
            if not more:
                raise Silent("the sampler died%s" % self._how())
            self._rest += more
        line, _, self._rest = self._rest.partition(b"\n")
        return line

    def _how(self) -> str:
        """Its exit code or signal."""
        if self._process is None:
            return ""
        try:
            code = self._process.wait(0.2)
        except subprocess.TimeoutExpired:
            return ""
        return " (signal %d)" % -code if code < 0 else " (code %d)" % code

    def _give_up(self, why: str) -> None:
        self.silent = self.silent or why
        with suppress(OSError):
            if self._process is not None:
                self._process.kill()
        self.close()
