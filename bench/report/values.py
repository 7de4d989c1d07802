"""Values as a person reads them: limits with their direction, figures with their interval, the spread."""

from __future__ import annotations

import math
import re
from statistics import median
from typing import get_args

from bench.metrics import BLOCKS, Unit
from bench.report.text import shortened
from bench.results import Figure, Outcome, Verdict
from bench.units import show

NOTHING = "–"
SYMBOLS = {Outcome.MET: "✓", Outcome.MISSED: "✗", Outcome.UNDECIDED: "?", Outcome.NOT_MEASURED: "–"}
SIGNS = {"at most": "≤", "at least": "≥"}
_DIRECTION = re.compile(r"^\s*(?:at most|at least|<=|>=|≤|≥)\s*")
_UNITS: dict[str, Unit] = {unit: unit for unit in get_args(Unit)}


def limit(verdict: Verdict) -> str:
    """``≤ 5 ms``: the direction's sign and the limit as the user wrote it, so that nothing is rounded.

    ``≤ 5 ms ± 2 %`` where either answer is right so near to it.
    """
    sign = SIGNS.get(verdict.direction, "")
    text = shortened(_DIRECTION.sub("", verdict.limit_text), 24).strip()
    if not text and math.isfinite(verdict.limit):
        text = shown(verdict.limit, verdict.unit)
    zone = f" ± {shown(verdict.indifference, 'ratio')}" if verdict.indifference else ""
    return f"{sign} {text}{zone}".strip() if text else NOTHING


def measured(figure: Figure) -> str:
    """``1.23 ms [1.21, 1.31]``, ``998 µs [980 µs, 1.02 ms]``, ``1.23 ms`` without an interval, or ``–``.

    ``1.23 ms [≤ 9.81 ms]`` where the interval goes down to 0, which no time and no rate is below anyhow: it says
    nothing of how little it may be. One process's own value has no interval either.
    """
    if figure.value is None:
        return NOTHING
    value = shown(figure.value, figure.unit)
    alone = len(figure.processes) == 1 and figure.low == figure.high
    if figure.low is None or figure.high is None or alone:
        return value
    low, high = shown(figure.low, figure.unit), shown(figure.high, figure.unit)
    if figure.low <= 0 < figure.value and figure.unit in ("ns", "per_s"):
        return f"{value} [≤ {high}]"
    suffix = _suffix(value)
    if suffix and _suffix(low) == suffix == _suffix(high):
        low, high = low[: -len(suffix)].rstrip(), high[: -len(suffix)].rstrip()
    return f"{value} [{low}, {high}]"


def spread(figure: Figure) -> str:
    """How far the processes differ: highest less lowest, in percent of their median; ``–`` for fewer than 2."""
    told = [value for value in figure.processes if value is not None and math.isfinite(value)]
    middle = median(told) if len(told) > 1 else 0.0
    if not middle:
        return NOTHING
    percent = (max(told) - min(told)) / abs(middle) * 100
    return f"{percent:.1f} %" if percent < 10 else f"{percent:.0f} %"


def per_process(figure: Figure) -> str:
    """The value in each process run, each with its unit: ``804 µs, 812 µs, –``."""
    return ", ".join(NOTHING if value is None else shown(value, figure.unit) for value in figure.processes)


def block_order(block: str) -> int:
    """Where a block stands in a report: the scenarios, then quality, then what no block asks (artifact size)."""
    return BLOCKS.index(block) if block in BLOCKS else len(BLOCKS)


def name(verdict: Verdict) -> str:
    """The requirement's metric, harmless."""
    return shortened(verdict.metric, 60)


def outcome(verdict: Verdict) -> str:
    """``met``; ``met, throttled`` where it must not be read without that."""
    return f"{verdict.outcome.value}, {shortened(verdict.caveat, 24)}" if verdict.caveat else verdict.outcome.value


def _suffix(text: str) -> str:
    match = re.search(r"[^\d.,\s]*$", text)
    return match.group() if match else ""


def shown(value: float, unit: str) -> str:
    """The value with its unit, as ``units.show`` writes it; ``nan`` and ``inf`` as they are."""
    return show(value, _UNITS.get(unit, "number")) if math.isfinite(value) else str(value)
