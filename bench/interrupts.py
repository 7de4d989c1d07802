"""Ctrl-C: the first one ends what is done; while that is cleaned up and told, more of them change nothing."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from bench.errors import INTERRUPTED

CLEANING_S = 20.0
"""Longer than a worker may take to be gone. Who presses Ctrl-C after that is heard again."""

AGAIN_S = 3.0
"""Sooner it is the same Ctrl-C, of a hand that trembles."""


@contextmanager
def ending_at_once() -> Iterator[None]:
    """While modules are imported there is nothing to clean up: Ctrl-C ends the program without a word."""
    with _handled(lambda *_: os._exit(INTERRUPTED)):
        yield


@contextmanager
def heard_once() -> Iterator[None]:
    """KeyboardInterrupt at the first Ctrl-C, and only then."""
    first_s: list[float] = []

    def hear(_: int, __: FrameType | None) -> None:
        if first_s and time.monotonic() - first_s[0] < CLEANING_S:
            return
        first_s[:] = [time.monotonic()]
        raise KeyboardInterrupt

    with _handled(hear):
        try:
            yield
        finally:
            if first_s:  # the program ends, and its last words and exit code are not for a further one to spoil
                signal.signal(signal.SIGINT, signal.SIG_IGN)


@contextmanager
def ending_well(end: Callable[[], bool]) -> Iterator[None]:
    """The first Ctrl-C calls ``end``, which says whether what is done will soon be over and worth keeping.

    Where it says no, and for every one that comes ``AGAIN_S`` later, it is a Ctrl-C like any other.
    """
    before = signal.getsignal(signal.SIGINT)
    asked_s: list[float] = []

    def hear(number: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        if asked_s and now - asked_s[0] < AGAIN_S:
            return
        if not asked_s and end():
            asked_s.append(now)
        elif callable(before):
            before(number, frame)

    if not callable(before) or threading.current_thread() is not threading.main_thread():
        yield
        return
    signal.signal(signal.SIGINT, hear)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def _handled(handler: signal._HANDLER) -> Iterator[None]:
    """SIGINT goes to ``handler``, but where it was not ours to hear: ignored from the start, or another thread."""
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return
    try:
        signal.signal(signal.SIGINT, handler)
    except ValueError:  # only the main thread may
        yield
        return
    try:
        yield
    finally:
        if signal.getsignal(signal.SIGINT) is handler:
            signal.signal(signal.SIGINT, signal.default_int_handler)
