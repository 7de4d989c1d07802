"""Quantities as people write them: ``5 ms``, ``300 MiB``, ``1200/s``, ``97 %`` to and from base units.

The base units are nanoseconds, bytes, bytes an hour, samples a second, microjoules, a share of one, a number.
Reading is exact (decimal arithmetic, rounded once to the nearest float); showing keeps three significant digits.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise

from bench.device.records import NEVER_NS
from bench.metrics import Unit

MAX_CHARACTERS = 64
NUMBER_PATTERN = r"(?:[0-9]{1,3}(?:[ _\u00a0\u202f][0-9]{3})+|[0-9]+)(?:\.[0-9]*)?(?:[eE][+-]?[0-9]{1,3})?"
"""A number: ``1200``, ``1 200``, ``1_200``, ``1.2``, ``1e-4``. The same in Python and in ECMA 262 (JSON Schema)."""
_GAPS = re.compile(r"[ _\u00a0\u202f]")
_QUANTITY = re.compile(rf"(?P<number>{NUMBER_PATTERN})[ \u00a0\u202f]*(?P<unit>.*)", re.DOTALL)
_INFINITE = re.compile(r"[+-]?(?:\.?nan|\.?inf(?:inity)?)\b.*", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True)
class _Kind:
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
_KINDS: Mapping[Unit, _Kind] = {
    "ns": _Kind(
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
    "bytes": _Kind(
        "a size",
        _SIZE_UNITS,
        "300 MiB",
        {"k": "KiB", "m": "MiB", "g": "GiB", "t": "TiB", "byte": "B", "bytes": "B", "megabytes": "MB"},
    ),
    "bytes_per_h": _Kind(
        "a growth",
        {f"{name}/{time}": size * hours for time, hours in _AN_HOUR.items() for name, size in _SIZE_UNITS.items()},
        "1 MiB/h",
        {f"{size.lower()} per hour": f"{size}/h" for size in _SIZE_UNITS} | {"mib": "MiB/h", "mb": "MB/h"},
    ),
    "per_s": _Kind(
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
    "uj": _Kind(
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
    "ratio": _Kind("a share", {"%": Decimal("0.01")}, "97 %", {"percent": "%", "per cent": "%", "pct": "%"}, bare=True),
    "number": _Kind("a plain number", {}, "0.1", {}, bare=True),
}


def parse(text: object, unit: Unit) -> float:
    """The quantity in its base unit: ``"5 ms"`` -> 5e6 ns, ``"97 %"`` -> 0.97.

    A number stands for itself where the unit is ``ratio`` or ``number``. Raises ValueError, with what
    is wrong and what would be right, for anything that is not a finite quantity of zero or more of
    that unit; a ratio is at most 1.
    """
    kind = _KINDS[unit]
    written = _written(text, kind)
    match = _QUANTITY.fullmatch(written)
    if not match:
        raise ValueError(_no_number(written, kind))
    number, name = Decimal(_GAPS.sub("", match["number"])), match["unit"]
    if name in kind.units:
        number *= kind.units[name]
    elif name:
        raise ValueError(f"`{written}`: {_wrong_unit(name, unit)}")
    elif not kind.bare:
        raise ValueError(f"`{written}` has no unit: write {kind.what} like `{kind.example}`")
    value = float(number)
    if math.isinf(value):
        raise ValueError(f"`{written}` is too large")
    if unit == "ratio" and value > 1:
        raise ValueError(f"`{written}` is more than 1: {_share_meant(written, name, value)}")
    return value


def _written(text: object, kind: _Kind) -> str:
    """What was written, as trimmed text; ValueError where it can be no quantity at all."""
    if isinstance(text, bool) or not isinstance(text, (str, int, float)):
        raise ValueError(f"{text!r} is not {kind.what}: write `{kind.example}`")  # noqa: TRY004 - one kind of error
    written = text.strip() if isinstance(text, str) else repr(text)
    if not written:
        raise ValueError(f"nothing is written: write {kind.what} like `{kind.example}`")
    if len(written) > MAX_CHARACTERS:
        raise ValueError(f"`{written[:20]}…` is not {kind.what}: write `{kind.example}`")
    return written


def _no_number(written: str, kind: _Kind) -> str:
    if _INFINITE.fullmatch(written):
        return f"`{written}` is not a finite number: write {kind.what} like `{kind.example}`"
    if re.match(r"[-−]\s*[.0-9]", written):
        return f"`{written}` is negative: write {kind.what} like `{kind.example}`"
    if re.match(r"\+\s*[.0-9]", written):
        return f"`{written}` has a sign: leave the `+` out"
    if re.match(r"\.[0-9]", written):
        return f"`{written}` begins with a point: write `0{written}`"
    return f"`{written}` is not {kind.what}: write `{kind.example}`"


def _wrong_unit(name: str, unit: Unit) -> str:
    kind = _KINDS[unit]
    if name.startswith(","):
        return "commas are not read in numbers: write `1200` or `1.2`"
    if not re.match(r"[^\W\d_]|[/%]", name):
        return f"this is not {kind.what}: write one like `{kind.example}`"
    near = _near_unit(name, kind)
    if near is None:
        for other in _KINDS.values():
            if name in other.units:
                return f"`{name}` is a unit of {other.what.split()[-1]}: write {kind.what} like `{kind.example}`"
        return f"`{name}` is not a unit: write {kind.what} like `{kind.example}`"
    bits = " (a small `b` means bits)" if unit == "bytes" and "b" in name and len(name) < 4 else ""
    return f"`{name}` is not a unit: did you mean `{near}`?{bits}"


def _near_unit(name: str, kind: _Kind) -> str | None:
    """The unit of that kind that was probably meant: the same in another case, in meaning, in letters."""
    same = [known for known in kind.units if known.lower() == name.lower()]
    if same or name.lower() in kind.meant:
        return (same or [kind.meant[name.lower()]])[0]
    if any(name in other.units for other in _KINDS.values()):
        return None
    near = difflib.get_close_matches(name, kind.units, n=1, cutoff=0.6)
    return near[0] if near else None


def _share_meant(written: str, name: str, value: float) -> str:
    if not name and value <= 100:
        return f"did you mean `{written} %`?"
    return "a share is at most 1, or 100 %"


def pattern(unit: Unit) -> str:
    """A regular expression (Python and ECMA 262) for what ``parse`` reads; values out of bounds match too."""
    kind = _KINDS[unit]
    names = "|".join(re.escape(name).replace(r"\ ", " ").replace("/", r"\/") for name in kind.units)
    suffix = rf"(?:[ \u00a0\u202f]*(?:{names})){'?' if kind.bare else ''}" if names else ""
    return rf"{NUMBER_PATTERN}{suffix}"


def example(unit: Unit) -> str:
    """A quantity of that unit as one writes it: ``5 ms``."""
    return _KINDS[unit].example


def what(unit: Unit) -> str:
    """What a quantity of that unit is called: ``a time``."""
    return _KINDS[unit].what


def known_units(unit: Unit) -> tuple[str, ...]:
    """The units that ``parse`` reads, the smallest first."""
    return tuple(_KINDS[unit].units)


_TIMES = (("ns", 1), ("µs", 1000), ("ms", 10**6), ("s", 10**9))
_ENERGIES = (("µJ", 1), ("mJ", 10**3), ("J", 10**6), ("kJ", 10**9))
_SIZES = (("B", 1), ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("TiB", 1 << 40))


def show(value: float, unit: Unit) -> str:
    """The quantity as a person reads it, to three significant digits, without trailing zeros.

    ``1.23 ms``, ``78 MiB``, ``1 234/s``, ``98.1 %``; the latency of a dropped query is ``never``. A share
    below 1 is given as many digits as it takes not to read ``100 %``. ``parse`` reads all but ``never``,
    negative values and shares over 1 back.
    """
    if not math.isfinite(value):
        return str(value)
    if value < 0:
        return f"-{show(-value, unit)}"
    if unit == "ns" and value >= NEVER_NS:
        return "never"
    if unit == "ns":
        return _scaled(value, _TIMES)
    if unit == "bytes":
        return _scaled(value, _SIZES)
    if unit == "bytes_per_h":
        return f"{_scaled(value, _SIZES)}/h"
    if unit == "per_s":
        return _rate(value)
    if unit == "uj":
        return _scaled(value, _ENERGIES)
    if unit == "ratio":
        return f"{_percent(value)} %"
    return _plain(value)


def _scaled(value: float, steps: tuple[tuple[str, int], ...]) -> str:
    """In the first unit in which the rounded number stays below the next unit."""
    for (name, factor), (_, following) in pairwise(steps):
        text = _digits(value / factor)
        if float(_GAPS.sub("", text)) * factor < following:
            return f"{text} {name}"
    name, factor = steps[-1]
    return f"{_digits(value / factor)} {name}"


def _rate(value: float) -> str:
    if float(f"{value:.0f}") < 100_000:
        return f"{_digits(value)}/s"
    for name, factor, following in (("k", 10**3, 10**6), ("M", 10**6, 10**9)):
        text = _digits(value / factor)
        if float(_GAPS.sub("", text)) * factor < following:
            return f"{text} {name}/s"
    return f"{_digits(value / 10**9)} G/s"


def _percent(share: float) -> str:
    if share >= 1:
        return _digits(share * 100)
    for digits in range(3, 18):
        text = f"{share * 100:.{digits}g}"
        if float(text) < 100:
            return text
    return "100"


def _digits(number: float) -> str:
    """Three significant digits below 1000; above, the whole number in groups of three."""
    if float(f"{number:.3g}") < 1000:
        return f"{number:.3g}"
    if number >= 1e15:
        return f"{number:.3g}"
    return f"{number:,.0f}".replace(",", " ")


def _plain(number: float) -> str:
    if number == 0 or 1e-3 <= number < 1e4:
        return f"{number:.4g}"
    return f"{number:,.0f}".replace(",", " ") if 1e4 <= number < 1e9 else f"{number:.3g}"
