"""What this process holds, by the kernel's own account."""

from __future__ import annotations

import re
import sys
from time import perf_counter_ns
from typing import Callable, Dict, Iterable, NamedTuple, Optional


class Resident(NamedTuple):
    """Resident memory now and at its highest, in bytes; None where the system does not tell."""

    now_bytes: Optional[int]
    peak_bytes: Optional[int]


EVERY_NS = 1_000_000_000
"""Longest between two looks of a soak; a short one has a thousand."""


class Held:
    """Looks at resident memory now and then, between blocks: some 50 µs each."""

    def __init__(self, window_ns: int, started: "Started" = tuple) -> None:
        self._started = started
        self._every_ns = min(EVERY_NS, window_ns // 1000)
        self._due_ns = 0

    def look(self) -> Dict[str, int]:
        """``rss_bytes``, where it is time for a look and the system tells."""
        now = perf_counter_ns()
        held = resident(self._started()).now_bytes if now >= self._due_ns else None
        if held is None:
            return {}
        self._due_ns = now + self._every_ns
        return {"rss_bytes": held}


Started = Callable[[], Iterable[int]]
"""The processes that an adapter started and that still run: what they hold and use is the model's too."""


METHOD = "VmRSS and VmHWM of /proc/self/status"
FALLBACK = "ru_maxrss of getrusage"
OUT_OF_MEMORY = "OutOfMemory"
"""The error of a process that got no memory, whatever its framework called it."""


def resident(started: Iterable[int] = ()) -> Resident:
    """Resident memory of this process, threads included, and of those that were ``started``; of no other child.

    Of several processes the peak is the sum of theirs, which they need not have had at the same time.
    """
    try:
        found = _of("self")
    except OSError:
        return Resident(None, _max_rss())
    for process in started:
        try:
            more = _of(str(process))
        except OSError:  # it has ended
            continue
        found = Resident(
            *(None if ours is None or theirs is None else ours + theirs for ours, theirs in zip(found, more))  # noqa: B905 - Python 3.8
        )
    return found


def _of(process: str) -> Resident:
    with open("/proc/%s/status" % process, encoding="ascii", errors="replace") as status:
        fields = dict(line.split(":", 1) for line in status if ":" in line)
    return Resident(_kib(fields.get("VmRSS")), _kib(fields.get("VmHWM")))


def method() -> str:
    """Where ``resident`` takes its figures from on this system."""
    try:
        with open("/proc/self/status", encoding="ascii", errors="replace"):
            return METHOD
    except OSError:
        return FALLBACK


_RAN_OUT = re.compile(
    r"MemoryError|bad_alloc|bad allocation|out[ _]?of[ _]?memory|STATUS_ALLOC_FAILED"
    r"|(?:cannot|can't|could not|failed to|unable to) allocate"
    r"|smaller than requested bytes"  # ONNX Runtime's arena, where its limit is reached
    r"|memory allocation .*failed|failed to map segment from shared object(?!: operation)",
    re.IGNORECASE,
)


def ran_out(text: str) -> bool:
    """Whether a program's words are those of one that got no memory: most have no error of their own for it."""
    return _RAN_OUT.search(text) is not None


def limit_bytes() -> Optional[int]:
    """The most address space that this process may have (``ulimit -v``); None without a limit."""
    try:
        import resource
    except ImportError:
        return None
    most = resource.getrlimit(resource.RLIMIT_AS)[0]
    return None if most == resource.RLIM_INFINITY else most


def _kib(field: Optional[str]) -> Optional[int]:
    return int(field.split()[0]) * 1024 if field else None


def _max_rss() -> Optional[int]:
    try:
        import resource
    except ImportError:
        return None
    highest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(highest) if sys.platform == "darwin" else int(highest) * 1024
