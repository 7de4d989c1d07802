"""Requirement x target, for a run on several targets: which of them to deploy on, at a glance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bench.report import values
from bench.report.rows import Row
from bench.results import Outcome, Verdict

BY_TARGET = "by target"
LEGEND = "* clearly the best of its line: its interval lies clear of all others'"


@dataclass(frozen=True)
class Cell:
    """One requirement on one target; ``text`` is "" where there is no value.

    ``best``: its interval lies clear of every other target's.
    """

    outcome: Outcome
    text: str
    best: bool


@dataclass(frozen=True)
class Line:
    """One requirement on every target; a cell is None where it was not asked of that target."""

    block: str
    metric: str
    limit: str
    cells: tuple[Cell | None, ...]


def lines(every: Sequence[Row], targets: Sequence[str]) -> tuple[Line, ...]:
    """A line for each requirement of any target, in the order of the rows."""
    by_id: dict[str, dict[str, Verdict]] = {}
    for row in every:
        by_id.setdefault(row.verdict.requirement, {})[row.target] = row.verdict
    ordered = sorted(by_id.values(), key=lambda found: values.block_order(next(iter(found.values())).block))
    return tuple(_line(found, targets) for found in ordered)


def _line(found: dict[str, Verdict], targets: Sequence[str]) -> Line:
    first = next(iter(found.values()))
    limits = {values.limit(verdict) for verdict in found.values() if verdict.limit_text}
    limit = limits.pop() if len(limits) == 1 else BY_TARGET if limits else values.NOTHING
    verdicts = [found.get(target) for target in targets]
    return Line(first.block, values.name(first), limit, tuple(_cell(one, verdicts) for one in verdicts))


def _cell(one: Verdict | None, all_of_line: Sequence[Verdict | None]) -> Cell | None:
    if one is None:
        return None
    text = "" if one.figure.value is None else values.shown(one.figure.value, one.figure.unit)
    return Cell(one.outcome, text, _is_best(one, all_of_line))


def _is_best(one: Verdict, all_of_line: Sequence[Verdict | None]) -> bool:
    mine = _interval(one)
    others = [_interval(other) for other in all_of_line if other is not None and other is not one]
    told = [interval for interval in others if interval is not None]
    if mine is None or not told:
        return False
    if one.direction == "at most":
        return all(mine[1] < low for low, _ in told)
    return all(mine[0] > high for _, high in told)


def _interval(verdict: Verdict) -> tuple[float, float] | None:
    figure = verdict.figure
    if figure.value is None:
        return None
    exact = figure.low is None or figure.high is None
    low, high = (figure.value, figure.value) if exact else (figure.low, figure.high)
    return None if low is None or high is None else (low, high)
