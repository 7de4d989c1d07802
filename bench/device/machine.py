"""What this machine is, and what may disturb a measurement on it. Every fact may be None: not told."""

from __future__ import annotations

import os
import platform
import sys
from pathlib import Path
from typing import Any, Dict, List, Optional, Set, Tuple

PROC = Path("/proc")
CPU = Path("/sys/devices/system/cpu")
CGROUP = Path("/sys/fs/cgroup")
THERMAL = Path("/sys/class/thermal")
NO_LIMIT_BYTES = 1 << 60
"""Version 1 control groups write "no limit" as the largest number of whole pages."""


def facts() -> Dict[str, Any]:
    """The machine as JSON-ready facts; sizes in bytes, frequency in MHz, CPU limit in cores."""
    memory = _meminfo()
    cpu_limit, memory_limit = container_limits()
    return {
        "cpu_model": _cpu_model(),
        "arch": platform.machine(),
        "cores": os.cpu_count(),
        "usable_cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None,
        "threads_per_core": _threads_per_core(),
        "smt": _flag(CPU / "smt" / "active"),
        "memory_bytes": memory.get("MemTotal"),
        "swap_used_bytes": _difference(memory.get("SwapTotal"), memory.get("SwapFree")),
        "governor": read(CPU / "cpu0" / "cpufreq" / "scaling_governor"),
        "frequency_mhz": _frequency_mhz(),
        "turbo": _turbo(),
        "load_1m": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        "steal_ticks": _steal_ticks(),
        "temperature_c": _temperature_c(),
        "throttled": _throttled(),
        "cpu_limit": cpu_limit,
        "memory_limit_bytes": memory_limit,
        "virtual": _is_virtual(),
        "emulated": is_emulated(),
        "os": _os_name(),
        "kernel": platform.release(),
        "libc": " ".join(platform.libc_ver()).strip() or None,
        "python": platform.python_version(),
    }


def container_limits() -> Tuple[Optional[float], Optional[int]]:
    """CPU quota in cores and memory limit in bytes of this process's control groups; None: no limit.

    A group is held to its parents' limits too, so the lowest of them counts.
    """
    cpus, sizes = [], []
    for group in control_groups("cpu"):
        quota = (read(group / "cpu.max") or "").split() or [
            read(group / "cpu.cfs_quota_us") or "",
            read(group / "cpu.cfs_period_us") or "",
        ]
        if len(quota) == 2 and quota[0].isdecimal() and quota[1].isdecimal() and int(quota[1]):
            cpus.append(int(quota[0]) / int(quota[1]))
    for group in control_groups("memory"):
        for name in ("memory.max", "memory.limit_in_bytes"):
            size = number(group / name)
            if size is not None and size < NO_LIMIT_BYTES:
                sizes.append(size)
    return min(cpus, default=None), min(sizes, default=None)


def control_groups(controller: str) -> List[Path]:
    """This process's control group for ``controller`` and its parents, as folders, of version 2 and 1.

    In a container, whose group's path may lead out of what it sees, the root of what is mounted is the group.
    """
    folders = []
    for line in (read(PROC / "self" / "cgroup") or "0::/").splitlines():
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if controllers and controller not in controllers.split(","):
            continue
        root = CGROUP / controllers if controllers else CGROUP
        group = root / ("" if ".." in path else path.lstrip("/"))
        folders += [group, *(parent for parent in group.parents if parent == root or root in parent.parents)]
    return folders


def read(path: Path) -> Optional[str]:
    """The file's text without blanks around it; None where it cannot be read."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return None


def number(path: Path) -> Optional[int]:
    """The integer that the file holds; None where it cannot be read or holds something else."""
    text = read(path)
    return int(text) if text and text.lstrip("-").isdecimal() else None


def _flag(path: Path) -> Optional[bool]:
    value = number(path)
    return None if value is None else bool(value)


def _difference(whole: Optional[int], part: Optional[int]) -> Optional[int]:
    return None if whole is None or part is None else whole - part


def _cpuinfo(*names: str) -> Optional[str]:
    for line in (read(PROC / "cpuinfo") or "").splitlines():
        name, _, value = line.partition(":")
        if name.strip() in names and value.strip():
            return value.strip()
    return None


def _cpu_model() -> Optional[str]:
    board = (read(PROC / "device-tree" / "model") or "").rstrip("\0")
    return _cpuinfo("model name", "Model") or board or platform.processor() or None


def _threads_per_core() -> Optional[int]:
    siblings = read(CPU / "cpu0" / "topology" / "thread_siblings_list")
    if siblings is None:
        return None
    threads: Set[int] = set()
    for part in siblings.split(","):
        first, _, last = part.partition("-")
        if first.isdecimal():
            threads.update(range(int(first), int(last or first) + 1))
    return len(threads) or None


def _meminfo() -> Dict[str, int]:
    """Bytes by the names of ``/proc/meminfo``."""
    lines = [line.replace(":", " ").split() for line in (read(PROC / "meminfo") or "").splitlines()]
    return {words[0]: int(words[1]) * 1024 for words in lines if len(words) == 3 and words[1].isdecimal()}


def _frequency_mhz() -> Optional[float]:
    khz = number(CPU / "cpu0" / "cpufreq" / "scaling_cur_freq")
    if khz is not None:
        return khz / 1000
    told = _cpuinfo("cpu MHz")
    return float(told) if told else None


def _turbo() -> Optional[bool]:
    off = _flag(CPU / "intel_pstate" / "no_turbo")
    return _flag(CPU / "cpufreq" / "boost") if off is None else not off


def _steal_ticks() -> Optional[int]:
    line = (read(PROC / "stat") or "").partition("\n")[0].split()
    return int(line[8]) if len(line) > 8 else None


def _temperature_c() -> Optional[float]:
    readings = [number(zone / "temp") for zone in THERMAL.glob("thermal_zone*")]
    told = [reading / 1000 for reading in readings if reading is not None]
    return max(told) if told else None


def _throttled() -> Optional[int]:
    counts = [number(file) for file in CPU.glob("cpu[0-9]*/thermal_throttle/core_throttle_count")]
    told = [count for count in counts if count is not None]
    return sum(told) if told else None


def is_emulated(root: Path = Path("/")) -> bool:
    """Whether this is qemu's made-up ARM board: its processor is most likely made of software."""
    return "linux,dummy-virt" in (read(root / "proc" / "device-tree" / "compatible") or "").split("\0")


def _is_virtual() -> Optional[bool]:
    flags = _cpuinfo("flags")
    return None if flags is None else "hypervisor" in flags.split()


def _os_name() -> str:
    for line in (read(Path("/etc/os-release")) or "").splitlines():
        name, _, value = line.partition("=")
        if name == "PRETTY_NAME":
            return value.lstrip('"').partition('"')[0]
    return sys.platform
