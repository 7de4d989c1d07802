"""Figure x Requirement -> Verdict, and verdicts -> exit code. Pure.

A verdict comes from the interval, not from the point: met when all of it is inside the limit, missed
when all of it is outside, else undecided.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace

from bench.contract.model import Requirement
from bench.metrics import MEMORY, START_PHASES
from bench.results import Figure, Outcome, Verdict

EXIT_MET, EXIT_MISSED, EXIT_OPEN = 0, 1, 3
_ROUNDING = 1e-12
"""Relative: ``98.1 %`` and 981 of 1000 are one number, whatever their last binary digit."""
_OF_PROCESSES = frozenset(metric.name for metric in (*MEMORY, *START_PHASES))
"""Metrics whose interval runs from the lowest process to the highest."""


def verdict(requirement: Requirement, figure: Figure) -> Verdict:
    """What the figure says of the requirement, with a reason a person can read."""
    outcome, reason = _judge(requirement, figure)
    return Verdict(
        requirement=requirement.id,
        block=requirement.block,
        metric=requirement.metric,
        unit=requirement.unit,
        direction=requirement.direction,
        limit=requirement.limit,
        limit_text=requirement.text,
        outcome=outcome,
        figure=figure,
        reason=reason,
    )


def exit_code(verdicts: Iterable[Verdict]) -> int:
    """0 if every requirement is met, 1 if one is missed, else 3.

    No verdict at all is 3: nothing was missed, but nothing was shown either, and a gate must not open.
    """
    outcomes = {one.outcome for one in verdicts}
    if Outcome.MISSED in outcomes:
        return EXIT_MISSED
    return EXIT_MET if outcomes == {Outcome.MET} else EXIT_OPEN


def at_best_undecided(one: Verdict, why: str) -> Verdict:
    """The verdict once something forbids to call it met; a miss stays a miss."""
    if one.outcome is not Outcome.MET:
        return one
    return replace(one, outcome=Outcome.UNDECIDED, reason=f"{one.reason}, but {why}")


def _judge(requirement: Requirement, figure: Figure) -> tuple[Outcome, str]:
    if figure.value is None or not math.isfinite(figure.value):
        return Outcome.NOT_MEASURED, figure.why_not or "the figure is not a finite number"
    exact = figure.low is None or figure.high is None
    low = figure.value if figure.low is None else figure.low
    high = figure.value if figure.high is None else figure.high
    inside, outside = ("within", "above") if requirement.direction == "at most" else ("within", "below")
    what = "the value is" if exact else "all of the interval is"
    if _keeps(requirement, low) and _keeps(requirement, high):
        return Outcome.MET, f"{what} {inside} the limit"
    if not _keeps(requirement, low) and not _keeps(requirement, high):
        return Outcome.MISSED, f"{what} {outside} the limit"
    if requirement.metric in _OF_PROCESSES:
        return Outcome.UNDECIDED, "some processes are within the limit and some are not"
    return Outcome.UNDECIDED, _undecided(requirement, figure)


def _keeps(requirement: Requirement, value: float) -> bool:
    slack = abs(requirement.limit) * _ROUNDING
    if requirement.direction == "at most":
        return value <= requirement.limit + slack
    return value >= requirement.limit - slack


def _undecided(requirement: Requirement, figure: Figure) -> str:
    """Why, and what would narrow the interval: more processes where it is they that differ."""
    sides = {_keeps(requirement, one) for one in figure.processes if one is not None}
    if len(sides) > 1:
        return "the processes fall on both sides of the limit: measure more of them (`processes`)"
    remedy = "measure longer (`time` in the contract)"
    if len(figure.processes) > 1:
        remedy += " or in more processes (`processes`)"
    return f"the limit lies inside the interval: {remedy}"
