"""Requirement x target, for a run on several targets: which of them to deploy on, at a glance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bench.report import values
from bench.report.rows import Row
from bench.results import Figure, Outcome, Verdict

BY_TARGET = "by target"
LEAST_OF_A_RANGE = 6
"""From so many processes on the lowest to the highest is an interval of 95 % for the median: 1 - 2 / 2^6 = 96.9 %."""
LEGEND = "* clearly the best of its line: its interval (or exact value) lies clear of all others'"


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
    """Whether its interval lies clear of those of all others that have a value; one without an interval hides it."""
    mine = _interval(one.figure)
    others = [other.figure for other in all_of_line if other is not None and other is not one]
    told = [_interval(figure) for figure in others if figure.value is not None]
    intervals = [interval for interval in told if interval is not None]
    if mine is None or not told or len(intervals) < len(told):
        return False
    if one.direction == "at most":
        return all(mine[1] < low for low, _ in intervals)
    return all(mine[0] > high for _, high in intervals)


def _interval(figure: Figure) -> tuple[float, float] | None:
    """Where the true value may lie; None where nothing tells it. What no process measures, like a size, is exact."""
    if figure.value is None:
        return None
    if not figure.processes:
        return (
            figure.value if figure.low is None else figure.low,
            figure.value if figure.high is None else figure.high,
        )
    told = [value for value in figure.processes if value is not None]
    if figure.low is None or figure.high is None or len(told) < 2:
        return None
    is_range = (figure.low, figure.high) == (min(told), max(told))
    return None if is_range and len(told) < LEAST_OF_A_RANGE else (figure.low, figure.high)
