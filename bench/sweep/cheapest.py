"""The cheapest configuration that keeps the contract, or the one that comes nearest to it. Pure.

Cheapest is: fewest threads, then least peak memory, then lowest latency (memory and latency in steps of 2 %).
Where rates are swept, a load is no price: it is the cheapest at the highest rate at which one keeps the contract.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from bench.judge.verdict import EXIT_MET, EXIT_MISSED, EXIT_OPEN
from bench.report import values
from bench.report.text import plural, shortened
from bench.results import Outcome, Verdict
from bench.sweep.axes import shown
from bench.sweep.pareto import stepped
from bench.sweep.rows import PEAK, Row, front_latency

WHOLE_REASON = 400
"""Characters in which a verdict's reason is whole, and a longer one is cut."""
ORDER = "fewest threads, then least peak memory, then lowest latency"


@dataclass(frozen=True)
class Nearest:
    """The configuration that misses by the least, and the requirement in which it is furthest off."""

    row: Row
    verdict: Verdict
    gap: float
    """How far the value lies beyond the limit, as a share of the limit; infinite where that says nothing."""


def exit_code(rows: Sequence[Row]) -> int:
    """0 if some configuration keeps the contract, 1 if each of them misses it, else 3."""
    outcomes = {row.outcome for row in rows}
    if Outcome.MET in outcomes:
        return EXIT_MET
    return EXIT_MISSED if outcomes == {Outcome.MISSED} else EXIT_OPEN


def cheapest(rows: Sequence[Row]) -> Row | None:
    """The cheapest configuration that keeps the contract; None where none is known to."""
    kept, latency = [row for row in rows if row.outcome is Outcome.MET], front_latency(rows)

    def price(row: Row) -> tuple[float, int, float, float]:
        return -row.rate, row.threads, stepped(row.value(PEAK)), stepped(row.value(latency))

    return min(kept, key=price, default=None)


def nearest(rows: Sequence[Row]) -> Nearest | None:
    """Of the configurations that miss, the one whose worst requirement is the least far off."""
    found = []
    for row in rows:
        gaps = [Nearest(row, one, gap(one)) for one in row.verdicts if one.outcome is Outcome.MISSED]
        if gaps:
            found.append(max(gaps, key=lambda one: one.gap))
    return min(found, key=lambda one: one.gap, default=None)


def gap(verdict: Verdict) -> float:
    """How far beyond its limit a value lies, as a share of the limit: 0.5 is half as much again, or half too little."""
    value, limit = verdict.figure.value, verdict.limit
    if value is None or not math.isfinite(value) or not math.isfinite(limit) or limit == 0:
        return math.inf
    beyond = value - limit if verdict.direction == "at most" else limit - value
    return max(0.0, beyond / abs(limit))


def sentence(rows: Sequence[Row], *, narrowed: bool = False) -> str:
    """One sentence: the cheapest that keeps the contract, or that none does and how near it came.

    ``narrowed``: only some requirements were asked about (``--only``).
    """
    what = "what was asked of it" if narrowed else "the contract"
    best = cheapest(rows)
    if best is not None:
        at = f" at {shown('rate', best.rate)}, the highest of these rates at which one does" if best.rate else ""
        left = _counts(rows, (Outcome.UNDECIDED, Outcome.NOT_MEASURED))
        known = f" as far as is known ({left})" if left else ""
        return f"The cheapest configuration that keeps {what}{at}{known}: {_short(best)} ({ORDER})"
    if all(row.outcome is None for row in rows):
        return "Nothing was required of these configurations, so nothing is judged"
    if exit_code(rows) == EXIT_MISSED:
        return f"No configuration keeps {what}; {_told(nearest(rows))}"
    return f"No configuration is shown to keep {what}: {_counts(rows)}; {_open(rows)}"


def _told(one: Nearest | None) -> str:
    if one is None:
        return "none was measured"
    value = values.shown(one.verdict.figure.value or 0.0, one.verdict.unit)
    by = f", {_percent(one.gap)} beyond" if math.isfinite(one.gap) else ""
    requirement = shortened(one.verdict.requirement, 60)
    return f"{_short(one.row)} comes nearest: its {requirement} is {value} ({values.limit(one.verdict)}{by})"


def _counts(
    rows: Sequence[Row], outcomes: Sequence[Outcome] = (Outcome.MISSED, Outcome.UNDECIDED, Outcome.NOT_MEASURED)
) -> str:
    told = []
    for outcome in outcomes:
        count = sum(row.outcome is outcome for row in rows)
        told += [f"{count} {outcome.value}"] if count else []
    return ", ".join(told)


def _open(rows: Sequence[Row]) -> str:
    """The configuration with the fewest open answers, and the first of them."""
    left = [(_unanswered(row), row) for row in rows if row.outcome in (Outcome.UNDECIDED, Outcome.NOT_MEASURED)]
    verdicts, row = min(left, key=lambda pair: (len(pair[0]), pair[1].outcome is Outcome.NOT_MEASURED))
    first = verdicts[0]
    more = f" (and {plural(len(verdicts) - 1, 'more')})" if len(verdicts) > 1 else ""
    why = shortened(first.reason or first.figure.why_not, WHOLE_REASON)
    return f"{_short(row)} is nearest: its {shortened(first.requirement, 60)} is {first.outcome.value}{more}: {why}"


def _unanswered(row: Row) -> list[Verdict]:
    return [one for one in row.verdicts if one.outcome in (Outcome.UNDECIDED, Outcome.NOT_MEASURED)]


def _percent(share: float) -> str:
    return f"{share * 100:.2g} %" if share < 1 else f"{share * 100:.0f} %"


def _short(row: Row) -> str:
    return shortened(row.name, 100)
