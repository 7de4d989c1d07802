"""Runs a model for benchpact: ``serve(model)``, whose ``run`` takes and gives arrays by name. Needs numpy alone."""

import mmap
import sys
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np


def serve(model: Any) -> None:
    """Answer lines until ``end``. ``model`` has name, threads, precision, device, load, run, advance and reset."""
    lines, out = sys.stdin.buffer, sys.stdout.buffer
    staged: Any = {}
    shared: Any = None
    for line in iter(lines.readline, b""):
        word, *words = line.decode().split()
        answer = "ok"
        try:
            if word == "benchpact":
                model.load()
                answer = f"ready 1 {model.threads} {model.precision} {model.device} {model.name}"
            elif word == "outputs":
                with Path(words[1]).open("r+b") as file:
                    shared = mmap.mmap(file.fileno(), int(words[0]))
            elif word == "stage":
                staged[words[0]] = dict(tensor(lines) for _ in range(int(words[1])))
            elif word == "run":
                put(shared, model.run(**staged[words[0]]))
            elif word == "end":
                return
            elif word != "ping":  # reset and advance: of a model with state
                getattr(model, word)()
        except Exception as error:
            answer = f"error {' '.join(str(error).split())}"
        out.write(answer.encode() + b"\n")
        out.flush()


def tensor(lines: BinaryIO) -> Any:
    """One array and its name, from ``tensor DTYPE BYTES RANK SIZES NAME`` and its bytes."""
    _, dtype, size, rank, rest = lines.readline().decode().rstrip("\n").split(" ", 4)
    *shape, name = rest.split(" ", int(rank))
    return name, np.frombuffer(lines.read(int(size)), dtype).reshape([int(one) for one in shape])


def put(shared: Any, outputs: Any) -> None:
    """Outputs into the shared memory: what they are as text, then each from the next multiple of 64 on."""
    head, place = "", 4096
    for name, array in outputs.items():
        head += " ".join(map(str, ("tensor", array.dtype, array.nbytes, array.ndim, *array.shape, name))) + "\n"
        shared[place : place + array.nbytes] = array.tobytes()
        place = (place + array.nbytes + 63) // 64 * 64
    shared[: len(head) + 1] = head.encode() + b"\0"
