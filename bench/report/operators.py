"""What a model's operators took, the costliest first: a table for a terminal, and JSON for other programs.

The document, version 1::

    {"format": "benchpact-profile", "version": 1, "exit_code": 0|3, "model", "model_version",
     "targets": [{"target", "backend", "facts", "versions", "failure": null or {error, message …},
                  "profile": null or {"source", "queries", "batch", "count", "total_ns",
                                      "operators": [{"name", "kind", "total_ns", "calls", "share"}]}}]}

``total_ns`` and ``calls`` are over all ``queries``; ``share`` is of the ``total_ns`` of all ``count`` operators.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from textwrap import wrap
from typing import Any

from bench.report import evidence
from bench.report.text import clean, plural, shortened
from bench.results import Profile, TargetProfile
from bench.units import show

VERSION = 1
HEADS = ("share", "a query", "calls", "operator", "name")
GAP, INDENT = 2, 2
MOST_KIND, LEAST_NAME = 32, 12
WHAT_IT_IS = "a profiler slows a model down: the shares say where its time goes, `benchpact run` how long a query takes"


def exit_code(found: Sequence[TargetProfile]) -> int:
    """0 where every target has its profile, else 3."""
    return 0 if all(one.profile is not None for one in found) else 3


def as_json(model: str, version: str, found: Sequence[TargetProfile], top: int) -> str:
    """The document above with the ``top`` costliest of each target, ASCII only."""
    targets = [
        {
            "target": one.target,
            "backend": one.backend,
            "facts": one.process.facts,
            "versions": one.process.versions,
            "failure": None if one.process.failure is None else asdict(one.process.failure),
            "profile": None if one.profile is None else _plain(one.profile, top),
        }
        for one in found
    ]
    head = {"format": "benchpact-profile", "version": VERSION, "exit_code": exit_code(found)}
    whole = {**head, "model": model, "model_version": version, "targets": targets}
    return json.dumps(whole, indent=2, ensure_ascii=True, allow_nan=False) + "\n"


def render(model: str, version: str, found: Sequence[TargetProfile], top: int, width: int) -> str:
    """The tables as text, each line of at most ``width`` columns where the words can be shortened."""
    lines = [clean(f"{model} {version}")]
    for one in found:
        lines.append("")
        if one.profile is None:
            failure = one.process.failure
            why = "its process told nothing" if failure is None else f"{failure.error}: {failure.message}"
            lines.append(clean(f"– {one.target}: not profiled: {why}"))
            continue
        lines += wrap(clean(f"{one.target}: {_head(one.profile)}"), width)
        lines += _indented(evidence.ran_in(one.process), width)
        lines += _table(one.profile, top, width)
        lines += _indented(clean(f"by {one.profile.source}"), width)
    if any(one.profile is not None for one in found):
        lines += ["", *wrap(WHAT_IT_IS, width)]
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _indented(text: str, width: int) -> list[str]:
    blank = " " * INDENT
    return wrap(text, width, initial_indent=blank, subsequent_indent=blank)


def _head(profile: Profile) -> str:
    a_query = f"a query of {plural(profile.batch, 'sample')}"
    took = show(profile.total_ns / profile.queries, "ns")
    operators = plural(profile.count, "operator")
    return f"{took} in {operators} of {a_query}, in the mean of {plural(profile.queries, 'query', 'queries')}"


def _table(profile: Profile, top: int, width: int) -> list[str]:
    """Share, time and calls of a query, kind and name of each operator; what is left in one line."""
    shown = profile.operators[:top]
    rows = [_row(profile, one.total_ns, one.calls, one.kind, one.name) for one in shown]
    left = profile.count - len(shown)
    if left:
        rest_ns = profile.total_ns - sum(one.total_ns for one in shown)
        rows.append(_row(profile, rest_ns, None, "others", plural(left, "operator")))
    rows = [(*row[:3], shortened(row[3], MOST_KIND), row[4]) for row in rows]
    widths = [max(len(row[column]) for row in (HEADS, *rows)) for column in range(len(HEADS) - 1)]
    room = max(LEAST_NAME, width - INDENT - sum(widths) - GAP * len(widths))
    return [_line(row, widths, room) for row in (HEADS, *rows)]


def _line(row: tuple[str, ...], widths: Sequence[int], room: int) -> str:
    numbers = [cell.rjust(wide) for cell, wide in zip(row[:3], widths[:3], strict=True)]
    return " " * INDENT + (" " * GAP).join([*numbers, row[3].ljust(widths[3]), shortened(row[4], room)])


def _row(profile: Profile, total_ns: int, calls: int | None, kind: str, name: str) -> tuple[str, ...]:
    share = f"{100 * total_ns / max(1, profile.total_ns):.1f} %"
    a_query = show(total_ns / profile.queries, "ns")
    return share, a_query, "" if calls is None else f"{calls / profile.queries:.3g}", clean(kind), clean(name)


def _plain(profile: Profile, top: int) -> dict[str, Any]:
    operators = [{**one._asdict(), "share": one.total_ns / max(1, profile.total_ns)} for one in profile.operators[:top]]
    return {**asdict(profile), "operators": operators}
