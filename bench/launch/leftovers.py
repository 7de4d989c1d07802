"""No process of a worker is left behind: its group, and what left the group, as far as the system tells."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from bench.device.guard import strays

GONE_S = 1.0
"""How long killed processes may take to vanish before the next case is begun: their memory and cores belong to it."""
MOST_ROUNDS = 200
"""Looks for who is left: each may find the children of those that the one before killed."""
_SET_CHILD_SUBREAPER, _GET_CHILD_SUBREAPER = 36, 37


@contextlib.contextmanager
def adopting() -> Iterator[None]:
    """Processes that lose their parent become this process's children inside (Linux), so that it can collect them.

    In a container nobody else may: what was killed would stay in the table, and look alive.
    """
    if sys.platform != "linux":
        yield
        return
    prctl = ctypes.CDLL(None).prctl
    before = ctypes.c_int(0)
    prctl(_GET_CHILD_SUBREAPER, ctypes.byref(before), 0, 0, 0)
    prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    try:
        yield
    finally:
        prctl(_SET_CHILD_SUBREAPER, before.value, 0, 0, 0)


def children() -> set[int]:
    """This process's children, whichever thread started them; empty where the system does not tell."""
    found: set[int] = set()
    for told in Path("/proc/self/task").glob("*/children"):
        with contextlib.suppress(OSError, ValueError):
            found.update(map(int, told.read_text(encoding="ascii").split()))
    return found


def clear(group: int, token: str, before: set[int] | None = None) -> None:
    """Kill the group and every process marked ``token``, and wait a moment until they are gone.

    With ``before``, the children that this process had when the worker was started, also those that it was given
    since: they lost their parent, left the session and cleaned their environment. Whoever left the group is looked
    for until nobody is found: killing one may hand its children to this process.
    """
    until = time.monotonic() + GONE_S
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)
    for _ in range(MOST_ROUNDS):
        left = [*{*strays(token), *(_adopted(before) if before is not None else ())}]
        for process in left:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(process, signal.SIGKILL)
        while time.monotonic() < until and (_is_left(group) or _collect(left)):
            time.sleep(0.002)
        if not left:
            return


def _adopted(before: set[int]) -> set[int]:
    """The children in a session of their own that were not there before; ours are started in our session."""
    found = set()
    for process in children() - before:
        with contextlib.suppress(OSError):
            if os.getsid(process) != os.getsid(0):
                found.add(process)
    return found


def _is_left(group: int) -> bool:
    """Whether anything of the group is left, once what this process can collect of it is collected."""
    if hasattr(os, "waitid"):
        with contextlib.suppress(ChildProcessError):
            while os.waitid(os.P_PGID, group, os.WEXITED | os.WNOHANG) is not None:
                pass
    try:
        os.killpg(group, 0)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def _collect(processes: list[int]) -> bool:
    """Whether some of our children among them still run."""
    running = False
    for process in processes:
        with contextlib.suppress(ChildProcessError):
            running = os.waitpid(process, os.WNOHANG) == (0, 0) or running
    return running
