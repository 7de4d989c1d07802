"""A worker heard out, whichever launcher started it: its records into the conversation, in time and bounded."""

from __future__ import annotations

import contextlib
import os
import selectors
import subprocess
import time
from collections.abc import Iterator
from typing import IO, Any

from bench.device import records
from bench.device.records import Job, RecordError
from bench.errors import LaunchError, ProtocolError, WorkerCrashed, WorkerTimeout
from bench.launch.conversation import Conversation
from bench.launch.ending import bound
from bench.launch.reader import RecordReader

CLOSE_S = 30.0
"""How long a worker may take to close its session: nothing is measured any more."""
READ_BYTES = 1 << 18


def hear_out(
    process: subprocess.Popen[bytes],
    job: Job,
    conversation: Conversation,
    times: tuple[float, float | None],
    stderr: IO[bytes],
) -> LaunchError | None:
    """Feed every record to the conversation until it ends; what went wrong with the talk itself, or None."""
    begin, (deadline_s, stop_s) = time.monotonic(), times
    deadline = _Deadline(begin + deadline_s)
    stopped = False
    try:
        _say(process, records.encode_job(job))
        reader = RecordReader()
        for data in _chunks(process, deadline):
            bound(stderr)
            for kind, fields, payload in reader.feed(data):
                if kind == records.HELLO:
                    _check_answers(job, fields)
                conversation.hear(kind, fields, payload)
            if conversation.ended:
                return None
            if conversation.current_phase == records.CLOSE:
                deadline.within(CLOSE_S)
            is_late = stop_s is not None and time.monotonic() >= begin + stop_s
            if (conversation.wants_stop or is_late) and not stopped:
                stopped = True
                _say(process, records.STOP)
    except RecordError as error:
        return ProtocolError(f"the worker said something that is no record: {error}")
    except LaunchError as error:
        return error
    return WorkerCrashed("the worker ended before it said so")


def _check_answers(job: Job, fields: dict[str, Any]) -> None:
    """ProtocolError where a worker that was given a token answers with another: it is somebody else's."""
    if job.token and fields.get("token") != job.token:
        raise ProtocolError("the worker that answers is not the one that was started: it tells of something else")


def _say(process: subprocess.Popen[bytes], line: bytes) -> None:
    """Write to the worker; one that is gone already will be noticed where it is read."""
    assert process.stdin is not None
    with contextlib.suppress(BrokenPipeError):
        process.stdin.write(line)


class _Deadline:
    """When a worker must be done, on the monotonic clock."""

    def __init__(self, at: float) -> None:
        self.at = at
        self._is_cut = False

    def within(self, seconds: float) -> None:
        """So many seconds from the first time that this is said, at most."""
        if not self._is_cut:
            self._is_cut, self.at = True, min(self.at, time.monotonic() + seconds)


def _chunks(process: subprocess.Popen[bytes], deadline: _Deadline) -> Iterator[bytes]:
    """What the worker writes, as it comes, and nothing now and then, until its end of file.

    Raises WorkerTimeout at the deadline.

    A child that the worker left behind may hold the pipe open: once the worker itself is gone, a
    silence counts as the end.
    """
    assert process.stdout is not None
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while True:
            left_s = deadline.at - time.monotonic()
            if left_s <= 0:
                raise WorkerTimeout("the worker did not finish by its deadline")
            if selector.select(min(left_s, 0.25)):
                data = os.read(process.stdout.fileno(), READ_BYTES)
                if not data:
                    return
                yield data
            elif is_gone(process):
                while selector.select(0) and (data := os.read(process.stdout.fileno(), READ_BYTES)):
                    yield data  # it was said between the look at the pipe and this one
                return
            else:
                yield b""


def is_gone(process: subprocess.Popen[bytes]) -> bool:
    """Whether the child has ended; left unreaped where possible, so that its group's number stays its own."""
    if not hasattr(os, "waitid"):  # macOS before Python 3.13
        return process.poll() is not None
    return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
