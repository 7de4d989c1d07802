"""Every backend's probe, each in a process of its own with a time limit: none can take the examination down."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import IO, Any

from bench import registry
from bench.device.signals import signal_name
from bench.doctor.diagnosis import Backend

TIMEOUT_S = 60.0
"""Importing a large framework from a cold, slow disk takes tens of seconds."""
MAX_ANSWER_BYTES = 1 << 20
MAX_STDERR_BYTES = 64 << 10
LAST_LINES = 3
AT_ONCE = 2


@dataclass(frozen=True)
class Ended:
    """How a probe's process ended: its exit code (None: it was stopped at the time limit) and what it said."""

    code: int | None
    answer: tuple[dict[str, Any], ...]
    stderr: tuple[str, ...]


def backends(timeout_s: float = TIMEOUT_S) -> tuple[Backend, ...]:
    """Probe every installed backend, at most two at once; sorted by name."""
    adapters = {name: registry.resolve(name) for name in registry.names()}
    return probe_each(adapters, timeout_s)


def probe_each(adapters: Mapping[str, str], timeout_s: float = TIMEOUT_S) -> tuple[Backend, ...]:
    """Probe these (name -> ``module:Class``); in their order."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return tuple(pool.map(lambda name: probe(name, adapters[name], timeout_s), adapters))


def probe(name: str, adapter: str, timeout_s: float = TIMEOUT_S) -> Backend:
    """Probe one backend; a probe that crashes, hangs or talks nonsense is a backend that does not work."""
    command = (sys.executable, "-m", "bench.device.probe", adapter)
    try:
        ended = run_apart(command, timeout_s)
    except OSError as error:
        return Backend(name, adapter, False, reason=f"cannot start {sys.executable}: {error.strerror}")
    about = ended.answer[0] if ended.answer else {}
    try:
        return _backend(name, adapter, about, _verdict(ended, command, timeout_s))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        reason = f"its adapter does not describe itself as an adapter should: {error!r}"
        return Backend(name, adapter, False, reason=reason)


def _backend(name: str, adapter: str, about: Mapping[str, Any], found: Mapping[str, Any]) -> Backend:
    return Backend(
        name=name,
        adapter=adapter,
        usable=found["usable"] is True,
        versions=dict(found["versions"]),
        devices=tuple(found["devices"]),
        reason=found["reason"],
        remedy=found["remedy"],
        packages=tuple(about.get("packages", ())),
        artifact_kinds=tuple(about.get("artifact_kinds", ())),
        options=dict(about.get("options", {})),
        last_words=tuple(found.get("last_words", ())),
    )


def _verdict(ended: Ended, command: tuple[str, ...], timeout_s: float) -> dict[str, Any]:
    """What the probe answered, or why there is no answer."""
    see_where = f"see where: {shlex.join(command)}"
    if len(ended.answer) == 2:
        found = ended.answer[1]
        return found if found["usable"] or found["remedy"] else {**found, "remedy": see_where}
    if ended.code is None:
        reason = f"its probe did not answer within {timeout_s:g} s"
    elif ended.code < 0:
        reason = f"its probe was ended by {signal_name(-ended.code)}"
    else:
        reason = f"its probe exited with code {ended.code} and no answer"
    packages = ended.answer[0].get("packages", ()) if ended.answer else ()
    remedy = see_where
    if packages and ended.code is not None:
        remedy = f"pip install --force-reinstall --no-deps {shlex.join(packages)}"
    empty = {"usable": False, "versions": {}, "devices": ()}
    return {**empty, "reason": reason, "remedy": remedy, "last_words": _telling(ended.stderr)}


def _telling(stderr: tuple[str, ...]) -> tuple[str, ...]:
    """The last lines that mean something; of a fatal error's dump, the error and the innermost frames."""
    lines = [line for line in stderr if line.strip()]
    fatal = next((at for at, line in enumerate(lines) if line.startswith("Fatal Python error")), None)
    if fatal is None:
        return tuple(lines[-LAST_LINES:])
    frames = [line for line in lines[fatal:] if line.lstrip().startswith("File ")]
    return (lines[fatal], *frames[: LAST_LINES - 1])


def run_apart(command: tuple[str, ...], timeout_s: float) -> Ended:
    """Run a probe, which answers in lines of JSON; its whole process group is killed when this returns.

    Files, not pipes: a child that holds them open cannot keep anyone waiting. In an empty folder: Python
    looks for modules in the current one first, and that may be anybody's.
    """
    with (
        tempfile.TemporaryFile() as answer,
        tempfile.TemporaryFile() as stderr,
        tempfile.TemporaryDirectory(prefix="benchpact-probe-") as place,
    ):
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=answer, stderr=stderr, start_new_session=True, cwd=place
        )
        code: int | None = None
        try:
            code = process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            pass
        finally:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        return Ended(code, _answer(answer), _lines(stderr))


def _answer(file: IO[bytes]) -> tuple[dict[str, Any], ...]:
    file.seek(0)
    found = []
    for line in file.read(MAX_ANSWER_BYTES).split(b"\n")[:2]:
        try:
            fields = json.loads(line)
        except ValueError:
            break
        if not isinstance(fields, dict):
            break
        found.append(fields)
    return tuple(found)


def _lines(file: IO[bytes]) -> tuple[str, ...]:
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - MAX_STDERR_BYTES))
    return tuple(file.read().decode(errors="replace").splitlines())
