"""What a board lacks, or what would disturb a measurement on it, each with what mends it. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench.contract.host_words import show_cores
from bench.edge.facts import BoardFacts
from bench.edge.wheels import ALWAYS
from bench.units import show

HOT_C = 75.0
"""Boards begin to slow down at 80 °C (Raspberry Pi's documentation, "Frequency management and thermal control")."""
LITTLE_ROOM_BYTES = 400 << 20
"""What an environment with one framework takes, and its wheels."""
PERFORMANCE = "echo performance | sudo tee /sys/devices/system/cpu/cpu*/cpufreq/scaling_governor"


@dataclass(frozen=True)
class Finding:
    """What is so, and the command or the deed that mends it. ``blocks``: nothing can be measured before."""

    what: str
    remedy: str
    blocks: bool = False


def findings(facts: BoardFacts, host: str, wanted: Mapping[str, Sequence[str]]) -> tuple[Finding, ...]:
    """In the order of their weight. ``wanted``: backend -> the packages it runs on."""
    return (*_missing(facts, host, wanted), *_power(facts), *_rest(facts))


def _missing(facts: BoardFacts, host: str, wanted: Mapping[str, Sequence[str]]) -> list[Finding]:
    there = has(facts)
    lacking = [name for name, packages in wanted.items() if not {*packages, *ALWAYS} <= there.keys()]
    found = []
    if facts.prepared is None and not set(ALWAYS) <= there.keys() and not lacking:
        found.append(Finding("nothing is prepared on it", f"benchpact device prepare {host} --backend NAME", True))
    if lacking:
        options = "".join(f" --backend {name}" for name in lacking)
        what = f"it cannot run {' and '.join(lacking)} yet"
        found.append(Finding(what, f"benchpact device prepare {host}{options}", True))
    if facts.free_bytes is not None and facts.free_bytes < LITTLE_ROOM_BYTES and (lacking or found):
        what = f"its disk has only {show(facts.free_bytes, 'bytes')} free"
        found.append(Finding(what, f"free some there; benchpact device clean {host} removes what is ours"))
    return found


def has(facts: BoardFacts) -> Mapping[str, str]:
    """The packages that a worker would find: those of the prepared environment where there is one."""
    return facts.packages if facts.prepared is None else facts.prepared.packages


def _power(facts: BoardFacts) -> list[Finding]:
    found = []
    now, before = facts.throttled_now or (), facts.throttled_since_boot or ()
    supply = "use its own power supply and a short, thick cable; nothing else on its USB ports"
    if "under-voltage" in now:
        found.append(Finding("its supply voltage is too low now", supply))
    elif "under-voltage" in before:
        found.append(Finding("its supply voltage has been too low since it was booted", supply))
    slowed = [name for name in now if name != "under-voltage"]
    if slowed or facts.held_down:
        words = f" ({', '.join(slowed)})" if slowed else ""
        found.append(Finding(f"it is slowed down now{words}", "let it cool, give it a fan or a heat sink"))
    hottest = max(facts.temperatures_c.values(), default=0.0)
    if hottest >= HOT_C:
        found.append(Finding(f"it is hot: {hottest:.0f} °C", "let it cool, give it a fan or a heat sink"))
    return found


def _rest(facts: BoardFacts) -> list[Finding]:
    found = []
    slow = [one for one in facts.governors if one != "performance"]
    if slow:
        what = f"its frequencies follow the load (governor {', '.join(slow)}): processes differ"
        found.append(Finding(what, f"on the board: {PERFORMANCE}"))
    cores = sum(len(one.cores) for one in facts.clusters)
    if facts.load_1m is not None and cores and facts.load_1m > cores / 2:
        found.append(Finding(f"other work runs on it: its load is {facts.load_1m:.1f}", "stop it: `top` shows it"))
    if len(facts.clusters) > 1:
        best = show_cores(facts.clusters[-1].cores)
        found.append(Finding("its cores are not all alike", f"say which to use in its target: `cores: {best}`"))
    if facts.emulated:
        found.append(Finding("it is emulated (qemu)", "times measured on it say nothing of a real board"))
    return found
