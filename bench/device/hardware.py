"""What a board is, as ``benchpact device probe`` shows it: JSON-ready facts, from the standard library alone.

Whatever a system does not tell is None or left out. The root is given, so that recorded trees can be looked at.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence

from . import machine, throttling
from .cache import SPARE_BYTES, cache_folder, held_bytes
from .install import current
from .machine import number, read

ROOT = Path("/")
ARM_CORES = {
    "0xd03": "Cortex-A53", "0xd04": "Cortex-A35", "0xd05": "Cortex-A55", "0xd07": "Cortex-A57", "0xd08": "Cortex-A72",
    "0xd09": "Cortex-A73", "0xd0a": "Cortex-A75", "0xd0b": "Cortex-A76", "0xd0c": "Neoverse-N1", "0xd0d": "Cortex-A77",
    "0xd40": "Neoverse-V1", "0xd41": "Cortex-A78", "0xd42": "Cortex-A78AE", "0xd44": "Cortex-X1",
    "0xd46": "Cortex-A510", "0xd47": "Cortex-A710", "0xd49": "Neoverse-N2", "0xc07": "Cortex-A7", "0xc09": "Cortex-A9",
    "0xc0f": "Cortex-A15",
}  # fmt: skip
"""CPU parts of the implementer 0x41, as Arm's technical reference manuals give them (MIDR_EL1)."""
ARM = "0x41"
MUSL = re.compile(r"^Version (\d+\.\d+)", re.MULTILINE)
PYTHON = re.compile(r"python3(\.\d{1,2})?")
METADATA = re.compile(r"(.+?)-([^-]+)(?:-py[\d.]+)?\.(?:dist|egg)-info")
"""``NAME-VERSION.dist-info``, and what distutils wrote before it (the packaging specifications, "Recording installed
projects")."""
ASK_S = 5.0


def facts(packages: Sequence[str] = (), root: Path = ROOT) -> Dict[str, Any]:
    """Everything; of ``packages`` (distributions) the versions that are installed. Sizes in bytes."""
    told = machine.facts()
    cache = cache_folder()
    compatible = (read(root / "proc/device-tree/compatible") or "").strip("\0").split("\0")
    flags = throttling.firmware_flags(root)
    return {
        "model": (read(root / "proc/device-tree/model") or "").strip("\0")
        or read(root / "sys/class/dmi/id/product_name"),
        "soc": compatible[-1] or None,
        "emulated": machine.is_emulated(root),
        "machine": platform.machine(),
        "bits": 64 if sys.maxsize > 1 << 32 else 32,
        "clusters": clusters(root),
        "memory_bytes": told["memory_bytes"],
        "memory_available_bytes": _kib(read(root / "proc/meminfo") or "", "MemAvailable"),
        "swap_used_bytes": told["swap_used_bytes"],
        "os": told["os"],
        "kernel": told["kernel"],
        "libc": libc(),
        "python": platform.python_version(),
        "implementation": sys.implementation.name,
        "pythons": pythons(),
        "governors": throttling.governors(root),
        "frequencies_mhz": {str(core): mhz for core, mhz in throttling.frequencies_mhz(root).items()},
        "temperatures_c": temperatures_c(root),
        "throttled_now": None if flags is None else throttling.names_of(flags),
        "throttled_since_boot": None if flags is None else throttling.names_of(flags, throttling.SINCE_BOOT),
        "held_down": any((number(file) or 0) > 0 for file in throttling.cooling_files(root)),
        "devfreq": devfreq(root),
        "load_1m": told["load_1m"],
        "free_bytes": free_bytes(cache),
        "cache": str(cache),
        "cache_bytes": held_bytes(cache),
        "packages": versions(packages, None),
        "prepared": prepared(cache, packages),
    }


def clusters(root: Path = ROOT) -> List[Dict[str, Any]]:
    """Cores that are alike, the slowest first: their numbers, name and highest frequency (MHz)."""
    names = _core_names(read(root / "proc/cpuinfo") or "")
    found: Dict[Any, List[int]] = {}
    for folder in (root / "sys/devices/system/cpu").glob("cpu[0-9]*"):
        khz = number(folder / "cpufreq" / "cpuinfo_max_freq")
        core = int(folder.name[3:])
        found.setdefault((khz or 0, names.get(core) or ""), []).append(core)
    if not found:
        for core, name in names.items():
            found.setdefault((0, name or ""), []).append(core)
    return [
        {"cores": sorted(cores), "name": name or None, "max_mhz": khz / 1000 if khz else None}
        for (khz, name), cores in sorted(found.items())
    ]


def _core_names(cpuinfo: str) -> Dict[int, Optional[str]]:
    found: Dict[int, Optional[str]] = {}
    for block in re.split(r"\n\s*\n", cpuinfo):
        pairs = dict(re.findall(r"^([^:\n]+?)\s*:\s*(.*)$", block, re.MULTILINE))
        core = pairs.get("processor", "")
        if core.isdecimal():
            part = pairs.get("CPU part", "")
            arm = ARM_CORES.get(part, part) if pairs.get("CPU implementer") == ARM else part
            found[int(core)] = pairs.get("model name") or arm or None
    return found


def temperatures_c(root: Path = ROOT) -> Dict[str, float]:
    """Of each zone, by its type."""
    found = {}
    for zone in sorted((root / "sys/class/thermal").glob("thermal_zone*")):
        value = number(zone / "temp")
        if value is not None:
            found[read(zone / "type") or zone.name] = value / 1000
    return found


def devfreq(root: Path = ROOT) -> Dict[str, Dict[str, Any]]:
    """Of each device with a frequency of its own (a Jetson's GPU): now and at most (MHz), and its governor."""
    found = {}
    for folder in sorted((root / "sys/class/devfreq").glob("*"))[:32]:
        now, most = number(folder / "cur_freq"), number(folder / "max_freq")
        if now is not None and most is not None:
            found[folder.name] = {"mhz": now / 1e6, "max_mhz": most / 1e6, "governor": read(folder / "governor")}
    return found


def libc() -> Optional[Dict[str, str]]:
    """The C library's kind and version, as wheels are chosen by."""
    with suppress(ValueError, OSError, AttributeError):
        told = (os.confstr("CS_GNU_LIBC_VERSION") or "").split()
        if len(told) == 2 and told[0] == "glibc":
            return {"kind": "glibc", "version": told[1]}
    for loader in sorted(Path("/lib").glob("ld-musl-*.so.1")):
        with suppress(OSError, subprocess.SubprocessError):
            done = subprocess.run([str(loader)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=ASK_S)
            found = MUSL.search(done.stdout.decode(errors="replace"))
            if found:
                return {"kind": "musl", "version": found.group(1)}
    return None


def pythons() -> List[str]:
    """Paths of the interpreters on the search path, by name."""
    found: Dict[str, str] = {}
    for folder in os.environ.get("PATH", os.defpath).split(os.pathsep):
        with suppress(OSError):
            for name in sorted(os.listdir(folder or ".")):
                if PYTHON.fullmatch(name) and os.access(os.path.join(folder, name), os.X_OK):
                    found.setdefault(name, os.path.join(folder, name))
    return [found[name] for name in sorted(found)]


def versions(packages: Sequence[str], site: Optional[Path]) -> Dict[str, str]:
    """Of the packages that are installed: in ``site``, or where this interpreter looks. Nothing is imported of them.

    By the names of the folders that hold their metadata: to import ``importlib.metadata`` takes a small board a second.
    """
    wanted = {_canonical(name): name for name in packages}
    found: Dict[str, str] = {}
    for place in sys.path if site is None else [str(site)]:
        with suppress(OSError):
            for entry in sorted(os.listdir(place or ".")):
                told = METADATA.fullmatch(entry)
                name = wanted.get(_canonical(told.group(1))) if told else None
                if told and name and _is_metadata(os.path.join(place, entry)):
                    found.setdefault(name, told.group(2))
    return found


def _canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _is_metadata(path: str) -> bool:
    """Whether something was installed there: a folder that an uninstall left empty is none."""
    return os.path.isfile(path) or any(os.path.isfile(os.path.join(path, name)) for name in ("METADATA", "PKG-INFO"))


def prepared(cache: Path, packages: Sequence[str] = ()) -> Optional[Dict[str, Any]]:
    """The environment in use: its manifest, and which of the packages it has; None where there is none."""
    told = current(cache)
    if told is None:
        return None
    sites = sorted((cache / "env" / str(told["key"]) / "lib").glob("python3.*/site-packages"))
    return dict(told, packages=versions(packages, sites[0]) if sites else {})


def free_bytes(folder: Path) -> Optional[int]:
    """Free on the disk that the folder is, or will be, on; a little is kept back."""
    place = next((one for one in [folder, *folder.parents] if one.exists()), None)
    return None if place is None else max(0, shutil.disk_usage(str(place)).free - SPARE_BYTES)


def _kib(meminfo: str, name: str) -> Optional[int]:
    found = re.search(r"^%s:\s+(\d+) kB" % name, meminfo, re.MULTILINE)
    return int(found.group(1)) * 1024 if found else None
