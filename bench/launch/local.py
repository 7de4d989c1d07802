"""The local launcher: a worker in a process group of its own on this machine, watched with a deadline."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import IO

import bench
from bench.device import records
from bench.device.records import Job, RecordError
from bench.errors import LaunchError, ProtocolError, WorkerCrashed, WorkerTimeout
from bench.launch.conversation import Conversation, lines
from bench.launch.reader import RecordReader
from bench.results import Failure

BOOT = (
    "import sys; sys.path[:] = [path for path in sys.path if path] + sys.argv[1:]; "
    "from bench.device.worker import run; run()"
)
COMMAND = (sys.executable, "-c", BOOT, str(Path(bench.__file__).parents[1]))
"""Not ``-m``: that would look for modules in the current folder first, which may be anybody's."""
STDERR_LINES = 30
STDERR_BYTES = 64 << 10
STDERR_MOST_BYTES = 64 << 20
"""A worker that writes more to its standard error than this loses what stood there before."""
GRACE_S = 5.0
"""How long a worker that said ``end``, or closed its pipe, may take to be gone."""
GROUP_GONE_S = 1.0
"""How long killed processes of the group may take to vanish before the next case is begun."""
READ_BYTES = 1 << 18


def run_worker(job: Job, conversation: Conversation, deadline_s: float) -> Failure | None:
    """Start a worker, hand it the job and hear it out; why it failed, or None.

    Whatever happens — crash, hang, garbage, Ctrl-C — no process of the worker's group is left when this
    returns or raises. Raises LaunchError where no worker can be started; KeyboardInterrupt and what the
    conversation's listener raises pass through.
    """
    with tempfile.TemporaryFile("a+b", buffering=0) as stderr:
        job = replace(job, spawned_ns=time.perf_counter_ns())
        process = _start(stderr)
        grace_s = 0.0
        try:
            error = _hear_out(process, job, conversation, deadline_s, stderr)
            grace_s = 0.0 if isinstance(error, (WorkerTimeout, ProtocolError)) else GRACE_S
        finally:
            lingered = _end(process, grace_s)
        if conversation.error is not None or (error is None and conversation.ended):
            return None
        if lingered and isinstance(error, WorkerCrashed):
            error = ProtocolError(f"the worker closed its pipe without a word and was still there {GRACE_S:g} s later")
        return _failure(error, process.returncode, conversation.current_phase, _last_lines(stderr))


def _start(stderr: IO[bytes]) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr, start_new_session=True, bufsize=0
        )
    except OSError as error:
        raise LaunchError(f"cannot start a worker with {COMMAND[0]}: {error.strerror}") from error


def _hear_out(
    process: subprocess.Popen[bytes], job: Job, conversation: Conversation, deadline_s: float, stderr: IO[bytes]
) -> LaunchError | None:
    """Feed every record to the conversation until it ends; what went wrong with the talk itself, or None."""
    deadline = time.monotonic() + deadline_s
    stopped = False
    try:
        _say(process, records.encode_job(job))
        reader = RecordReader()
        for data in _chunks(process, deadline):
            _bound(stderr)
            for kind, fields, payload in reader.feed(data):
                conversation.hear(kind, fields, payload)
            if conversation.ended:
                return None
            if conversation.wants_stop and not stopped:
                stopped = True
                _say(process, records.STOP)
    except RecordError as error:
        return ProtocolError(f"the worker said something that is no record: {error}")
    except LaunchError as error:
        return error
    return WorkerCrashed("the worker ended before it said so")


def _say(process: subprocess.Popen[bytes], line: bytes) -> None:
    """Write to the worker; one that is gone already will be noticed where it is read."""
    assert process.stdin is not None
    with contextlib.suppress(BrokenPipeError):
        process.stdin.write(line)


def _chunks(process: subprocess.Popen[bytes], deadline: float) -> Iterator[bytes]:
    """What the worker writes, as it comes, and nothing now and then, until its end of file.

    Raises WorkerTimeout at the deadline.

    A child that the worker left behind may hold the pipe open: once the worker itself is gone, a
    silence counts as the end.
    """
    assert process.stdout is not None
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while True:
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                raise WorkerTimeout("the worker did not finish by its deadline")
            if selector.select(min(left_s, 0.25)):
                data = os.read(process.stdout.fileno(), READ_BYTES)
                if not data:
                    return
                yield data
            elif _is_gone(process):
                return
            else:
                yield b""


def _is_gone(process: subprocess.Popen[bytes]) -> bool:
    """Whether the child has ended; left unreaped where possible, so that its group's number stays its own."""
    if not hasattr(os, "waitid"):  # macOS before Python 3.13
        return process.poll() is not None
    return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _end(process: subprocess.Popen[bytes], grace_s: float) -> bool:
    """Make sure that the worker and its whole group are gone; whether it had to be killed."""
    until = time.monotonic() + grace_s
    pause_s = 0.0005
    while not _is_gone(process) and time.monotonic() < until:
        time.sleep(pause_s)
        pause_s = min(0.02, pause_s * 2)
    lingered = not _is_gone(process)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    _await_group_gone(process.pid)
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with contextlib.suppress(BrokenPipeError):
                pipe.close()
    return lingered


def _await_group_gone(group: int) -> None:
    """What was killed is given a moment to free its memory and cores, which belong to the next case."""
    until = time.monotonic() + GROUP_GONE_S
    with contextlib.suppress(ProcessLookupError, PermissionError):
        while time.monotonic() < until:
            os.killpg(group, 0)
            time.sleep(0.002)


def _bound(stderr: IO[bytes]) -> None:
    """Keep a worker that writes without end from filling the disk; its writes go to the file's end, wherever."""
    if os.fstat(stderr.fileno()).st_size > STDERR_MOST_BYTES:
        stderr.truncate(0)


def _failure(error: LaunchError | None, code: int, phase: str | None, stderr: tuple[str, ...]) -> Failure:
    """The record of a worker that did not end well, with what the system says of its end."""
    error = error or WorkerCrashed("the worker ended before it said so")
    if not isinstance(error, WorkerCrashed):
        return Failure(type(error).__name__, str(error), phase, stderr=stderr)
    if code >= 0:
        return Failure("WorkerCrashed", f"the worker exited with code {code}", phase, exit_code=code, stderr=stderr)
    name = _signal_name(-code)
    message = f"the worker was ended by {name}"
    if name == "SIGKILL":
        message += " (by the kernel for want of memory, or by hand)"
    return Failure("WorkerCrashed", message, phase, signal=name, stderr=stderr)


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _last_lines(stderr: IO[bytes]) -> tuple[str, ...]:
    size = stderr.seek(0, os.SEEK_END)
    stderr.seek(max(0, size - STDERR_BYTES))
    return lines(stderr.read().decode(errors="replace"), STDERR_LINES)
