"""The kinds of quantities: what each is called, its units, and how a number is written."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from bench.metrics import Unit

NUMBER_PATTERN = r"(?:[0-9]{1,3}(?:[ _\u00a0\u202f][0-9]{3})+|[0-9]+)(?:\.[0-9]*)?(?:[eE][+-]?[0-9]{1,3})?"
"""A number: ``1200``, ``1 200``, ``1_200``, ``1.2``, ``1e-4``. The same in Python and in ECMA 262 (JSON Schema)."""
GAPS = re.compile(r"[ _\u00a0\u202f]")
"""What may stand between groups of digits: space, underscore, no-break spaces."""


@dataclass(frozen=True)
class Kind:
    """One kind of quantity: what it is called, its units as factors of the base unit, an example.

    ``meant`` are spellings (lower case) near a unit in meaning, not in letters.
    """

    what: str
    units: Mapping[str, Decimal]
    example: str
    meant: Mapping[str, str]
    bare: bool = False
    """Whether a number without a unit is one."""


_SIZE_UNITS = {
    "B": Decimal(1),
    "kB": Decimal(10**3),
    "KB": Decimal(10**3),
    "MB": Decimal(10**6),
    "GB": Decimal(10**9),
    "TB": Decimal(10**12),
    "KiB": Decimal(1 << 10),
    "MiB": Decimal(1 << 20),
    "GiB": Decimal(1 << 30),
    "TiB": Decimal(1 << 40),
}
_AN_HOUR = {"h": 1, "min": 60, "s": 3600}
KINDS: Mapping[Unit, Kind] = {
    "ns": Kind(
        "a time",
        {
            "ns": Decimal(1),
            "µs": Decimal(1000),  # the micro sign of keyboards
            "μs": Decimal(1000),  # the Greek letter
            "us": Decimal(1000),
            "ms": Decimal(10**6),
            "s": Decimal(10**9),
            "min": Decimal(60 * 10**9),
            "h": Decimal(3600 * 10**9),
        },
        "5 ms",
        {"m": "min", "sec": "s", "secs": "s", "second": "s", "seconds": "s", "msec": "ms", "usec": "µs", "mins": "min"}
        | {"minutes": "min", "hours": "h", "milliseconds": "ms", "microseconds": "µs", "nanoseconds": "ns"},
    ),
    "bytes": Kind(
        "a size",
        _SIZE_UNITS,
        "300 MiB",
        {"k": "KiB", "m": "MiB", "g": "GiB", "t": "TiB", "byte": "B", "bytes": "B", "megabytes": "MB"},
    ),
    "bytes_per_h": Kind(
        "a growth",
        {f"{name}/{time}": size * hours for time, hours in _AN_HOUR.items() for name, size in _SIZE_UNITS.items()},
        "1 MiB/h",
        {f"{size.lower()} per hour": f"{size}/h" for size in _SIZE_UNITS} | {"mib": "MiB/h", "mb": "MB/h"},
    ),
    "per_s": Kind(
        "a rate",
        {
            "/s": Decimal(1),
            "k/s": Decimal(10**3),
            "M/s": Decimal(10**6),
            "G/s": Decimal(10**9),
            "samples/s": Decimal(1),
            "per second": Decimal(1),
        },
        "1200/s",
        {"fps": "/s", "qps": "/s", "ips": "/s", "hz": "/s", "s": "/s", "/sec": "/s", "per s": "/s", "k": "k/s"},
    ),
    "uj": Kind(
        "an energy",
        {
            "µJ": Decimal(1),  # the micro sign of keyboards
            "μJ": Decimal(1),  # the Greek letter
            "uJ": Decimal(1),
            "mJ": Decimal(10**3),
            "J": Decimal(10**6),
            "kJ": Decimal(10**9),
            "mWh": Decimal(3_600_000),
            "Wh": Decimal(3_600_000_000),
        },
        "30 mJ",
        {"joule": "J", "joules": "J", "millijoule": "mJ", "millijoules": "mJ", "microjoules": "µJ", "ws": "J"},
    ),
    "ratio": Kind("a share", {"%": Decimal("0.01")}, "97 %", {"percent": "%", "per cent": "%", "pct": "%"}, bare=True),
    "number": Kind("a plain number", {}, "0.1", {}, bare=True),
}


def pattern(unit: Unit) -> str:
    """A regular expression (Python and ECMA 262) for what ``parse`` reads; values out of bounds match too."""
    kind = KINDS[unit]
    names = "|".join(re.escape(name).replace(r"\ ", " ").replace("/", r"\/") for name in kind.units)
    suffix = rf"(?:[ \u00a0\u202f]*(?:{names})){'?' if kind.bare else ''}" if names else ""
    return rf"{NUMBER_PATTERN}{suffix}"


def example(unit: Unit) -> str:
    """A quantity of that unit as one writes it: ``5 ms``."""
    return KINDS[unit].example


def what(unit: Unit) -> str:
    """What a quantity of that unit is called: ``a time``."""
    return KINDS[unit].what


def known_units(unit: Unit) -> tuple[str, ...]:
    """The units that ``parse`` reads, the smallest first."""
    return tuple(KINDS[unit].units)
