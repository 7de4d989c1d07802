"""Read what this machine is and what goes on in it: /proc and /sys where there are any, psutil elsewhere."""

from __future__ import annotations

import contextlib
import os
import platform
import re
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

from bench.device import machine
from bench.device.machine import read
from bench.doctor.diagnosis import Busy, Machine, State

ROOT = Path("/")
INTERVAL_S = 0.5
BUSY_CORES = 0.2
"""A process that takes less than this is not named."""
MARKERS = {".dockerenv": "docker", "run/.containerenv": "podman"}


def read_machine() -> Machine:
    """What this machine is."""
    facts = machine.facts()
    darwin = platform.system() == "Darwin"
    return Machine(
        product=_product(),
        cpu_model=_sysctl("machdep.cpu.brand_string") if darwin else facts["cpu_model"],
        arch=facts["arch"],
        cores=facts["cores"],
        usable_cores=facts["usable_cores"],
        threads_per_core=facts["threads_per_core"],
        memory_bytes=facts["memory_bytes"] or _memory("total"),
        swap_bytes=_swap()[0],
        os=facts["os"],
        kernel=facts["kernel"],
        libc=facts["libc"],
        python=facts["python"],
        executable=sys.executable,
        virtual=facts["virtual"],
        container=_container(),
        cpu_limit=facts["cpu_limit"],
        memory_limit_bytes=facts["memory_limit_bytes"],
    )


def read_state(interval_s: float = INTERVAL_S) -> State:
    """What goes on in this machine: counters are read twice, ``interval_s`` apart."""
    before = _counters()
    time.sleep(interval_s)
    facts, after = machine.facts(), _counters()
    return State(
        interval_ns=after.at_ns - before.at_ns,
        governors=_governors(),
        frequency_mhz=facts["frequency_mhz"],
        turbo=facts["turbo"],
        smt=facts["smt"],
        load_1m=facts["load_1m"],
        busy=_busy(before, after),
        steal_share=_steal(before.ticks, after.ticks),
        steal_share_since_boot=_steal((0,) * len(after.ticks), after.ticks),
        memory_available_bytes=_memory("available"),
        swap_used_bytes=_swap()[1],
        swapped_pages=_less(after.swapped, before.swapped),
        memory_pressure=_pressure("memory"),
        throttled=facts["throttled"],
        throttled_now=_less(facts["throttled"], before.throttled),
        temperature_c=facts["temperature_c"],
        quota_stops=_quota_stops(),
        clock_source=read(machine.CPU.parent / "clocksource" / "clocksource0" / "current_clocksource"),
        huge_pages=_huge_pages(),
        on_battery=_on_battery(),
    )


@dataclass(frozen=True)
class _Counters:
    """What only grows, at one moment."""

    at_ns: int
    ticks: tuple[int, ...]
    """CPU time by kind, in the kernel's ticks; empty: not told."""
    swapped: int | None
    throttled: int | None
    cpu_s: Mapping[tuple[int, float], tuple[str, float]]
    """(pid, when it started) -> its name and the CPU time it has taken."""


def _counters() -> _Counters:
    return _Counters(time.monotonic_ns(), _ticks(), _swapped(), machine.facts()["throttled"], _cpu_seconds())


def _ticks() -> tuple[int, ...]:
    fields = (read(machine.PROC / "stat") or "").partition("\n")[0].split()[1:9]
    return tuple(map(int, fields)) if len(fields) == 8 and all(field.isdecimal() for field in fields) else ()


def _steal(before: tuple[int, ...], after: tuple[int, ...]) -> float | None:
    """Share of the ticks between the two that were stolen."""
    passed = sum(after) - sum(before)
    return (after[7] - before[7]) / passed if before and after and passed > 0 else None


def _swapped() -> int | None:
    counts = re.findall(r"^pswp(?:in|out) (\d+)$", read(machine.PROC / "vmstat") or "", re.MULTILINE)
    return sum(map(int, counts)) if counts else None


def _cpu_seconds() -> dict[tuple[int, float], tuple[str, float]]:
    found = {}
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError), process.oneshot():  # it ended, or is not ours to see
            times = process.cpu_times()
            found[process.pid, process.create_time()] = (process.name(), times.user + times.system)
    return found


def _busy(before: _Counters, after: _Counters) -> tuple[Busy, ...]:
    """Other processes that took at least ``BUSY_CORES`` cores, the busiest first."""
    seconds = (after.at_ns - before.at_ns) / 1e9
    found = []
    for (pid, started), (name, cpu_s) in after.cpu_s.items():
        earlier = before.cpu_s.get((pid, started))
        cores = (cpu_s - earlier[1]) / seconds if earlier and seconds else 0.0
        if cores >= BUSY_CORES and pid != os.getpid():
            found.append(Busy(pid, name, round(cores, 2)))
    return tuple(sorted(found, key=lambda one: -one.cores))


def _governors() -> tuple[str, ...]:
    told = [read(file) for file in machine.CPU.glob("cpu[0-9]*/cpufreq/scaling_governor")]
    return tuple(sorted({one for one in told if one}))


def _memory(field: str) -> int | None:
    try:
        return int(getattr(psutil.virtual_memory(), field))
    except (psutil.Error, OSError):
        return None


def _swap() -> tuple[int | None, int | None]:
    """Size and use of swap in bytes; not told where the system has no account of it."""
    pairs = dict(re.findall(r"^(Swap\w+):\s+(\d+) kB", read(machine.PROC / "meminfo") or "", re.MULTILINE))
    if "SwapTotal" in pairs and "SwapFree" in pairs:
        total, free = int(pairs["SwapTotal"]) * 1024, int(pairs["SwapFree"]) * 1024
        return total, total - free
    if platform.system() == "Linux":
        return None, None
    try:
        swap = psutil.swap_memory()
    except (psutil.Error, OSError):
        return None, None
    return swap.total, swap.used


def _pressure(what: str) -> float | None:
    found = re.search(r"^some avg10=(\d+\.\d+)", read(machine.PROC / "pressure" / what) or "", re.MULTILINE)
    return float(found[1]) if found else None


def _quota_stops() -> int | None:
    """How often this process's nearest control group that keeps count was stopped."""
    for group in machine.control_groups("cpu"):
        found = re.search(r"^nr_throttled (\d+)$", read(group / "cpu.stat") or "", re.MULTILINE)
        if found:
            return int(found[1])
    return None


def _huge_pages() -> str | None:
    found = re.search(r"\[(\w+)\]", read(ROOT / "sys" / "kernel" / "mm" / "transparent_hugepage" / "enabled") or "")
    return found[1] if found else None


def _on_battery() -> bool | None:
    battery = getattr(psutil, "sensors_battery", lambda: None)()
    return None if battery is None or battery.power_plugged is None else not battery.power_plugged


def _product() -> str | None:
    """The maker's name of the machine: a server's or virtual machine's, or a board's."""
    names = [read(ROOT / "sys" / "class" / "dmi" / "id" / name) for name in ("sys_vendor", "product_name")]
    board = (read(machine.PROC / "device-tree" / "model") or "").rstrip("\0")
    if platform.system() == "Darwin":
        return _sysctl("hw.model")
    return " ".join(name for name in names if name) or board or None


def _container() -> str | None:
    if "KUBERNETES_SERVICE_HOST" in os.environ:
        return "kubernetes"
    told = os.environ.get("container")  # noqa: SIM112 - systemd and podman write it so
    return next((kind for file, kind in MARKERS.items() if (ROOT / file).exists()), told)


def _less(after: int | None, before: int | None) -> int | None:
    return None if after is None or before is None else after - before


def _sysctl(name: str) -> str | None:
    try:
        told = subprocess.run(("/usr/sbin/sysctl", "-n", name), capture_output=True, text=True, timeout=5, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return told.stdout.strip() or None
