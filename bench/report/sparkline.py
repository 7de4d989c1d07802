"""A series over time as one line of text: a plot for any terminal."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from bench.judge.soak import held
from bench.results import ProcessRun
from bench.units import show

SHADES = "▁▂▃▄▅▆▇█"
WIDTH = 40


def line(values: Sequence[float], width: int = WIDTH) -> str:
    """One character for each of ``width`` equal pieces, by its highest value; the scale is lowest to highest."""
    width = min(width, len(values))
    cuts = [len(values) * at // max(1, width) for at in range(width + 1)]
    tops = [max(values[first:last]) for first, last in pairwise(cuts)]
    low, high = min(tops, default=0.0), max(tops, default=0.0)
    steps = (len(SHADES) - 1) / (high - low) if high > low else 0.0
    return "".join(SHADES[round((top - low) * steps)] for top in tops)


def memory(run: ProcessRun) -> str:
    """What a process of a soak held over time: ``▁▁▃▅█ 210 MiB at first, 230 MiB at last, in 2 h``; "" for another."""
    at_h, held_bytes = held(run)
    if len(at_h) < 2:
        return ""
    first, last = show(held_bytes[0], "bytes"), show(held_bytes[-1], "bytes")
    return f"{line(list(held_bytes))} {first} at first, {last} at last, in {show(at_h[-1] * 3600e9, 'ns')}"
