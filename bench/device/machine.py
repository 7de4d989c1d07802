"""What this machine is, and what may disturb a measurement on it. Every fact may be None: not told."""

from __future__ import annotations

import os
import platform
import re
import sys
from pathlib import Path
from typing import Any, Dict, Optional, Set, Tuple

CPU = Path("/sys/devices/system/cpu")
CGROUP = Path("/sys/fs/cgroup")


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
        "governor": _read(CPU / "cpu0" / "cpufreq" / "scaling_governor"),
        "frequency_mhz": _frequency_mhz(),
        "turbo": _turbo(),
        "load_1m": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        "steal_ticks": _steal_ticks(),
        "temperature_c": _temperature_c(),
        "throttled": _throttled(),
        "cpu_limit": cpu_limit,
        "memory_limit_bytes": memory_limit,
        "virtual": _is_virtual(),
        "os": _os_name(),
        "kernel": platform.release(),
        "libc": " ".join(platform.libc_ver()).strip() or None,
        "python": platform.python_version(),
    }


def container_limits() -> Tuple[Optional[float], Optional[int]]:
    """CPU quota in cores and memory limit in bytes of this process's control group; None: no limit."""
    cpu = (_read(CGROUP / "cpu.max") or "max").split()
    quota = float(cpu[0]) / float(cpu[1]) if len(cpu) == 2 and cpu[0].isdigit() else None
    memory = _read(CGROUP / "memory.max") or "max"
    return quota, int(memory) if memory.isdigit() else None


def _read(path: Path) -> Optional[str]:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return None


def _number(path: Path) -> Optional[int]:
    text = _read(path)
    return int(text) if text and text.lstrip("-").isdigit() else None


def _flag(path: Path) -> Optional[bool]:
    number = _number(path)
    return None if number is None else bool(number)


def _difference(whole: Optional[int], part: Optional[int]) -> Optional[int]:
    return None if whole is None or part is None else whole - part


def _cpuinfo(*names: str) -> Optional[str]:
    for line in (_read(Path("/proc/cpuinfo")) or "").splitlines():
        name, _, value = line.partition(":")
        if name.strip() in names and value.strip():
            return value.strip()
    return None


def _cpu_model() -> Optional[str]:
    board = (_read(Path("/proc/device-tree/model")) or "").rstrip("\0")
    return _cpuinfo("model name", "Model") or board or platform.processor() or None


def _threads_per_core() -> Optional[int]:
    siblings = _read(CPU / "cpu0" / "topology" / "thread_siblings_list")
    if siblings is None:
        return None
    threads: Set[int] = set()
    for part in siblings.split(","):
        first, _, last = part.partition("-")
        if first.isdigit():
            threads.update(range(int(first), int(last or first) + 1))
    return len(threads) or None


def _meminfo() -> Dict[str, int]:
    pairs = re.findall(r"^(\w+):\s+(\d+) kB", _read(Path("/proc/meminfo")) or "", re.MULTILINE)
    return {name: int(kib) * 1024 for name, kib in pairs}


def _frequency_mhz() -> Optional[float]:
    khz = _number(CPU / "cpu0" / "cpufreq" / "scaling_cur_freq")
    if khz is not None:
        return khz / 1000
    told = _cpuinfo("cpu MHz")
    return float(told) if told else None


def _turbo() -> Optional[bool]:
    off = _flag(CPU / "intel_pstate" / "no_turbo")
    return _flag(CPU / "cpufreq" / "boost") if off is None else not off


def _steal_ticks() -> Optional[int]:
    line = (_read(Path("/proc/stat")) or "").partition("\n")[0].split()
    return int(line[8]) if len(line) > 8 else None


def _temperature_c() -> Optional[float]:
    readings = [_number(zone / "temp") for zone in Path("/sys/class/thermal").glob("thermal_zone*")]
    told = [reading / 1000 for reading in readings if reading is not None]
    return max(told) if told else None


def _throttled() -> Optional[int]:
    return _number(CPU / "cpu0" / "thermal_throttle" / "core_throttle_count")


def _is_virtual() -> Optional[bool]:
    flags = _cpuinfo("flags")
    return None if flags is None else "hypervisor" in flags.split()


def _os_name() -> str:
    match = re.search(r'^PRETTY_NAME="?([^"\n]*)', _read(Path("/etc/os-release")) or "", re.MULTILINE)
    return match.group(1) if match else sys.platform
