"""The launcher over SSH: the same worker on another host, heard as it is here. It differs in how the process starts."""

from __future__ import annotations

import contextlib
import secrets
import subprocess
import time
from dataclasses import replace

from bench.device.records import Job
from bench.device.shift import BY_SIGNAL
from bench.errors import HostUnreachable, ProtocolError, WorkerCrashed, WorkerTimeout
from bench.launch.conversation import Conversation
from bench.launch.ending import failure_of, last_lines, last_words
from bench.launch.hearing import hear_out
from bench.remote.board import Board
from bench.remote.command import SSH_FAILED
from bench.remote.process import end, tail
from bench.results import Failure

LOCK_S = 60.0
"""How long a worker waits for another one on the same board to be done."""
GRACE_S = 10.0
"""How long a worker that said ``end`` may take to be gone, its host's answer included."""


def run_worker(
    board: Board, job: Job, conversation: Conversation, deadline_s: float, stop_s: float | None = None
) -> Failure | None:
    """Send what the job needs, start a worker there, hand it the job and hear it out; why it failed, or None.

    ``stop_s`` and ``deadline_s`` are as in ``local``; sending comes before them, and out of ``stop_s``. A link that
    dies ends the worker there, which notices; what it had said is kept. Raises LaunchError where no worker can be
    started; KeyboardInterrupt and what the conversation's listener raises pass through.
    """
    begin = time.monotonic()
    token = secrets.token_hex(8)
    with last_words() as stderr:
        process, job = board.work(job, token, LOCK_S, stderr)
        try:
            job = replace(job, token=token, spawned_ns=0)  # no clock of ours means anything there
            left_s = None if stop_s is None else max(0.0, stop_s - (time.monotonic() - begin))
            error = hear_out(process, job, conversation, (deadline_s + LOCK_S, left_s), stderr)
            if not isinstance(error, (WorkerTimeout, ProtocolError)):
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(GRACE_S)
            code = process.poll()
        finally:
            end(process)
        if conversation.error is not None or (error is None and conversation.ended):
            return None
        if code is None and isinstance(error, WorkerCrashed):
            error = ProtocolError(f"the worker closed its end without a word and was still there {GRACE_S:g} s later")
        if code == SSH_FAILED and isinstance(error, WorkerCrashed):
            error = HostUnreachable(board.reason(tail(stderr)))
        code = code or 0
        code = BY_SIGNAL - code if code > BY_SIGNAL else code
        return failure_of(error, code, conversation.current_phase, last_lines(stderr))
