"""From what is written to base units: exact, rounded once; each mistake is told with what would be right."""

from __future__ import annotations

import difflib
import math
import re
from decimal import Decimal

from bench.metrics import Unit
from bench.units.kinds import GAPS, KINDS, NUMBER_PATTERN, Kind

MAX_CHARACTERS = 64
_QUANTITY = re.compile(rf"(?P<number>{NUMBER_PATTERN})[ \u00a0\u202f]*(?P<unit>.*)", re.DOTALL)
_INFINITE = re.compile(r"[+-]?(?:\.?nan|\.?inf(?:inity)?)\b.*", re.IGNORECASE | re.DOTALL)


def parse(text: object, unit: Unit) -> float:
    """The quantity in its base unit: ``"5 ms"`` -> 5e6 ns, ``"97 %"`` -> 0.97.

    A number stands for itself where the unit is ``ratio`` or ``number``. Raises ValueError, with what
    is wrong and what would be right, for anything that is not a finite quantity of zero or more of
    that unit; a ratio is at most 1.
    """
    kind = KINDS[unit]
    written = _written(text, kind)
    match = _QUANTITY.fullmatch(written)
    if not match:
        raise ValueError(_no_number(written, kind))
    number, name = Decimal(GAPS.sub("", match["number"])), match["unit"]
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


def _written(text: object, kind: Kind) -> str:
    """What was written, as trimmed text; ValueError where it can be no quantity at all."""
    if isinstance(text, bool) or not isinstance(text, (str, int, float)):
        raise ValueError(f"{text!r} is not {kind.what}: write `{kind.example}`")  # noqa: TRY004 - one kind of error
    written = text.strip() if isinstance(text, str) else repr(text)
    if not written:
        raise ValueError(f"nothing is written: write {kind.what} like `{kind.example}`")
    if len(written) > MAX_CHARACTERS:
        raise ValueError(f"`{written[:20]}…` is not {kind.what}: write `{kind.example}`")
    return written


def _no_number(written: str, kind: Kind) -> str:
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
    kind = KINDS[unit]
    if name.startswith(","):
        return "commas are not read in numbers: write `1200` or `1.2`"
    if not re.match(r"[^\W\d_]|[/%]", name):
        return f"this is not {kind.what}: write one like `{kind.example}`"
    near = _near_unit(name, kind)
    if near is None:
        for other in KINDS.values():
            if name in other.units:
                return f"`{name}` is a unit of {other.what.split()[-1]}: write {kind.what} like `{kind.example}`"
        return f"`{name}` is not a unit: write {kind.what} like `{kind.example}`"
    bits = " (a small `b` means bits)" if unit == "bytes" and "b" in name and len(name) < 4 else ""
    return f"`{name}` is not a unit: did you mean `{near}`?{bits}"


def _near_unit(name: str, kind: Kind) -> str | None:
    """The unit of that kind that was probably meant: the same in another case, in meaning, in letters."""
    same = [known for known in kind.units if known.lower() == name.lower()]
    if same or name.lower() in kind.meant:
        return (same or [kind.meant[name.lower()]])[0]
    if any(name in other.units for other in KINDS.values()):
        return None
    near = difflib.get_close_matches(name, kind.units, n=1, cutoff=0.6)
    return near[0] if near else None


def _share_meant(written: str, name: str, value: float) -> str:
    if not name and value <= 100:
        return f"did you mean `{written} %`?"
    return "a share is at most 1, or 100 %"
