"""Backends that go wrong, each in one way and for real. Imported by workers: ``tests.reliability.faulty:Segfault``."""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from backends.null import NullSession
from bench.device.adapter import Arrays, Availability, ModelFiles, Settings

FOREVER_S = 1000


class Faulty:
    """A backend in order; each class below breaks one thing. ``folder`` is where it leaves notes for the test."""

    artifact_kinds: tuple[str, ...] = ()
    options: Mapping[str, str] = {"folder": "where to leave notes"}
    packages: tuple[str, ...] = ()
    concurrent_runs = True

    def __init__(self) -> None:
        self.folder = Path()
        self.queries = 0

    def probe(self) -> Availability:
        return Availability(True)

    def open(self, model: ModelFiles, settings: Settings) -> FaultySession:
        self.folder = Path(str(settings.extra.get("folder", ".")))
        if "folder" in settings.extra:
            (self.folder / "worker").write_text(str(os.getpid()))
        self.opened()
        return FaultySession(model, self)

    def opened(self) -> None: ...

    def query(self) -> None: ...

    def answer(self, arrays: Arrays) -> Arrays:
        return arrays

    def closed(self) -> None: ...


class FaultySession(NullSession):
    """Asks its backend at each call."""

    def __init__(self, model: ModelFiles, faulty: Faulty) -> None:
        super().__init__(model)
        self.faulty = faulty

    def run(self, staged: Any) -> Any:
        self.faulty.queries += 1
        self.faulty.query()
        return staged

    def read(self, outputs: Any) -> Arrays:
        return self.faulty.answer(super().read(outputs))

    def __exit__(self, *_: object) -> None:
        self.faulty.closed()


class SegfaultInOpen(Faulty):
    def opened(self) -> None:
        ctypes.string_at(0)


class SegfaultInRun(Faulty):
    def query(self) -> None:
        if self.queries == 20:
            ctypes.string_at(0)


class Aborts(Faulty):
    thrown = "std::logic_error"

    def query(self) -> None:
        print(f"terminate called after throwing an instance of '{self.thrown}'", file=sys.stderr, flush=True)
        os.abort()


class AbortsForMemory(Aborts):
    thrown = "std::bad_alloc"


class KilledForMemory(Faulty):
    def opened(self) -> None:
        os.kill(os.getpid(), signal.SIGKILL)


class ExitsInRun(Faulty):
    def query(self) -> None:
        sys.exit(0)


class EndsTheProcess(Faulty):
    def query(self) -> None:
        os._exit(0)


class CrashesInClose(Faulty):
    def closed(self) -> None:
        ctypes.string_at(0)


class RaisesInClose(Faulty):
    def closed(self) -> None:
        raise RuntimeError("the device did not let go")


class HangsInClose(Faulty):
    def closed(self) -> None:
        time.sleep(FOREVER_S)


class Slow(Faulty):
    def query(self) -> None:
        time.sleep(0.05)


class HangsInOpen(Faulty):
    def opened(self) -> None:
        time.sleep(FOREVER_S)


class HangsInRun(Faulty):
    def query(self) -> None:
        if self.queries == 20:
            time.sleep(FOREVER_S)


class HangsWithoutPython(Faulty):
    """Inside a C call that holds the interpreter's lock: no thread and no signal handler of Python's can run."""

    def query(self) -> None:
        ctypes.PyDLL(None).sleep(FOREVER_S)


class IgnoresSigterm(Faulty):
    def opened(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT):
            signal.signal(number, signal.SIG_IGN)
        time.sleep(FOREVER_S)


class EatsMemory(Faulty):
    """Allocates until the limit that it sets itself, as a container's would be."""

    def opened(self) -> None:
        self.held: Any = []
        used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + (200 << 20),) * 2)

    def query(self) -> None:
        self.held.append(np.ones(1 << 20))


class PrintsGarbage(Faulty):
    """By every way that a library has to standard output."""

    def query(self) -> None:
        if self.queries == 1:
            self.everywhere()

    def opened(self) -> None:
        self.everywhere()

    def everywhere(self) -> None:
        print('{"kind": "end"}', flush=True)
        sys.__stdout__.write("garbage\n")  # type: ignore[union-attr]
        os.write(1, b"\x00\xff garbage\n")
        ctypes.CDLL(None).puts(b'{"kind": "end"}')
        subprocess.run(["echo", "garbage"], check=True)


class WritesToThePipe(Faulty):
    """Finds the private descriptor, which takes some malice."""

    def opened(self) -> None:
        for open_file in list(Path("/proc/self/fd").iterdir()):
            with contextlib.suppress(OSError):
                if open_file.is_fifo():
                    os.write(int(open_file.name), b"garbage\n")
        time.sleep(FOREVER_S)


class LeavesAChild(Faulty):
    """Forks a child that keeps every descriptor, ignores SIGTERM and stays."""

    def opened(self) -> None:
        child = os.fork()
        if child == 0:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            time.sleep(FOREVER_S)
            os._exit(0)
        (self.folder / "child").write_text(str(child))


class ForksAndGoesOn(Faulty):
    """Forks a child that does all that the worker does; the worker waits for it at its end."""

    def opened(self) -> None:
        self.child = os.fork()

    def closed(self) -> None:
        if self.child:
            os.waitpid(self.child, 0)


class LeavesADaemon(Faulty):
    """Starts a process the way that daemons do: in a session of its own, its parent gone."""

    def opened(self) -> None:
        if (child := os.fork()) == 0:
            os.setsid()
            if os.fork() == 0:
                (self.folder / "half").write_text(str(os.getpid()))
                (self.folder / "half").rename(self.folder / "child")
                time.sleep(FOREVER_S)
            os._exit(0)
        os.waitpid(child, 0)
        while not (self.folder / "child").exists():
            time.sleep(0.001)


CHAIN = """
import os, subprocess, sys, time
print(os.getpid(), flush=True)
left = int(sys.argv[1]) - 1
if left:
    subprocess.Popen([sys.executable, "-c", sys.argv[2], str(left), sys.argv[2]], env={}, start_new_session=True)
time.sleep(1000)
"""
LINKS = 6


class LeavesAChain(Faulty):
    """Processes that started each other, each in a session of its own, with an empty environment."""

    def opened(self) -> None:
        told = self.folder / "chain"
        with told.open("wb") as out:
            command = [sys.executable, "-c", CHAIN, str(LINKS), CHAIN]
            subprocess.Popen(command, env={}, start_new_session=True, stdout=out)
        while len(told.read_text().split()) < LINKS:
            time.sleep(0.01)


class LeavesANamelessDaemon(Faulty):
    """In a session of its own, with an empty environment: nothing tells that it was a worker's but who adopts it."""

    def opened(self) -> None:
        child = subprocess.Popen(["/bin/sleep", str(FOREVER_S)], env={}, start_new_session=True)
        (self.folder / "child").write_text(str(child.pid))


class StuckWithADaemon(LeavesADaemon):
    def query(self) -> None:
        ctypes.PyDLL(None).sleep(FOREVER_S)


class StuckWithAChild(LeavesAChild):
    """With a child that stays, inside a C call that holds the interpreter's lock."""

    def query(self) -> None:
        ctypes.PyDLL(None).sleep(FOREVER_S)


class WaitsForItsChildren(Faulty):
    """Until there are none: a process of the harness's own among them would be waited for without end."""

    def opened(self) -> None:
        with contextlib.suppress(ChildProcessError):
            while True:
                os.wait()


class LeavesAChildAndCrashes(LeavesAChild):
    def query(self) -> None:
        os.kill(os.getpid(), signal.SIGSEGV)


class RaisesLater(Faulty):
    """At the thousandth query after the test has seen the measurement begin."""

    def query(self) -> None:
        time.sleep(0.0001)
        if not (self.folder / "measuring").exists():
            self.queries = 0
        if self.queries == 1000:
            raise RuntimeError("the thousandth query is too much")


class TouchesMemory(Faulty):
    """300 MB in one query, given back at once, after the test has seen the measurement begin."""

    touched = False

    def query(self) -> None:
        time.sleep(0.0001)
        if not self.touched and (self.folder / "measuring").exists():
            self.touched = True
            np.ones(300_000_000, np.uint8)


class CountingSession(FaultySession):
    """Its state is how many queries have been since the sequence began; it answers that."""

    count = 0

    def advance(self, outputs: Any) -> None:
        self.count += 1

    def reset(self) -> None:
        self.count = 0

    def read(self, outputs: Any) -> Arrays:
        return {name: array + np.float32(self.count) for name, array in super().read(outputs).items()}


class Counts(Faulty):
    def open(self, model: ModelFiles, settings: Settings) -> CountingSession:
        return CountingSession(model, self)


class BreaksAPipeOfItsOwn(Faulty):
    def query(self) -> None:
        raise BrokenPipeError("the inference server hung up")


class ReadsSlowlyAtFirst(Faulty):
    """The first answer is on the host only some time after the first query returned."""

    SECONDS = 0.5
    reads = 0

    def answer(self, arrays: Arrays) -> Arrays:
        self.reads += 1
        if self.reads == 1:
            time.sleep(self.SECONDS)
        return arrays


class SaysNan(Faulty):
    def answer(self, arrays: Arrays) -> Arrays:
        arrays["y"][0, 1] = np.nan
        return arrays


class WrongShape(Faulty):
    def answer(self, arrays: Arrays) -> Arrays:
        return {"y": np.zeros((len(arrays["y"]), 5), np.float32)}


class WrongType(Faulty):
    def answer(self, arrays: Arrays) -> Arrays:
        return {"y": arrays["y"].astype(np.float64)}


class WrongName(Faulty):
    def answer(self, arrays: Arrays) -> Arrays:
        return {"z": arrays["y"]}


class WrongOnTheLastSamples(Faulty):
    """Right for one sample, wrong for a batch."""

    def answer(self, arrays: Arrays) -> Arrays:
        return {"y": arrays["y"][:1]}


class NanInBatches(Faulty):
    def answer(self, arrays: Arrays) -> Arrays:
        return {"y": arrays["y"] * np.float32(np.nan)} if len(arrays["y"]) > 1 else arrays


class GoesWrongLater(Faulty):
    """After the test has seen the measurement begin."""

    def later(self, arrays: Arrays) -> Arrays:
        return {"y": np.zeros((1, 5), np.float32)}

    def answer(self, arrays: Arrays) -> Arrays:
        return self.later(arrays) if (self.folder / "measuring").exists() else arrays


class NanLater(GoesWrongLater):
    def later(self, arrays: Arrays) -> Arrays:
        return {"y": arrays["y"] * np.float32(np.nan)}


class ForgetfulSession(FaultySession):
    """A thread writes the answer into one buffer; ``read`` copies the buffer, whether or not it is done."""

    def __init__(self, model: ModelFiles, faulty: Faulty) -> None:
        super().__init__(model, faulty)
        self.thread = ThreadPoolExecutor(1)
        self.buffer: dict[str, Any] = {}
        self.staged = 0

    def stage(self, query: Any) -> Any:
        self.staged += 1
        return super().stage(query), self.staged

    def run(self, staged: Any) -> Any:
        self.thread.submit(self.work, staged)
        return staged

    def work(self, staged: Any) -> None:
        time.sleep(0.003)
        self.buffer = {name: array + np.float32(staged[1]) for name, array in super().read(staged[0]).items()}

    def read(self, outputs: Any) -> Arrays:
        if not self.buffer:
            self.work(outputs)
        return {name: array.copy() for name, array in self.buffer.items()}

    def __exit__(self, *_: object) -> None:
        self.thread.shutdown(cancel_futures=True)


class Forgets(Faulty):
    """Forgets to wait, in ``run`` and in ``read``: no time is missing, but the answers come later."""

    def open(self, model: ModelFiles, settings: Settings) -> ForgetfulSession:
        return ForgetfulSession(model, self)


class Lies(Faulty):
    """Hands the work to a thread and says that it is done."""

    def opened(self) -> None:
        self.threads = ThreadPoolExecutor(1)
        self.last: Future[None] = Future()
        self.last.set_result(None)

    def query(self) -> None:
        self.last = self.threads.submit(time.sleep, 0.001)

    def answer(self, arrays: Arrays) -> Arrays:
        self.last.result()
        return arrays


class LazyInRead(Faulty):
    """``run`` only notes the inputs; whoever reads the outputs does the work."""

    def answer(self, arrays: Arrays) -> Arrays:
        until = time.perf_counter() + 0.0003
        while time.perf_counter() < until:
            pass
        return arrays


class LiesInGroups(Faulty):
    """One query at a time is honest; ``run_all`` hands its group to a thread and returns."""

    def open(self, model: ModelFiles, settings: Settings) -> FaultySession:
        session = super().open(model, settings)
        threads = ThreadPoolExecutor(1)
        session.run_all = lambda staged: [threads.submit(time.sleep, 0.001) for _ in staged]  # type: ignore[attr-defined]
        return session

    def query(self) -> None:
        time.sleep(0.001)


class NeverStops(Faulty):
    """In order, with a child and a busy thread beside: what Ctrl-C and a killed host must clear away."""

    def opened(self) -> None:
        LeavesAChild.opened(self)  # type: ignore[arg-type]
        threading.Thread(target=time.sleep, args=(FOREVER_S,), daemon=True).start()


class OddFacts(Faulty):
    """Says of itself what cannot be stored: numbers beyond 64 bits, and nested without end."""

    def open(self, model: ModelFiles, settings: Settings) -> FaultySession:
        session = super().open(model, settings)
        facts: dict[str, object] = {**session.facts(), "huge": 1 << 80}
        session.facts = lambda: facts  # type: ignore[method-assign]
        return session


class FallsBackLater(Faulty):
    """As asked at first; once it was timed it says that it went on elsewhere, in another precision."""

    def open(self, model: ModelFiles, settings: Settings) -> FaultySession:
        session = super().open(model, settings)
        told = [dict(session.facts()), {**session.facts(), "device": "gpu:7", "precision": "int4"}]
        session.facts = lambda: told.pop(0) if len(told) > 1 else told[0]  # type: ignore[method-assign]
        return session


class RunsElsewhere(Faulty):
    """Takes a target for the CPU, and says that it runs on a GPU, in another precision and with more threads."""

    def open(self, model: ModelFiles, settings: Settings) -> FaultySession:
        session = super().open(model, settings)
        facts: dict[str, object] = {"device": "gpu:7", "precision": "int4", "threads": 64, "artifact": "tflite"}
        session.facts = lambda: facts  # type: ignore[method-assign]
        return session
