"""A Jetson's GPU by the kernel's own files: there is no NVML, and its memory is the machine's.

Where its rails, clocks and load stand is as jetson_stats reads them (https://github.com/rbonghi/jetson_stats).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, Iterable, List, Optional, Tuple

from .machine import number, read
from .nvml import MOST
from .nvml_processes import Using
from .nvml_refusals import NotTold

ROOT = Path("/")
UNIFIED = "this GPU has no memory of its own: it is the machine's, and `peak memory` holds it"
NO_COUNTER = "a Jetson counts no energy"
WHOLE = ("VDD_IN", "POM_5V_IN")
"""The rails that feed the whole board; where there is none, all rails together."""
MOST_RAILS = 16


def is_jetson(root: Path = ROOT) -> bool:
    """Whether the device tree says so."""
    return "nvidia,tegra" in (read(root / "proc/device-tree/compatible") or "")


class Jetson:
    """The GPU and the board around it, read as ``nvml.Gpu`` is."""

    source, whole = "its rails", "the whole board"

    def __init__(self, root: Path = ROOT) -> None:
        self._root = root
        self._rails = rails(root)
        self._gpu = _devfreq(root)
        self._zone = _zone(root)
        self.why_not: Dict[str, str] = {} if self._rails else {"power_mw": "this board shows no power rails"}

    def read(self) -> Dict[str, int]:
        """Power in mW, clock in MHz, temperature in °C, busy in percent; what is not told is left out."""
        told = {"power_mw": self._power_mw(), "temperature_c": _scaled(self._zone, 1000)}
        if self._gpu is not None:
            told["sm_mhz"] = _scaled(self._gpu / "cur_freq", 1_000_000)
            told["busy_percent"] = _scaled(self._gpu / "device" / "load", 10)  # per mille
        return {name: value for name, value in told.items() if value is not None and 0 <= value <= MOST[name]}

    def facts(self) -> Dict[str, Any]:
        """As those of ``gpu_facts``."""
        name = (read(self._root / "proc/device-tree/model") or "").rstrip("\0")
        most = None if self._gpu is None else _scaled(self._gpu / "max_freq", 1_000_000)
        found: Dict[str, Any] = {"name": name, "why_not": dict(self.why_not)}
        return dict(found, **({"max_sm_mhz": most} if most is not None else {}))

    def energy_uj(self) -> int:
        """There is no counter: power is integrated instead."""
        raise NotTold(NO_COUNTER)

    def used_bytes(self, pids: Iterable[int]) -> int:
        """There is no memory of its own."""
        raise NotTold(UNIFIED)

    def others(self, own: Iterable[int]) -> List[Using]:
        """Nobody tells who else is on it."""
        raise NotTold(UNIFIED)

    def _power_mw(self) -> Optional[int]:
        powers = [_rail_mw(rail) for rail in self._rails]
        told = [one for one in powers if one is not None]
        return sum(told) if told and len(told) == len(powers) else None


Rail = Tuple[Path, ...]
"""Files whose product is power: millivolts and milliamperes, or milliwatts alone."""


def rails(root: Path = ROOT) -> List[Rail]:
    """The rail of the whole board; else all that there are."""
    named = {**_hwmon(root), **_iio(root)}
    whole = [named[name] for name in WHOLE if name in named]
    return whole[:1] or [named[name] for name in sorted(named)][:MOST_RAILS]


def _hwmon(root: Path) -> Dict[str, Rail]:
    found: Dict[str, Rail] = {}
    for label in sorted((root / "sys/bus/i2c/devices").glob("*/hwmon/hwmon*/in*_label")):
        which = label.name[2:-6]
        files = (label.with_name("in%s_input" % which), label.with_name("curr%s_input" % which))
        if which.isdecimal() and all(number(file) is not None for file in files):
            found[read(label) or label.name] = files
    return found


def _iio(root: Path) -> Dict[str, Rail]:
    """Older boards' drivers."""
    found: Dict[str, Rail] = {}
    for name in sorted((root / "sys/bus/i2c/devices").glob("*/iio:device*/rail_name_*")):
        power = name.with_name("in_power%s_input" % name.name[len("rail_name_") :])
        if number(power) is not None:
            found[read(name) or name.name] = (power,)
    return found


def _rail_mw(rail: Rail) -> Optional[int]:
    values = [number(file) for file in rail]
    if any(value is None or value < 0 for value in values):
        return None
    first, *more = [value or 0 for value in values]
    return first * more[0] // 1000 if more else first


def _devfreq(root: Path) -> Optional[Path]:
    for folder in sorted((root / "sys/class/devfreq").glob("*")):
        if "gpu" in folder.name or "gv11b" in folder.name or "gp10b" in folder.name or "gm20b" in folder.name:
            return folder
    return None


def _zone(root: Path) -> Optional[Path]:
    for zone in sorted((root / "sys/class/thermal").glob("thermal_zone*")):
        if (read(zone / "type") or "").lower().startswith("gpu"):
            return zone / "temp"
    return None


def _scaled(file: Optional[Path], divisor: int) -> Optional[int]:
    value = None if file is None else number(file)
    return None if value is None else value // divisor
