"""Which cores this process may run on."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import Iterable, List, Sequence

from .adapter import DeviceUnavailable

NAMED = 8
"""So many cores are named one by one."""


def pin(cores: Sequence[int]) -> None:
    """Keep every thread of this process, and all that they will start, on these cores.

    Raises DeviceUnavailable where one is not there or not ours.
    """
    reason = refusal(cores)
    if reason:
        raise DeviceUnavailable(reason)
    for thread in _threads():
        with suppress(ProcessLookupError):
            os.sched_setaffinity(thread, cores)


def refusal(cores: Sequence[int]) -> str:
    """Why a process that starts here cannot be kept on these cores; nothing where it can."""
    if not hasattr(os, "sched_setaffinity"):
        return "this system cannot keep a process on chosen cores: leave `cores` out"
    usable = os.sched_getaffinity(0)
    missing = sorted(set(cores) - usable)
    if not missing:
        return ""
    head = "core %s is" if len(missing) == 1 else "cores %s are"
    return "%s not there for this process: it may use %s" % (head % _named(missing), _named(usable))


def _named(cores: Iterable[int]) -> str:
    """``0, 1, 2 … 99``: the first few and the last."""
    names = [str(core) for core in sorted(cores)]
    return ", ".join(names) if len(names) <= NAMED else "%s … %s" % (", ".join(names[: NAMED - 1]), names[-1])


def _threads() -> List[int]:
    """This process's threads; its first one alone where the system does not tell."""
    try:
        return [int(name) for name in os.listdir("/proc/self/task")]
    except OSError:
        return [0]
