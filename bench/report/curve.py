"""Percentiles of several cases as bars of text, one line each, on one logarithmic scale: a plot for any terminal."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from bench.report.values import NOTHING
from bench.units import show

SHADES = ("█", "▓", "░")
"""Up to the p50, from there to the p90, from there to the p99."""
LEGEND = f"bars: {SHADES[0]} to p50, {SHADES[1]} to p90, {SHADES[2]} to p99, on a logarithmic scale"
LEAST_BAR, MOST_BAR = 10, 60
GAP = "  "


@dataclass(frozen=True)
class Bar:
    """One line: its label, three rising latencies (ns; None where not measured), and a word at its end."""

    label: str
    latencies_ns: tuple[float | None, float | None, float | None]
    note: str = ""


def lines(bars: Sequence[Bar], width: int) -> list[str]:
    """A heading, a line a bar, the scale, the legend: the values, and the bars in what is left of ``width``."""
    cells = [["", "p50", "p90", "p99"], *([bar.label, *map(_value, bar.latencies_ns)] for bar in bars)]
    widths = [max(len(row[column]) for row in cells) for column in range(4)]
    notes = max((len(bar.note) for bar in bars), default=0)
    room = max(LEAST_BAR, min(MOST_BAR, width - sum(widths) - 4 * len(GAP) - notes - 1))
    told = [value for bar in bars for value in bar.latencies_ns if value is not None and value > 0]
    low, high = _scale(told)
    drawn = ["", *(_bar(bar.latencies_ns, low, high, room) for bar in bars)]
    found = []
    for row, bar, note in zip(cells, drawn, ["", *(bar.note for bar in bars)], strict=True):
        text = GAP.join(cell.rjust(wide) for cell, wide in zip(row, widths, strict=True))
        found.append(f"{text}{GAP}{bar} {note}".rstrip())
    if told:
        indent = sum(widths) + 4 * len(GAP)
        ends = show(low, "ns"), show(high, "ns")
        found.append(f"{'':{indent}}{ends[0]:<{max(1, room - len(ends[1]))}}{ends[1]}")
    return [*found, LEGEND]


def _value(value: float | None) -> str:
    return NOTHING if value is None else show(value, "ns")


def _scale(told: Sequence[float]) -> tuple[float, float]:
    """A power of ten at or below the lowest, so that it has a bar too, and the highest."""
    if not told:
        return 1.0, 10.0
    low = 10.0 ** math.floor(math.log10(min(told)) - 1e-9)
    return low, max(max(told), low * 10)


def _bar(values: tuple[float | None, float | None, float | None], low: float, high: float, room: int) -> str:
    """Each shade from where the one before ended; what was measured is at least one cell long."""
    drawn = ""
    for value, shade in zip(values, SHADES, strict=True):
        if value is not None:
            share = math.log(max(value, low) / low) / math.log(high / low)
            end = min(room, max(1, round(share * room)))
            drawn += shade * (end - len(drawn))
    return drawn
