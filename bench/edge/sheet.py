"""A board's sheet, for a person and for a program. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from bench.contract.host_words import show_cores
from bench.edge.facts import BoardFacts, Cluster
from bench.edge.findings import Finding, has
from bench.report.text import clean
from bench.units import show

NOT_TOLD = "not told"
LABEL_WIDTH = 12


def text(facts: BoardFacts, host: str, wanted: Mapping[str, Sequence[str]], found: Sequence[Finding]) -> str:
    """One line a fact, then what is missing and what mends it."""
    lines = [clean(f"{host}: {' · '.join(one for one in (facts.model, facts.soc) if one) or 'a board'}")]
    lines += [f"  {label:<{LABEL_WIDTH}} {clean(value)}" for label, value in _rows(facts, wanted)]
    lines += [clean(f"{'✗' if one.blocks else '!'} {one.what}: {one.remedy}") for one in found]
    return "\n".join(lines) + "\n"


def document(facts: BoardFacts, host: str, found: Sequence[Finding]) -> str:
    """JSON: ``host``, the facts as the board told them, ``findings``."""
    told: dict[str, Any] = {"host": host, **asdict(facts), "findings": [asdict(one) for one in found]}
    return json.dumps(told, indent=2) + "\n"


def headline(facts: BoardFacts) -> str:
    """The board in a few words."""
    words = [facts.model or facts.soc, *map(_cluster, facts.clusters), _size(facts.memory_bytes), facts.machine]
    return " · ".join([*(one for one in words if one), f"Python {facts.python}"])


def _rows(facts: BoardFacts, wanted: Mapping[str, Sequence[str]]) -> list[tuple[str, str]]:
    libc = " ".join(facts.libc.get(key, "") for key in ("kind", "version")) if facts.libc else "C library not told"
    bits = "" if facts.bits == 64 else f" ({facts.bits}-bit)"
    return [
        ("cores", "; ".join(map(_cluster, facts.clusters)) or NOT_TOLD),
        ("memory", f"{_size(facts.memory_bytes)}, {_size(facts.memory_available_bytes)} available"),
        ("system", f"{facts.os or NOT_TOLD}, Linux {facts.kernel or NOT_TOLD}, {libc}, {facts.machine}{bits}"),
        ("Python", f"{facts.implementation} {facts.python}; on its path: {', '.join(facts.pythons) or NOT_TOLD}"),
        ("backends", _backends(facts, wanted)),
        (
            "temperature",
            ", ".join(f"{zone} {value:.1f} °C" for zone, value in facts.temperatures_c.items()) or NOT_TOLD,
        ),
        ("throttling", _throttling(facts)),
        ("governor", ", ".join(facts.governors) or NOT_TOLD),
        *([("frequencies", _frequencies(facts))] if facts.frequencies_mhz or facts.devfreq else []),
        ("disk", f"{_size(facts.free_bytes)} free; {_size(facts.cache_bytes)} are ours, in {facts.cache}"),
    ]


def _cluster(one: Cluster) -> str:
    most = f" at up to {one.max_mhz:.0f} MHz" if one.max_mhz else ""
    return f"{len(one.cores)} × {one.name or 'core'} ({show_cores(one.cores)}){most}"


def _backends(facts: BoardFacts, wanted: Mapping[str, Sequence[str]]) -> str:
    there = has(facts)
    words = []
    for name, packages in wanted.items():
        versions = [there[one] for one in packages if one in there]
        whole = len(versions) == len(packages)
        words.append(f"{name} {' '.join(versions)}".strip() if whole else f"{name} not there")
    return f"{', '.join(words)}{' (prepared)' if facts.prepared else ''}" if words else NOT_TOLD


def _throttling(facts: BoardFacts) -> str:
    if facts.throttled_now is None:
        return "slowed down against heat now" if facts.held_down else "none now, as far as the kernel tells"
    now, since = ", ".join(facts.throttled_now) or "none", ", ".join(facts.throttled_since_boot or ()) or "none"
    return f"now: {now}; since boot: {since}"


def _frequencies(facts: BoardFacts) -> str:
    counts: dict[str, int] = {}
    for mhz in facts.frequencies_mhz.values():
        counts[f"{mhz:.0f} MHz"] = counts.get(f"{mhz:.0f} MHz", 0) + 1
    cores = [f"{count} cores at {mhz}" for mhz, count in counts.items()]
    return ", ".join(
        [*cores, *(f"{name} at {one.mhz:.0f} of {one.max_mhz:.0f} MHz" for name, one in facts.devfreq.items())]
    )


def _size(size: int | None) -> str:
    return NOT_TOLD if size is None else show(size, "bytes")
