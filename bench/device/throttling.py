"""Whether heat or a weak power supply slows the processor down, and what its cores really do.

Sources: the kernel's cooling devices (``/sys/class/thermal``), a Raspberry Pi's firmware (``get_throttled``, whose bits
its documentation of ``vcgencmd`` gives), its supply's alarm (``hwmon`` of the driver ``rpi_volt``). What a system does
not tell is None or left out.
"""

from __future__ import annotations

import os
import re
from contextlib import suppress
from pathlib import Path
from typing import Dict, List, NamedTuple, Optional

from .machine import number, read

ROOT = Path("/")
FLAGS = ("under-voltage", "frequency capped", "throttled", "near its temperature limit")
"""Bits 0 to 3 of the firmware's word; the same 16 bits higher: it has happened since boot."""
SINCE_BOOT = 16
FIRMWARE = "sys/devices/platform/soc/soc:firmware/get_throttled"
VCGENCMD_S = 2.0
MOST_FILES = 16


class Look(NamedTuple):
    """What is so at one moment: the firmware's word, the hottest zone (°C), each core's frequency (MHz), governors."""

    firmware: Optional[int]
    temperature_c: Optional[float]
    mhz: Dict[int, float]
    governors: List[str]


def look(root: Path = ROOT) -> Look:
    """Look now. It may take milliseconds (the firmware is asked through a program): never between two blocks."""
    return Look(firmware_flags(root), temperature_c(root), frequencies_mhz(root), governors(root))


def during(before: Look, after: Look) -> str:
    """What slowed the processor down between two looks, in words; "" where nothing did, or nothing is told.

    What happened before is the firmware's to remember and not this measurement's: only a bit that is new counts, and
    one that says what is so now.
    """
    if before.firmware is None or after.firmware is None:
        return ""
    new = after.firmware & ~before.firmware
    now = before.firmware | after.firmware
    return ", ".join(name for bit, name in enumerate(FLAGS) if (now >> bit) & 1 or (new >> (bit + SINCE_BOOT)) & 1)


def told(before: Look, after: Look) -> Dict[str, str]:
    """What a report says of the board during a measurement, by name; what is not told is left out."""
    found = {}
    if before.temperature_c is not None and after.temperature_c is not None:
        found["temperature"] = "%.1f °C before, %.1f °C after" % (before.temperature_c, after.temperature_c)
    if after.mhz:
        found["core frequencies"] = cores_at(after.mhz)
    if after.governors:
        found["governors"] = ", ".join(after.governors)
    return found


def cores_at(mhz: Dict[int, float]) -> str:
    """``4 at 1500 MHz, 2 at 2016 MHz``."""
    counts: Dict[int, int] = {}
    for value in mhz.values():
        counts[round(value)] = counts.get(round(value), 0) + 1
    return ", ".join("%d at %d MHz" % (counts[value], value) for value in sorted(counts))


def names_of(word: int, shift: int = 0) -> List[str]:
    """The firmware's flags that are set in its word; with ``shift=SINCE_BOOT`` those since boot."""
    return [name for bit, name in enumerate(FLAGS) if (word >> (bit + shift)) & 1]


def firmware_flags(root: Path = ROOT) -> Optional[int]:
    """A Raspberry Pi's word; None elsewhere, and where its firmware does not answer."""
    text = read(root / FIRMWARE)
    if text is None and is_raspberry_pi(root):
        text = _vcgencmd()
    found = re.fullmatch(r"(?:throttled=)?(?:0x)?([0-9a-fA-F]{1,8})", text or "")
    return int(found.group(1), 16) if found else None


def is_raspberry_pi(root: Path = ROOT) -> bool:
    """Whether the device tree says so."""
    return (read(root / "proc/device-tree/model") or "").startswith("Raspberry Pi")


def temperature_c(root: Path = ROOT) -> Optional[float]:
    """Of the hottest zone."""
    told = [number(zone / "temp") for zone in (root / "sys/class/thermal").glob("thermal_zone*")]
    known = [value / 1000 for value in told if value is not None]
    return max(known) if known else None


def frequencies_mhz(root: Path = ROOT) -> Dict[int, float]:
    """Of each core, as its driver tells it now."""
    found = {}
    for file in (root / "sys/devices/system/cpu").glob("cpu[0-9]*/cpufreq/scaling_cur_freq"):
        khz = number(file)
        if khz is not None:
            found[int(file.parents[1].name[3:])] = khz / 1000
    return dict(sorted(found.items()))


def governors(root: Path = ROOT) -> List[str]:
    """Each that some core has."""
    files = (root / "sys/devices/system/cpu").glob("cpu[0-9]*/cpufreq/scaling_governor")
    return sorted({text for text in map(read, files) if text})


def cooling_files(root: Path = ROOT) -> List[Path]:
    """The states of the cooling devices that slow a processor down: 0 is full speed."""
    found = []
    for folder in sorted((root / "sys/class/thermal").glob("cooling_device*")):
        kind = read(folder / "type") or ""
        if "cpufreq" in kind or "devfreq" in kind or kind == "Processor":
            found.append(folder / "cur_state")
    return found[:MOST_FILES]


def alarm_files(root: Path = ROOT) -> List[Path]:
    """What tells that a Raspberry Pi's supply voltage is too low: 1."""
    folders = (root / "sys/class/hwmon").glob("hwmon*")
    return [folder / "in0_lcrit_alarm" for folder in folders if read(folder / "name") == "rpi_volt"][:MOST_FILES]


def _vcgencmd() -> Optional[str]:
    import shutil  # here: a worker that needs neither does not pay for them
    import subprocess

    program = shutil.which("vcgencmd", path=os.defpath + os.pathsep + "/opt/vc/bin")
    if program is None:
        return None
    with suppress(OSError, subprocess.SubprocessError):
        done = subprocess.run(
            [program, "get_throttled"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=VCGENCMD_S,
        )  # fmt: skip
        return done.stdout[:200].decode(errors="replace").strip() if done.returncode == 0 else None
    return None
