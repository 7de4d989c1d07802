"""What a worker leaves behind: who clears it away when the host is gone, and how it is found.

A killed host cannot clear up. The kernel then kills the worker, at once and even inside a call that never
returns, but not the processes that it started. So a small process is forked off before anything is imported:
it sleeps until the host's end of standard input is closed, and kills the worker's whole group.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress

TYPE_CHECKING = False
if TYPE_CHECKING:  # a guard shares the memory of an interpreter that has imported next to nothing
    from typing import List, NoReturn

MARK = "BENCHPACT_WORKER"
"""In the environment of a worker and of all that it starts, also of what left its process group."""
SPAWNED = "BENCHPACT_SPAWNED_NS"
"""In the environment of a worker that was started on a board: when, on its own ``perf_counter``."""
ENVIRON_BYTES = 1 << 20


def run() -> NoReturn:
    """A worker's whole life, with a guard beside it."""
    stand_guard()
    from .worker import run as work

    work()


def stand_guard() -> None:
    """Fork the guard, where the worker leads a process group: nobody else's processes may be killed.

    It is forked twice, so that it is no child of the worker's: a model's code that waits for its children
    does not wait for the guard. It shares the memory of an interpreter that has imported next to nothing.
    """
    if sys.platform != "linux" or os.getpgid(0) != os.getpid():
        return
    child = os.fork()
    if child:
        os.waitpid(child, 0)
        return
    try:
        if os.fork() == 0:
            _watch(os.getpgid(0))
    finally:
        os._exit(0)


def told_ns() -> int:
    """When this worker was started, where its environment tells; else 0."""
    told = os.environ.get(SPAWNED, "")
    return int(told) if told.isdigit() else 0


def strays(token: str) -> List[int]:
    """The processes of the worker marked ``token``, by their environment, this one left out; [] without /proc."""
    mark = ("%s=%s" % (MARK, token)).encode()
    try:
        processes = [name for name in os.listdir("/proc") if name.isdigit()]
    except OSError:
        return []
    return [int(name) for name in processes if int(name) != os.getpid() and mark in _environ(name)]


def kill_all(group: int) -> None:
    """Kill the group, this process within it, and before it who left it: afterwards nobody is there to do it."""
    import signal

    token = os.environ.get(MARK, "")
    for process in strays(token) if token else ():
        with suppress(OSError):
            if os.getpgid(process) != group:
                os.kill(process, signal.SIGKILL)
    os.killpg(group, signal.SIGKILL)


def _environ(process: str) -> List[bytes]:
    """Empty where the process is gone, somebody else's, or only waits to be collected."""
    try:
        with open("/proc/%s/environ" % process, "rb") as file:
            return file.read(ENVIRON_BYTES).split(b"\0")
    except OSError:
        return []


def _watch(group: int) -> None:
    """Sleep until standard input hangs up, reading nothing of it; then kill everything."""
    import select
    import signal

    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    os.closerange(1, os.sysconf("SC_OPEN_MAX") if os.sysconf("SC_OPEN_MAX") < 1 << 16 else 1 << 16)
    ended = select.POLLHUP | select.POLLERR | select.POLLNVAL | select.POLLRDHUP
    watched = select.poll()
    watched.register(0, select.POLLRDHUP)
    while not any(event & ended for _, event in watched.poll()):
        pass
    kill_all(group)
