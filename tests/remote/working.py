"""Process runs on another host: a real sshd, the real agent, this interpreter as the board's."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

from bench.device.records import Job
from bench.launch.conversation import Conversation
from bench.launch.ssh import run_worker
from bench.remote.board import Board
from tests.launch.talk import Ear, Told
from tests.remote.sshd import HOST


def measure_there(board: Board, one: Job, ear: Ear | None = None, deadline_s: float = 120.0) -> Told:
    """One process run over SSH."""
    ear = ear or Ear()
    conversation = Conversation(0, one.batch, ear)
    failure = run_worker(board, one, conversation, deadline_s)
    timings = ("t.npy", len(ear.timings)) if ear.payloads else None
    return Told(conversation.process_run(failure, timings), ear, dict(conversation.outputs()))


def within_two_minutes(condition: Callable[[], bool]) -> bool:
    """Whether the condition comes true, on a machine that may do ten other things."""
    until = time.monotonic() + 120
    while not condition() and time.monotonic() < until:
        time.sleep(0.02)
    return condition()


def board() -> Board:
    """The test's host, with the interpreter of these tests."""
    return Board(HOST, sys.executable)
