"""What a report says of the GPU during a measurement: facts by name, notes, what slowed it down. Pure."""

from __future__ import annotations

from typing import Any, Dict, List, Mapping

from .nvml_processes import UNSEEN

Account = Mapping[str, Any]
CLOCKS = {"SM": "sm_mhz", "memory": "memory_mhz"}
SETTINGS = {"ECC": "ecc", "MIG": "mig", "persistence": "persistence"}
NAMED = 5
"""So many other processes are named."""

SILENT_TEXT = (
    "the GPU was not looked at while it was measured: %s; that this GPU is what computed is the adapter's own word"
)
OTHER_TEXT = "the adapter calls the GPU a %s, NVML a %s: that this GPU is what computed is the adapter's own word"
EMPTY_TEXT = (
    "NVML tells of no memory of the worker's on this GPU (so in some containers): that it is what computed is the "
    "adapter's own word"
)


def facts_of(gpu: Account, account: Account) -> Dict[str, str]:
    """Of the GPU's own facts and of the account of the timed part; what is not told is left out."""
    found = {}
    if "driver" in gpu:
        found["gpu driver"] = str(gpu["driver"])
    settings = settings_of(gpu)
    if settings:
        found["gpu settings"] = settings
    ranges = account.get("ranges", {})
    clocks = ["%s %s MHz" % (what, _range(ranges[name])) for what, name in CLOCKS.items() if name in ranges]
    if clocks:
        found["gpu clocks"] = ", ".join(clocks)
    if "temperature_c" in ranges:
        found["gpu temperature"] = "%s °C" % _range(ranges["temperature_c"])
    if "power_mw" in ranges:
        _, mean, most = ranges["power_mw"]
        found["gpu power"] = "%d W in the mean, %d W at most" % (round(mean / 1000), round(most / 1000))
    if "busy_percent" in ranges:
        found["gpu busy"] = "%d %% in the mean" % ranges["busy_percent"][1]
    if account.get("count"):
        found["gpu samples"] = "%d, %.0f ms apart at most" % (account["count"], account["gap_ns"] / 1e6)
    if account.get("capped"):
        found["gpu at its power limit"] = "in %d of %d samples" % (account["capped"], account["count"])
    return found


def settings_of(gpu: Account) -> str:
    """``ECC on, MIG off, persistence on, power limit 300 W (700 W by default), no clocks told to be set``.

    NVML tells of clocks that applications set, by a reason for a lower clock; of locked ones it has no call to tell.
    """
    words = ["%s %s" % (name, gpu[key]) for name, key in SETTINGS.items() if key in gpu]
    if "power_limit_mw" in gpu:
        usual = gpu.get("default_power_limit_mw", gpu["power_limit_mw"])
        other = "" if usual == gpu["power_limit_mw"] else " (%d W by default)" % (usual // 1000)
        words.append("power limit %d W%s" % (gpu["power_limit_mw"] // 1000, other))
    if "clocks_set" in gpu:
        words.append("clocks set by hand" if gpu["clocks_set"] else "no clocks told to be set")
    return ", ".join(words)


def slowed(account: Account) -> str:
    """What slowed the GPU down, and in how many samples; "" where nothing did."""
    count = account.get("count", 0)
    return ", ".join("%s in %d of %d samples" % (name, many, count) for name, many in account.get("slowed", {}).items())


def notes_of(gpu: Account, account: Account, silent: str, named: str = "") -> List[str]:
    """What a reader must know: who else is on the GPU, before or after, and that the sampler told nothing.

    And what speaks against it that the session, which calls the GPU ``named``, ran there.
    """
    notes = []
    told = str(gpu.get("name", "")) if "uuid" in gpu else ""  # a Jetson's is the board's
    if named and told and named != told and not named.startswith(told + " MIG "):
        notes.append(OTHER_TEXT % (named[:80], told[:80]))
    held = account.get("used_bytes", UNSEEN)
    if held == 0 or (held is None and account.get("used_why") == UNSEEN):
        notes.append(EMPTY_TEXT)
    others = sorted({*(int(one[0]) for one in gpu.get("others") or ()), *map(int, account.get("others") or ())})
    if others:
        named = ", ".join(map(str, others[:NAMED])) + (" …" if len(others) > NAMED else "")
        some = "1 other process has" if len(others) == 1 else "%d other processes have" % len(others)
        notes.append("%s memory on this GPU (%s): what they compute is in its latencies and its energy" % (some, named))
    unseen = gpu.get("why_not", {}).get("others") or ("others" in gpu and account.get("others_why"))
    if unseen:  # before, or only after; a Jetson never tells
        notes.append("whether others are on this GPU is not told: %s" % unseen)
    if silent:
        notes.append(SILENT_TEXT % silent)
    return notes


def _range(told: List[int]) -> str:
    low, _, high = told
    return str(low) if low == high else "%d to %d" % (low, high)
