"""What other work and the machine did to this process during a block, read at its two ends and never inside.

Every source is a file of the kernel that stays open, so that a look is a few reads of memory. What a system
does not tell is left out; so is a source that is slow to read here (a file of ``/proc/stat`` grows with the
processors, and a frequency may come from a slow microcontroller).
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from time import perf_counter_ns
from typing import Callable, Dict, Iterable, List, NamedTuple, Optional

from .machine import read
from .memory import Started
from .throttling import alarm_files, cooling_files

PROC = Path("/proc")
CPU = Path("/sys/devices/system/cpu")
ROOT = Path("/")
SLOW_NS = 50_000
"""A source that takes longer to read is not watched: a block has 25 ms, and its next query waits for the look."""
MOST_FILES = 16
"""Most counters of throttling that are read: there is one a core and one a package."""
STATES = ("cooling", "low_voltage")
"""What is so or not at a look, and not a counter: the worse of the two looks counts."""
READ_BYTES = 2048

UNREADABLE = (OSError, ValueError, IndexError)
"""What reading raises where a processor was taken away, or a file is not as known."""

Counts = Dict[str, int]
Reader = Callable[[], Counts]


class Watch:
    """Looks at every source at a block's beginning and end; ``seen`` is what happened between."""

    started: Started = tuple
    """Further processes whose work is this one's."""

    def __init__(self, proc: Path = PROC, cpu: Path = CPU, slow_ns: int = SLOW_NS, root: Path = ROOT) -> None:
        sources = [_stat(proc), _waited(proc), _pressure(proc), _throttled(cpu), _frequency(proc, cpu)]
        sources += [_worst("cooling", cooling_files(root)), _worst("low_voltage", alarm_files(root))]
        self._readers = [one for one in sources if one is not None and _cost_ns(one) <= slow_ns]
        self._before: Counts = {}

    def begin(self) -> None:
        """The first look."""
        self._before = self._look()

    def seen(self) -> Counts:
        """The second look: what each counter grew by, and the frequency as it is now. What is not told is not in it."""
        now, before = self._look(), self._before
        grown = {name: max(0, now[name] - before[name]) for name in now if name in before}
        if "frequency_khz" in now:
            grown["frequency_khz"] = now["frequency_khz"]
        grown.update({name: max(now[name], before.get(name, 0)) for name in STATES if name in now})
        return grown

    def _look(self) -> Counts:
        counts = own(self.started())
        for reader in self._readers:
            with suppress(*UNREADABLE):
                counts.update(reader())
        return counts


def own(started: Iterable[int] = ()) -> Counts:
    """Times the kernel took a processor from this process, and the processor time that it and ``started`` had."""
    try:
        import resource
    except ImportError:
        return {}
    used = resource.getrusage(resource.RUSAGE_SELF)
    spent_ns = int((used.ru_utime + used.ru_stime) * 1e9) + sum(map(_spent_ns, started))
    return {"switches": used.ru_nivcsw, "own_ns": spent_ns}


def _spent_ns(process: int) -> int:
    """Processor time of another process (proc(5), stat: fields 14 and 15, in ticks); 0 where it has ended."""
    try:
        after_name = (PROC / str(process) / "stat").read_bytes().rpartition(b")")[2].split()
        return (int(after_name[11]) + int(after_name[12])) * (1_000_000_000 // os.sysconf("SC_CLK_TCK"))
    except UNREADABLE:
        return 0


class _File(NamedTuple):
    descriptor: int

    def words(self) -> List[bytes]:
        return os.pread(self.descriptor, READ_BYTES, 0).split()


def _open(path: Path) -> Optional[_File]:
    if not hasattr(os, "pread"):
        return None
    try:
        return _File(os.open(str(path), os.O_RDONLY | getattr(os, "O_CLOEXEC", 0)))
    except OSError:
        return None


def _cost_ns(reader: Reader) -> int:
    """The cheapest of three readings; endless where it cannot be read at all."""
    costs = []
    for _ in range(3):
        start = perf_counter_ns()
        try:
            reader()
        except UNREADABLE:
            return 1 << 62
        costs.append(perf_counter_ns() - start)
    return min(costs)


def _stat(proc: Path) -> Optional[Reader]:
    """Processor time of all work on the machine, and stolen by its host: ticks of all processors, as ns."""
    file = _open(proc / "stat")
    if file is None:
        return None
    tick_ns = 1_000_000_000 // os.sysconf("SC_CLK_TCK")

    def counts() -> Counts:
        user, nice, system, _idle, _iowait, irq, softirq, steal = (int(one) for one in file.words()[1:9])
        return {"machine_ns": (user + nice + system + irq + softirq) * tick_ns, "steal_ns": steal * tick_ns}

    return counts


def _waited(proc: Path) -> Optional[Reader]:
    """How long the thread that times was ready to run and had no processor."""
    file = _open(proc / "self" / "schedstat")
    return None if file is None else lambda: {"waited_ns": int(file.words()[1])}


def _pressure(proc: Path) -> Optional[Reader]:
    """How long some work on the machine was ready to run and had no processor."""
    file = _open(proc / "pressure" / "cpu")
    if file is None:
        return None

    def counts() -> Counts:
        total_us = file.words()[4].partition(b"=")[2]  # some avg10=0.00 avg60=0.00 avg300=0.00 total=0
        return {"pressure_ns": int(total_us) * 1000}

    return counts


def _throttled(cpu: Path) -> Optional[Reader]:
    """Times that heat or power slowed a core or a package down; each once, though every thread tells it."""
    paths: Dict[str, Path] = {}
    for folder in sorted(cpu.glob("cpu[0-9]*/thermal_throttle")):
        package = read(folder.parent / "topology" / "physical_package_id") or "0"
        core = read(folder.parent / "topology" / "core_id") or folder.parent.name
        paths.setdefault("package %s" % package, folder / "package_throttle_count")
        paths.setdefault("core %s %s" % (package, core), folder / "core_throttle_count")
    files = [file for file in map(_open, list(paths.values())[:MOST_FILES]) if file is not None]
    return (lambda: {"throttled": sum(int(file.words()[0]) for file in files)}) if files else None


def _worst(name: str, paths: List[Path]) -> Optional[Reader]:
    """The highest of some states, each 0 where nothing slows a processor down."""
    files = [file for file in map(_open, paths) if file is not None]
    return (lambda: {name: max(0, *(int(file.words()[0]) for file in files))}) if files else None


def _frequency(proc: Path, cpu: Path) -> Optional[Reader]:
    """The frequency of the processor that the thread that times is on."""
    where = _open(proc / "self" / "stat")
    if where is None or not any(cpu.glob("cpu[0-9]*/cpufreq/scaling_cur_freq")):
        return None
    files: Dict[int, Optional[_File]] = {}

    def counts() -> Counts:
        after_name = os.pread(where.descriptor, READ_BYTES, 0).rpartition(b")")[2].split()
        processor = int(after_name[36])  # field 39; the state, right after the name, is field 3
        if processor not in files:
            files[processor] = _open(cpu / ("cpu%d" % processor) / "cpufreq" / "scaling_cur_freq")
        file = files[processor]
        return {} if file is None else {"frequency_khz": int(file.words()[0])}

    return counts
