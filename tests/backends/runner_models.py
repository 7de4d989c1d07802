"""Models for ``runner``: ``python runner_models.py MODEL [FILE]``; some misbehave, each in its own way."""

from __future__ import annotations

import os
import signal
import sys
import time
from typing import Any

import numpy as np
from runner import serve  # type: ignore[import-not-found]


class Model:
    """Two dense layers from an ``.npz``; says that it uses what it was started with."""

    name, threads, precision, device = "numpy-layers 1.0", 1, "fp32", "cpu"

    def load(self) -> None:
        self.weights = dict(np.load(sys.argv[2]))

    def run(self, x: Any) -> Any:
        one = self.weights
        return {"y": np.maximum(x @ one["first"] + one["bias"], 0) @ one["second"]}


class Mixed(Model):
    def load(self) -> None:
        pass

    def run(self, a: Any, b: Any, flag: Any, half: Any, k: Any) -> Any:  # type: ignore[override]
        scaled = (a + b) * k
        total = np.where(flag, scaled, 0) + half.astype(np.float32)
        return {"total": total.astype(np.float32), "scaled": scaled, "inverse": ~flag, "again": half + half}


class Recurrent(Model):
    def load(self) -> None:
        super().load()
        self.hidden: Any = 0.0
        self.next: Any = 0.0

    def run(self, x: Any) -> Any:
        back = self.hidden @ self.weights["around"] if np.ndim(self.hidden) else 0.0
        self.next = np.tanh(x @ self.weights["inward"] + back)
        return {"y": self.next @ self.weights["outward"], "h_out": self.next}

    def advance(self) -> None:
        self.hidden = self.next

    def reset(self) -> None:
        self.hidden = 0.0


class Echo(Model):
    """Nothing is computed: what it takes is the way to it. ``y`` is the input's first three columns."""

    held: Any = None

    def load(self) -> None:
        pass

    def run(self, x: Any) -> Any:
        return {"y": np.ascontiguousarray(x[:, :3])}


class SaysCuda(Echo):
    device = "cuda:0"


class SaysWhatItIsTold(Echo):
    """Its device is the word that it was started with."""

    device = sys.argv[-1]


class Crashes(Echo):
    def run(self, x: Any) -> Any:
        os.kill(os.getpid(), signal.SIGSEGV)


class Exits(Echo):
    def run(self, x: Any) -> Any:
        print("no more", file=sys.stderr, flush=True)
        os._exit(7)


class Hangs(Echo):
    def run(self, x: Any) -> Any:
        time.sleep(1000)


class Garbage(Echo):
    def run(self, x: Any) -> Any:
        sys.stdout.buffer.write(b"\x00\xff what?\n")
        return super().run(x)


class Chatters(Echo):
    """Says a line without an end."""

    def run(self, x: Any) -> Any:
        for _ in range(64):
            sys.stdout.buffer.write(bytes(65) * 1024)
        return super().run(x)


class SaysMore(Echo):
    def run(self, x: Any) -> Any:
        sys.stdout.buffer.write(b"ok\nmore\n")
        sys.stdout.buffer.flush()
        return super().run(x)


class WrongSize(Echo):
    def run(self, x: Any) -> Any:
        return {"y": np.zeros((len(x), 4), np.float32)}


class WrongType(Echo):
    def run(self, x: Any) -> Any:
        return {"y": x[:, :3].astype(np.float64)}


class Nothing(Echo):
    def run(self, x: Any) -> Any:
        return {"z": x}


class Refuses(Echo):
    def run(self, x: Any) -> Any:
        raise ValueError("not\ntoday")


class Holds(Echo):
    """Takes memory that is none of the worker's, and time."""

    def load(self) -> None:
        self.held = np.ones(120 << 20, np.uint8)


class TwoThreads(Echo):
    threads = 2


if __name__ == "__main__":
    serve(globals()[sys.argv[1]]())
