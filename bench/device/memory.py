"""What this process holds, by the kernel's own account."""

from __future__ import annotations

import sys
from typing import NamedTuple, Optional


class Resident(NamedTuple):
    """Resident memory now and at its highest, in bytes; None where the system does not tell."""

    now_bytes: Optional[int]
    peak_bytes: Optional[int]


METHOD = "VmRSS and VmHWM of /proc/self/status"
FALLBACK = "ru_maxrss of getrusage"


def resident() -> Resident:
    """Resident memory of this process, threads included, children not."""
    try:
        with open("/proc/self/status", encoding="ascii", errors="replace") as status:
            fields = dict(line.split(":", 1) for line in status if ":" in line)
        return Resident(_kib(fields.get("VmRSS")), _kib(fields.get("VmHWM")))
    except OSError:
        return Resident(None, _max_rss())


def method() -> str:
    """Where ``resident`` takes its figures from on this system."""
    try:
        with open("/proc/self/status", encoding="ascii", errors="replace"):
            return METHOD
    except OSError:
        return FALLBACK


def _kib(field: Optional[str]) -> Optional[int]:
    return int(field.split()[0]) * 1024 if field else None


def _max_rss() -> Optional[int]:
    try:
        import resource
    except ImportError:
        return None
    highest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(highest) if sys.platform == "darwin" else int(highest) * 1024
