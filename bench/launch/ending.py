"""How a worker ended: its failure from its exit code and its last words."""

from __future__ import annotations

import fcntl
import os
import tempfile
from typing import IO, cast

from bench.device.memory import OUT_OF_MEMORY, ran_out
from bench.device.signals import signal_name
from bench.errors import LaunchError, WorkerCrashed
from bench.launch.fields import lines
from bench.results import Failure

STDERR_LINES = 30
STDERR_BYTES = 64 << 10
STDERR_MOST_BYTES = 64 << 20
"""A worker that writes more to its standard error than this loses what stood there before."""


def last_words() -> IO[bytes]:
    """A file for a worker's standard error, always written at its end: also after ``bound`` has cut it.

    Raises LaunchError where there is no room for one: on a full disk every folder of temporary files may be full.
    """
    try:
        file = cast(IO[bytes], tempfile.TemporaryFile(buffering=0))  # noqa: SIM115 - the caller closes it
    except OSError as error:
        where = "make room, or say a folder with TMPDIR"
        raise LaunchError(f"no temporary file for a worker's standard error: {error.strerror}: {where}") from error
    fcntl.fcntl(file, fcntl.F_SETFL, fcntl.fcntl(file, fcntl.F_GETFL) | os.O_APPEND)  # its mode "a" sets no such flag
    return file


def bound(stderr: IO[bytes]) -> None:
    """Keep a worker that writes without end from filling the disk; its writes go to the file's end, wherever."""
    if os.fstat(stderr.fileno()).st_size > STDERR_MOST_BYTES:
        stderr.truncate(0)


def failure_of(error: LaunchError | None, code: int, phase: str | None, stderr: tuple[str, ...]) -> Failure:
    """The record of a worker that did not end well, with what the system says of its end."""
    error = error or WorkerCrashed("the worker ended before it said so")
    if not isinstance(error, WorkerCrashed):
        return Failure(type(error).__name__, str(error), phase, stderr=stderr)
    name = signal_name(-code)
    if name != "SIGKILL" and ran_out("\n".join(stderr)):
        ended, exit_code = (f"with code {code}", code) if code >= 0 else (f"by {name}", None)
        message = f"the worker ran out of memory and was ended {ended}"
        return Failure(OUT_OF_MEMORY, message, phase, name if code < 0 else None, exit_code, stderr)
    if code >= 0:
        return Failure("WorkerCrashed", f"the worker exited with code {code}", phase, exit_code=code, stderr=stderr)
    message = f"the worker was ended by {name}"
    if name == "SIGKILL":
        message += " (by the kernel for want of memory, or by hand)"
    return Failure("WorkerCrashed", message, phase, signal=name, stderr=stderr)


def last_lines(stderr: IO[bytes]) -> tuple[str, ...]:
    size = stderr.seek(0, os.SEEK_END)
    stderr.seek(max(0, size - STDERR_BYTES))
    return lines(stderr.read().decode(errors="replace"), STDERR_LINES)
