"""What is killed is waited for, and not for ever."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from typing import Any

import psutil
import pytest

from bench.device.guard import MARK
from bench.launch import leftovers
from bench.launch.leftovers import adopting, clear

NO_GROUP = 2**22 + 1
"""Above every process number that there can be."""


def test_a_killed_group_is_waited_for_until_it_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter([True, True, True, False])
    monkeypatch.setattr(leftovers, "_is_left", lambda group: next(answers))
    clear(NO_GROUP, "nobody")
    assert list(answers) == []


def test_a_group_that_does_not_go_is_not_waited_for_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def is_left(group: int) -> bool:
        asked.append(group)
        return True

    monkeypatch.setattr(leftovers, "GONE_S", 0.5)
    monkeypatch.setattr(leftovers, "strays", lambda token: [])  # a look at all of /proc may take a busy machine as long
    monkeypatch.setattr(leftovers, "_is_left", is_left)
    clear(NO_GROUP, "nobody")
    assert len(asked) >= 1


def test_who_is_marked_is_killed_wherever_it_is_and_nobody_else() -> None:
    sleep = [sys.executable, "-c", "import time; time.sleep(1000)"]
    started: list[subprocess.Popen[Any]] = []
    for token in ("mine", "another's"):
        environment = {**os.environ, MARK: token}
        started.append(subprocess.Popen(sleep, env=environment, start_new_session=True))
    marked, other = started
    try:
        clear(NO_GROUP, "mine")
        assert marked.wait(30) is not None
        assert other.poll() is None
    finally:
        for process in started:
            process.kill()
            process.wait()


def parent_of_an_orphan() -> int:
    """Who is the parent of a process that has just lost its own."""
    program = "import os, time; os.fork() and os._exit(0); print(os.getpid(), flush=True); time.sleep(1000)"
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        child = psutil.Process(int(process.stdout.readline()))
        process.wait()
        until = time.monotonic() + 30
        while child.ppid() == process.pid and time.monotonic() < until:
            time.sleep(0.01)
        parent = child.ppid()
        child.kill()
        return parent


def test_orphans_are_adopted_inside_only() -> None:
    before = parent_of_an_orphan()
    with adopting():
        assert parent_of_an_orphan() == os.getpid()
        os.wait()
    assert parent_of_an_orphan() == before != os.getpid()
