"""From base units to what a person reads: three significant digits."""

from __future__ import annotations

import math
from itertools import pairwise

from bench.device.records import NEVER_NS
from bench.metrics import Unit
from bench.units.kinds import GAPS

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
        if float(GAPS.sub("", text)) * factor < following:
            return f"{text} {name}"
    name, factor = steps[-1]
    return f"{_digits(value / factor)} {name}"


def _rate(value: float) -> str:
    if float(f"{value:.0f}") < 100_000:
        return f"{_digits(value)}/s"
    for name, factor, following in (("k", 10**3, 10**6), ("M", 10**6, 10**9)):
        text = _digits(value / factor)
        if float(GAPS.sub("", text)) * factor < following:
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
