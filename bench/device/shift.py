"""A worker's time on a board: one at a time, started as the host would start it, and nothing left of it.

The worker is a process of its own beside this one, which imports next to nothing and only waits. So its start is timed
by the board's own clock from before it was started, and how it ended is known here, also when the kernel killed it.
"""

from __future__ import annotations

import os
import sys
import time
from contextlib import suppress

from .guard import MARK, SPAWNED, strays
from .place import cache_folder
from .turns import WHO_BYTES, open_lock, take

TYPE_CHECKING = False
if TYPE_CHECKING:  # as in `board`: the agent imports little
    from typing import Any, Dict, Optional

POLL_S = 0.1
BY_SIGNAL = 128
"""Exit codes above it tell the signal that ended the worker, as a shell's do."""
SIGKILL = 9
"""Everywhere; the module ``signal`` makes enumerations of all signals when it is imported."""


def work(request: Dict[str, Any]) -> int:
    """Run one worker, whose job follows on standard input; its exit code, or 128 and its signal's number."""
    lock = _take_turn(str(request["who"]), float(request["wait_s"]))
    if lock is None:
        return 1
    token = str(request["token"])
    spawned_ns = time.perf_counter_ns()
    process = os.fork()
    if process == 0:
        _become_worker(token, spawned_ns)
    _, status = os.waitpid(process, 0)
    with suppress(OSError):
        os.killpg(process, SIGKILL)
    for _ in range(2):
        left = strays(token)
        for one in left:
            with suppress(OSError):
                os.kill(one, SIGKILL)
        if not left:
            break
    if os.WIFSIGNALED(status):
        return BY_SIGNAL + os.WTERMSIG(status)
    return min(os.WEXITSTATUS(status), BY_SIGNAL)


def _become_worker(token: str, spawned_ns: int) -> None:
    try:
        os.setsid()
        told = dict(os.environ, **{MARK: token, SPAWNED: str(spawned_ns)})
        os.execve(  # noqa: S606 - no shell
            sys.executable, [sys.executable, sys.argv[0], "worker"], told
        )
    finally:
        os._exit(127)


def _take_turn(who: str, wait_s: float) -> Optional[int]:
    """The lock's descriptor, held until this process ends; None, said to the host, where somebody else has it."""
    lock = open_lock(cache_folder())
    until = time.monotonic() + wait_s
    while True:
        holder = take(lock)
        if holder is None:
            break
        if time.monotonic() > until:
            _refuse(holder, wait_s)
            return None
        time.sleep(POLL_S)
    os.ftruncate(lock, 0)
    os.pwrite(lock, who.encode("utf-8", "replace")[:WHO_BYTES], 0)
    return lock


def _refuse(who: str, wait_s: float) -> None:
    from . import records  # here: it takes long to import, and an agent that has its turn says nothing

    message = "another worker is at work there, of %s, and was not done after %g s" % (who, wait_s)
    said = records.encode(records.ERROR, {"error": "HostBusy", "message": message, "trace": ""})
    os.write(1, said + records.encode(records.END, {}))
