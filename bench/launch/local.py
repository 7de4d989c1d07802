"""The local launcher: a worker in a process group of its own on this machine, watched with a deadline."""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import IO

import bench
from bench.device.guard import MARK
from bench.device.records import Job
from bench.errors import LaunchError, ProtocolError, WorkerCrashed, WorkerTimeout
from bench.launch.conversation import Conversation
from bench.launch.ending import failure_of, last_lines, last_words
from bench.launch.hearing import hear_out, is_gone
from bench.launch.leftovers import adopting, children, clear
from bench.results import Failure

BOOT = (
    "import sys; sys.path[:] = [path for path in sys.path if path] + sys.argv[1:]; "
    "from bench.device.guard import run; run()"
)
COMMAND = (sys.executable, "-c", BOOT, str(Path(bench.__file__).parents[1]))
"""Not ``-m``: that would look for modules in the current folder first, which may be anybody's."""
GRACE_S = 5.0
"""How long a worker that said ``end``, or closed its pipe, may take to be gone."""


def run_worker(job: Job, conversation: Conversation, deadline_s: float, stop_s: float | None = None) -> Failure | None:
    """Start a worker, hand it the job and hear it out; why it failed, or None.

    After ``stop_s`` it is asked to measure no longer than it must, after ``deadline_s`` it is killed.

    Whatever happens — crash, hang, garbage, Ctrl-C — no process of the worker's group is left when this
    returns or raises. Raises LaunchError where no worker can be started; KeyboardInterrupt and what the
    conversation's listener raises pass through.
    """
    token = secrets.token_hex(8)
    with last_words() as stderr, adopting():
        before = children()
        job = replace(job, spawned_ns=time.perf_counter_ns())
        process = _start(stderr, token)
        grace_s = 0.0
        try:
            error = hear_out(process, job, conversation, (deadline_s, stop_s), stderr)
            grace_s = 0.0 if isinstance(error, (WorkerTimeout, ProtocolError)) else GRACE_S
        finally:
            lingered = _end(process, grace_s, token, before)
        if conversation.error is not None or (error is None and conversation.ended):
            return None
        if lingered and isinstance(error, WorkerCrashed):
            error = ProtocolError(f"the worker closed its pipe without a word and was still there {GRACE_S:g} s later")
        return failure_of(error, process.returncode, conversation.current_phase, last_lines(stderr))


def _start(stderr: IO[bytes], token: str) -> subprocess.Popen[bytes]:
    pipe, marked = subprocess.PIPE, {**os.environ, MARK: token}
    try:
        return subprocess.Popen(
            COMMAND, stdin=pipe, stdout=pipe, stderr=stderr, start_new_session=True, bufsize=0, env=marked
        )
    except OSError as error:
        raise LaunchError(f"cannot start a worker with {COMMAND[0]}: {error.strerror}") from error


def _end(process: subprocess.Popen[bytes], grace_s: float, token: str, before: set[int]) -> bool:
    """Make sure that the worker and all that it started are gone; whether it had to be killed."""
    until = time.monotonic() + grace_s
    pause_s = 0.0005
    while not is_gone(process) and time.monotonic() < until:
        time.sleep(pause_s)
        pause_s = min(0.002, pause_s * 2)
    lingered = not is_gone(process)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    clear(process.pid, token, before)
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with contextlib.suppress(BrokenPipeError):
                pipe.close()
    return lingered
