"""What NVML tells of one NVIDIA GPU. Each answer may be refused or missing: then there is a reason, and never a crash.

``nvidia-ml-py`` (module ``pynvml``) is used where it is installed; nothing here needs it to be imported.
https://docs.nvidia.com/deploy/nvml-api/
"""

from __future__ import annotations

import importlib
from typing import Any, Dict, Iterable, List, Optional, Tuple

from .nvml_processes import UNSEEN, UNTOLD, Using, listed
from .nvml_refusals import NotOffered, NotTold, refusal

INSTALL = "pip install nvidia-ml-py"
CLOCK_SM, CLOCK_MEMORY = 1, 2
"""``NVML_CLOCK_SM`` and ``NVML_CLOCK_MEM``."""
SLOWED = {
    0x8: "hardware slowdown",
    0x20: "heat (by the driver)",
    0x40: "heat (by the hardware)",
    0x80: "power brake",
}
"""Bits of the reasons for a lower clock by which something is wrong (``nvmlClocksEventReason*``)."""
IDLE, SET, POWER_CAP = 0x1, 0x2, 0x4
"""Bits that say nothing is wrong: no work, clocks set by a person, the power limit reached."""
MOST = {
    "power_mw": 5_000_000,
    "sm_mhz": 20_000,
    "memory_mhz": 50_000,
    "temperature_c": 200,
    "reasons": (1 << 63) - 1,
    "busy_percent": 100,
    "energy_uj": (1 << 63) - 1,
    "used_bytes": 1 << 50,
}
"""More than this is nonsense, whatever the driver says."""
Calls = Tuple[Tuple[Any, ...], ...]
READINGS: Dict[str, Calls] = {
    "power_mw": (("nvmlDeviceGetPowerUsage",),),
    "sm_mhz": (("nvmlDeviceGetClockInfo", CLOCK_SM),),
    "memory_mhz": (("nvmlDeviceGetClockInfo", CLOCK_MEMORY),),
    "temperature_c": (("nvmlDeviceGetTemperatureV", 0), ("nvmlDeviceGetTemperature", 0)),
    "reasons": (("nvmlDeviceGetCurrentClocksEventReasons",), ("nvmlDeviceGetCurrentClocksThrottleReasons",)),
    "busy_percent": (("nvmlDeviceGetUtilizationRates",),),
}
"""What is sampled, by name: the calls to try, newest first, each with what it takes after the handle."""


class Nvml:
    """The library, begun; NotTold where it is not installed, has no driver, or refuses."""

    def __init__(self) -> None:
        try:
            self._api: Any = importlib.import_module("pynvml")
        except ImportError:
            raise NotTold("nvidia-ml-py is not installed here: %s" % INSTALL)
        self.ask("nvmlInit")

    def ask(self, name: str, *given: Any) -> Any:
        """What the call gives; NotTold with NVML's own words where it does not."""
        try:
            return getattr(self._api, name)(*given)
        except AttributeError:
            raise NotOffered("this nvidia-ml-py has no %s: pip install --upgrade nvidia-ml-py" % name)
        except Exception as error:  # noqa: BLE001 - its errors of versions share no class with the library's own
            raise refusal(error, name)

    def first(self, calls: Calls, handle: Any) -> Any:
        """What the first of the calls that works gives."""
        (name, *given), others = calls[0], calls[1:]
        try:
            return self.ask(name, handle, *given)
        except NotTold:
            if not others:
                raise
        return self.first(others, handle)

    def count(self) -> int:
        """How many GPUs there are."""
        return int(self.ask("nvmlDeviceGetCount"))

    def driver(self) -> str:
        """The driver's version, like ``580.95.05``."""
        return text_of(self.ask("nvmlSystemGetDriverVersion"))

    def cuda(self) -> str:
        """The newest CUDA that the driver runs, like ``13.0``."""
        version = int(self.ask("nvmlSystemGetCudaDriverVersion"))
        return "%d.%d" % (version // 1000, version % 1000 // 10)

    def gpu(self, uuid: str = "") -> "Gpu":
        """The GPU, or the part of one (MIG), of that UUID; without one the only GPU that there is."""
        if uuid:
            return Gpu(self, self._by_uuid(uuid))
        if self.count() != 1:
            raise NotTold("the session does not say which of %d GPUs it uses" % self.count())
        return self.at(0)

    def _by_uuid(self, uuid: str) -> Any:
        """CUDA gives a part's UUID as it gives a GPU's; NVML has a word of its own before it."""
        try:
            return self.ask("nvmlDeviceGetHandleByUUID", uuid)
        except NotTold as reason:
            try:
                return self.ask("nvmlDeviceGetHandleByUUID", uuid.replace("GPU-", "MIG-", 1))
            except NotTold:
                raise reason

    def at(self, index: int) -> "Gpu":
        """The GPU of that number, in NVML's own order (not CUDA's)."""
        return Gpu(self, self.ask("nvmlDeviceGetHandleByIndex", index))


class Gpu:
    """One GPU. What was refused is in ``why_not``, by name."""

    source, whole = "NVML", "the whole GPU"
    """Who tells its power, and of what."""

    def __init__(self, nvml: Nvml, handle: Any) -> None:
        self._nvml, self._handle = nvml, handle
        self.why_not: Dict[str, str] = {}

    def ask(self, name: str, *given: Any) -> Any:
        """What a call says of this GPU; NotTold where it does not."""
        return self._nvml.ask(name, self._handle, *given)

    def read(self) -> Dict[str, int]:
        """What is sampled, now; what is not told, or nonsense, is left out."""
        told = {name: self._told(name, calls) for name, calls in READINGS.items()}
        return {name: value for name, value in told.items() if value is not None}

    def _told(self, name: str, calls: Calls) -> Optional[int]:
        try:
            return _sound(name, self._nvml.first(calls, self._handle))
        except NotTold as reason:
            self.why_not[name] = str(reason)
            return None

    def energy_uj(self) -> int:
        """Since the driver was loaded, in microjoules (from Volta on); NotTold where it is not counted."""
        return _sound("energy_uj", number_of(self.ask("nvmlDeviceGetTotalEnergyConsumption")) * 1000)

    def processes(self) -> List[Using]:
        """Every process on the GPU, by number; NotTold where a list is refused, for it may hide some."""
        found, refused = listed(self.ask)
        if refused is not None:
            raise refused
        return [Using(pid, found[pid]) for pid in sorted(found)]

    def others(self, own: Iterable[int]) -> List[Using]:
        """The processes on the GPU that are not our ``own``; NotTold where no list can be had."""
        mine = set(own)
        return [one for one in self.processes() if one.pid not in mine]

    def used_bytes(self, pids: Iterable[int]) -> int:
        """What these processes hold on the GPU, together; NotTold with the reason where it is not known of one.

        Where a list is refused, one that is in no other may hold something unseen.
        """
        own = set(pids)
        found, refused = listed(self.ask)
        ours = [held for pid, held in found.items() if pid in own]
        if refused is not None and len(ours) < len(own):
            raise refused
        if not ours:
            raise NotTold(UNSEEN)
        told = [one for one in ours if one is not None]
        if len(told) < len(ours):
            raise NotTold(UNTOLD)
        return _sound("used_bytes", sum(told))


def slowed_by(reasons: int) -> List[str]:
    """What is wrong, in words, of a word of reasons."""
    return [name for bit, name in SLOWED.items() if reasons & bit]


def number_of(value: Any) -> int:
    """A number from what a call gave: some wrap it in a structure or a C type."""
    value = getattr(value, "gpu", value)
    value = getattr(value, "value", value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise NotTold("NVML gave no number")
    return value


def _sound(name: str, value: Any) -> int:
    number = number_of(value)
    if not 0 <= number <= MOST[name]:
        raise NotTold("NVML gave %d, which cannot be" % number)
    return number


def text_of(value: Any) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
