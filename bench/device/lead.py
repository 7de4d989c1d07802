"""How long before an arrival a thread stops sleeping and polls the clock: as long as sleeps end late on this machine.

A sleep ends late by what the timer allows itself (50 µs on Linux unless told otherwise), by the scheduler, and on a
virtual machine by its host, which has put the idle core to sleep and must wake it first: 20 µs on one machine, 300 µs
on another. Late is what the harness adds to a latency, so the lead is learnt from each sleep: twice what the last late
one overslept, less a little with every further one, as TCP bounds a round trip by what was seen of the last ones
(Jacobson, *Congestion Avoidance and Control*, SIGCOMM 1988).
"""

from __future__ import annotations

import os
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import get_native_id
from typing import Iterator

from .machine import container_limits, read

LEAST_NS, MOST_NS = 100_000, 1_000_000
"""The lead before anything was learnt, and at least; at most: what polling may cost each query that is waited for."""
TIMES = 2
"""So many times as long as a sleep overslept."""
FORGOTTEN = 32
"""A part in so many of the lead is forgotten with each sleep that ended in time for a shorter one."""
SLACK_NS = 1
"""How late the timer may ring to save power, for this thread: 0 would stand for the system's own 50 µs."""


class Lead:
    """``ns`` is the lead now, ``longest_ns`` the longest that it was."""

    def __init__(self, may_poll: bool = True) -> None:
        self.ns = self.longest_ns = LEAST_NS
        self._most_ns = MOST_NS if may_poll else LEAST_NS

    def learn(self, overslept_ns: int) -> None:
        """A sleep ended so much later than it was to; below 0 where it ended early."""
        shorter = self.ns - self.ns // FORGOTTEN
        self.ns = max(LEAST_NS, min(self._most_ns, max(TIMES * overslept_ns, shorter)))
        self.longest_ns = max(self.longest_ns, self.ns)


def may_poll(threads: int) -> bool:
    """Whether so many threads that may all be busy at once have a core each, and leave one for the host's process.

    Else who polls takes time from who works: the lead then stays at its least. So it does where a container's quota has
    only a part of a core left for the host's process: once it is used up, the model would not run for up to 100 ms.
    """
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    limit, _ = container_limits()
    return threads <= usable and threads + 1 <= min(os.cpu_count() or 1, limit or float("inf"))


@contextmanager
def punctual() -> Iterator[None]:
    """This thread's sleeps end when they are to, as far as the system lets it (Linux); afterwards as before."""
    path = "/proc/%d/timerslack_ns" % get_native_id()
    before = read(Path(path))
    _write(path, SLACK_NS)
    try:
        yield
    finally:
        if before is not None:
            _write(path, before)


def _write(path: str, slack: object) -> None:
    with suppress(OSError), open(path, "w") as file:
        file.write(str(slack))
