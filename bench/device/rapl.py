"""Energy of the processor's packages and their memory, by counters that the kernel shows (RAPL, powercap).

https://docs.kernel.org/power/powercap/powercap.html: ``energy_uj`` goes up to ``max_energy_range_uj`` and begins anew.
"""

from __future__ import annotations

from pathlib import Path
from time import perf_counter_ns
from typing import Dict, List, Tuple

from .machine import number, read
from .metering import NO_GPU, Meter, Metering

ROOT = Path("/sys/class/powercap")
READABLE = "sudo chmod a+r /sys/class/powercap/intel-rapl:*/energy_uj"
"""Since 2020 only root may read the counters (CVE-2020-8694)."""
NONE_HERE = (
    "this machine shows no energy counters (RAPL): a virtual machine's host keeps them, and most boards have none"
)
LOOK_NS = 10_000_000_000
"""A counter may begin anew within minutes: so often it is looked at, and never seen to go round twice."""
LEAST_NS = 50_000_000
"""The shortest time that energy is told of: the counters move about once a millisecond."""
MOST_UW = 10_000_000_000
"""More than 10 kW is nonsense, whatever the kernel says."""
NS_PER_S = 1_000_000_000


class Rapl(Meter):
    """The counters between two moments."""

    def __init__(self, root: Path = ROOT) -> None:
        self._zones = zones(root)
        self._at: Dict[Path, int] = {}
        self._sum_uj = self._window_ns = self._due_ns = 0
        self._why = "" if self._zones else NONE_HERE

    def begin(self) -> None:
        """From here on energy counts."""
        self._take()
        self._sum_uj = 0
        self._window_ns = perf_counter_ns()
        self._due_ns = self._window_ns + LOOK_NS

    def look(self) -> None:
        """Between two blocks: now and then the counters are read, so that none goes round unseen."""
        if perf_counter_ns() >= self._due_ns:
            self._take()
            self._due_ns = perf_counter_ns() + LOOK_NS

    def end(self) -> None:
        """It is over."""
        self._take()
        self._window_ns = perf_counter_ns() - self._window_ns
        self.ended = True

    def metering(self) -> Metering:
        """What it came to."""
        why, window_ns = self._why, self._window_ns
        if not why and window_ns < LEAST_NS:
            why = "%.2g s are too short for the energy counters: measure longer (`time`)" % (window_ns / NS_PER_S)
        if not why and not 0 < self._sum_uj <= MOST_UW * window_ns // NS_PER_S:
            why = "the energy counters went on by %d µJ, which cannot be" % self._sum_uj
        if why:
            return Metering(window_ns, None, why, None, NO_GPU)
        names = ", ".join(sorted({name for _, name in self._zones}))
        return Metering(window_ns, self._sum_uj, "RAPL: %s, of all that runs there" % names, None, NO_GPU)

    def _take(self) -> None:
        """Add what each counter went on by since it was read last."""
        if self._why:
            return
        for zone, name in self._zones:
            now, most = number(zone / "energy_uj"), number(zone / "max_energy_range_uj")
            if now is None or most is None:
                self._why = _unreadable(zone, name)
                return
            before = self._at.get(zone, now)
            self._sum_uj += now - before if now >= before else now - before + most
            self._at[zone] = now


def zones(root: Path = ROOT) -> List[Tuple[Path, str]]:
    """The packages, and memory where it is counted apart from them; nothing is counted twice.

    ``psys`` holds the packages, ``core`` and ``uncore`` are parts of them, ``intel-rapl-mmio`` is the same again.
    """
    found = []
    for zone in sorted(root.glob("intel-rapl:*")):
        name = read(zone / "name") or ""
        if name.startswith("package") or name == "dram":
            found.append((zone, name))
    return found


def _unreadable(zone: Path, name: str) -> str:
    try:
        (zone / "energy_uj").read_bytes()
    except PermissionError:
        return "only root may read this machine's energy counters: %s" % READABLE
    except OSError as error:
        return "the energy counter of %s cannot be read: %s" % (name, error.strerror)
    return "the energy counter of %s is no number, or does not say how far it counts" % name
