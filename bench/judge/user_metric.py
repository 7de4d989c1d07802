"""The user's own metric, ``module:function``, in a process of its own with a deadline.

The function gets ``(outputs, labels)`` — a dict of arrays over all samples, and the array of labels — and
returns one number. It is code that somebody handed over with a model: it runs only where the user said
``--allow-code``, never in the host's process, and may crash, hang or print without harm. It is no sandbox. A guard,
as a worker has one, ends it where the host is gone.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import math
import os
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.device.guard import stand_guard

TIMEOUT_S = 120.0
"""The most that a metric may take; less where the run has less (``--timeout``, ``--time-budget``)."""
MAX_ANSWER_BYTES = 1 << 16
_STDERR_BYTES = 4096
_REMEDY = "make it return one finite number for (outputs, labels)"


def compute(
    entry: str,
    folder: Path,
    outputs: Mapping[str, NDArray[Any]],
    labels: NDArray[Any],
    timeout_s: float = TIMEOUT_S,
) -> float:
    """The metric's value; ValueError, with the last words of the user's code, where there is none."""
    with tempfile.TemporaryDirectory(prefix="benchpact-metric-") as place:
        for index, array in enumerate(outputs.values()):
            np.save(Path(place, f"{index}.npy"), array, allow_pickle=False)
        np.save(Path(place, "labels.npy"), labels, allow_pickle=False)
        request = {"entry": entry, "folder": str(folder.resolve()), "outputs": list(outputs)}
        Path(place, "request.json").write_text(json.dumps(request), encoding="utf-8")
        answer, said = _run(place, timeout_s)
    if answer is None:
        raise ValueError(f"`{entry}` did not answer within {timeout_s:.3g} s: make it faster, or give it more time")
    return _value(entry, answer, said)


def _run(place: str, timeout_s: float) -> tuple[bytes | None, str]:
    """What the child answered (None at the deadline) and the last line it wrote to standard error."""
    reader, writer = os.pipe()
    with tempfile.TemporaryFile() as stderr, os.fdopen(reader, "rb", buffering=0) as pipe:
        process = subprocess.Popen(
            [sys.executable, "-m", "bench.judge.user_metric", place, str(writer)],
            stdin=subprocess.PIPE,  # hangs up when this process is gone: what the guard waits for
            stdout=subprocess.DEVNULL,
            stderr=stderr,
            pass_fds=(writer,),
            cwd=place,
            start_new_session=True,
        )
        os.close(writer)
        try:
            answer = _read(pipe.fileno(), time.monotonic() + timeout_s)
        finally:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
        stderr.seek(max(0, stderr.seek(0, os.SEEK_END) - _STDERR_BYTES))
        lines = stderr.read().decode(errors="replace").splitlines()
    return answer, next((line.strip() for line in reversed(lines) if line.strip()), "")


def _read(pipe: int, deadline: float) -> bytes | None:
    answer = b""
    with selectors.DefaultSelector() as selector:
        selector.register(pipe, selectors.EVENT_READ)
        while not answer.endswith(b"\n") and len(answer) < MAX_ANSWER_BYTES:
            if not selector.select(max(0.0, deadline - time.monotonic())):
                return None
            data = os.read(pipe, MAX_ANSWER_BYTES)
            if not data:
                break
            answer += data
    return answer


def _value(entry: str, answer: bytes, said: str) -> float:
    try:
        told = json.loads(answer)
    except ValueError:
        last = f"; its last words: {said}" if said else ""
        raise ValueError(f"`{entry}` ended its process without an answer{last}") from None
    value, error = (told.get("value"), told.get("error")) if isinstance(told, dict) else (None, None)
    if error is not None:
        raise ValueError(f"`{entry}` failed: {' '.join(str(error).split())[:500]}")
    if not isinstance(value, float) or not math.isfinite(value):
        raise ValueError(f"`{entry}` returned {str(value)[:100]}: {_REMEDY}")
    return value


def main(place: str, writer: int) -> None:
    """The child: import the function from the contract's folder, call it, write one line of JSON."""
    request = json.loads(Path(place, "request.json").read_text(encoding="utf-8"))
    try:
        answer = {"value": _called(place, request)}
    except Exception as error:  # noqa: BLE001 - whatever the user's code raises is the answer
        answer = {"error": f"{type(error).__name__}: {error}"}
    with os.fdopen(writer, "wb") as pipe:
        pipe.write(json.dumps(answer).encode() + b"\n")


def _called(place: str, request: Mapping[str, Any]) -> float | str:
    module_name, _, function = request["entry"].partition(":")
    function_ = getattr(_module(Path(request["folder"]), module_name), function)
    outputs = {
        name: np.load(Path(place, f"{index}.npy"), allow_pickle=False) for index, name in enumerate(request["outputs"])
    }
    value = function_(outputs, np.load(Path(place, "labels.npy"), allow_pickle=False))
    is_number = isinstance(value, (int, float, np.number)) or (isinstance(value, np.ndarray) and value.ndim == 0)
    return float(value) if is_number and not isinstance(value, bool) else f"a {type(value).__name__}"


def _module(folder: Path, name: str) -> Any:
    """The module from the contract's folder and from nowhere else; its own imports look there first."""
    stem = folder.joinpath(*name.split("."))
    path = next((one for one in (stem.with_suffix(".py"), stem / "__init__.py") if one.is_file()), None)
    if path is None or folder not in path.resolve().parents:
        raise FileNotFoundError(f"the contract's folder has no {stem.relative_to(folder)}.py")
    sys.path.insert(0, str(folder))
    sys.modules.pop(name.partition(".")[0], None)  # a file of the user's that is named like one loaded already
    return importlib.import_module(name)


if __name__ == "__main__":
    stand_guard()
    main(sys.argv[1], int(sys.argv[2]))
