"""The fields of a worker's records, each read strictly: a worker may be anybody's, on a board for one.

All raise ValueError or TypeError for what is not as it should be.
"""

from __future__ import annotations

import re
from itertools import pairwise
from math import isfinite
from typing import Any, cast

from bench import typed_json
from bench.device.operators import Operator
from bench.results import Crew, DeviceTime, Json, Profile

MAX_LINE_CHARACTERS = 500
MAX_NAME_CHARACTERS, MOST_TIMES = 40, 20
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|[^\S \t\n]|[^\s\x21-\U0010ffff]|[\x7f-\x9f\ud800-\udfff]")


def crew(fields: dict[str, Any]) -> Crew:
    if "workers" not in fields:
        return Crew()
    names = [one for one in ("issues", "batch_max", "answered", "dropped", "timed_out") if one in fields]
    cores = tuple(whole(core) for core in fields["cores"])
    counts = {name: whole(fields[name]) for name in names}
    return Crew(whole(fields["workers"]), whole(fields["sessions"]), cores, **counts)


def device_times(fields: dict[str, Any]) -> tuple[DeviceTime, ...]:
    names = ("count", "mean_ns", "least_ns", "most_ns", "p50_ns", "p90_ns", "p99_ns")
    told = []
    for name, values in fields.items():
        one = DeviceTime(plain(name)[:MAX_NAME_CHARACTERS], *(whole(values[key]) for key in names))
        if one.count < 1 or not one.least_ns <= one.p50_ns <= one.p90_ns <= one.p99_ns <= one.most_ns:
            raise ValueError(f"times of {one.count} queries that are in no order")
        told.append(one)
    if len(told) > MOST_TIMES:
        raise ValueError(f"{len(told)} kinds of times")
    return tuple(told)


def profile(fields: dict[str, Any]) -> Profile:
    told = [
        Operator(
            plain(str(name))[:MAX_LINE_CHARACTERS], plain(str(kind))[:MAX_LINE_CHARACTERS], whole(ns), whole(calls)
        )
        for name, kind, ns, calls in fields["operators"]
    ]
    queries, batch, count, total_ns = (whole(fields[name]) for name in ("queries", "batch", "count", "total_ns"))
    if not 1 <= len(told) <= count or queries < 1 or sum(one.total_ns for one in told) > total_ns:
        raise ValueError(f"{len(told)} of {count} operators in {queries} queries, {total_ns} ns in all")
    return Profile(plain(str(fields["source"]))[:MAX_LINE_CHARACTERS], queries, batch, count, total_ns, tuple(told))


def one_of(value: object, names: tuple[str, ...]) -> str:
    if value not in names:
        raise ValueError(f"{value!r} is none of {', '.join(names)}")
    return str(value)


def whole(value: Any) -> int:
    """A count, a size or a time: an integer, not negative, of 64 bits."""
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < typed_json.INTEGER_LIMIT:
        raise ValueError(f"{value!r:.80} is no count")
    return value


def wholes(values: Any, aims: tuple[tuple[float, int], ...]) -> tuple[int, ...]:
    """One count for each aim."""
    if len(values) != len(aims):
        raise ValueError(f"{len(values)} counts for {len(aims)} aims")
    return tuple(whole(value) for value in values)


def rising(points: Any) -> tuple[tuple[float, float], ...]:
    """(rate, share) by rate: at least two, every rate above the one before."""
    curve = tuple((finite(rate), finite(share)) for rate, share in points)
    rates = [0.0, *(rate for rate, _ in curve), float("inf")]
    if len(curve) < 2 or not all(a < b for a, b in pairwise(rates)) or not all(0 <= share <= 1 for _, share in curve):
        raise ValueError(f"a curve of {len(curve)} points that does not rise from a rate above 0")
    return curve


def finite(value: Any) -> float:
    """A number that is one: neither infinite nor NaN, which no comparison would catch."""
    found = float(value)
    if not isfinite(found):
        raise ValueError(f"{value!r:.80} is no number")
    return found


def maybe_whole(value: Any) -> int | None:
    return None if value is None else whole(value)


def facts(value: Any) -> dict[str, Json]:
    """Free facts as they can be stored."""
    if not isinstance(value, dict):
        raise TypeError(f"{value!r:.80} is no object")
    return cast(dict[str, Json], typed_json.plain(value))


def lines(text: str, most: int) -> tuple[str, ...]:
    """The last lines of what a program wrote, fit to be shown on a terminal and in a report."""
    return tuple(line[:MAX_LINE_CHARACTERS] for line in plain(text).splitlines()[-most:])


def plain(text: str) -> str:
    """The text fit for any terminal: no control characters or lone surrogates; a carriage return begins a new line."""
    return _CONTROL.sub("", text.replace("\r", "\n"))
