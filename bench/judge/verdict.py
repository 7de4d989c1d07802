"""Figure x Requirement -> Verdict, and verdicts -> exit code. Pure.

A verdict comes from the interval, not from the point: met when all of it is inside the limit, missed
when all of it is outside, else undecided.

With a zone of indifference, a share of the limit, *met* says that the zone's looser edge is kept and *missed* that its
stricter edge is not: all of the interval is inside the one, or outside the other. Where both hold, the value says
which.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace

from bench import units
from bench.contract.model import Requirement
from bench.judge.undecided import interval_of, why_open
from bench.results import Figure, Outcome, Verdict

EXIT_MET, EXIT_MISSED, EXIT_OPEN = 0, 1, 3
_ROUNDING = 1e-12
"""Relative: ``98.1 %`` and 981 of 1000 are one number, whatever their last binary digit."""


def verdict(requirement: Requirement, figure: Figure, indifference: float = 0.0) -> Verdict:
    """What the figure says of the requirement, with a reason a person can read.

    ``indifference`` is the zone to either side of the limit, as a share of it.
    """
    outcome, reason = _judge(requirement, figure, indifference)
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
        indifference=indifference,
    )


def exit_code(verdicts: Iterable[Verdict]) -> int:
    """0 if every requirement is met, 1 if one is missed, else 3.

    No verdict at all is 3: nothing was missed, but nothing was shown either, and a gate must not open.
    """
    outcomes = {one.outcome for one in verdicts}
    if Outcome.MISSED in outcomes:
        return EXIT_MISSED
    return EXIT_MET if outcomes == {Outcome.MET} else EXIT_OPEN


def at_best_undecided(one: Verdict, why: str, remedy: str) -> Verdict:
    """The verdict once something forbids to call it met, with what would help; a miss stays a miss."""
    if one.outcome is not Outcome.MET:
        return one
    seen = interval_of(one.figure)
    told = f"{one.reason} ({seen})" if seen and seen not in one.reason else one.reason
    return replace(one, outcome=Outcome.UNDECIDED, reason=f"{told}, but {why}: {remedy}")


def _judge(requirement: Requirement, figure: Figure, indifference: float) -> tuple[Outcome, str]:
    if figure.value is None or not math.isfinite(figure.value):
        return Outcome.NOT_MEASURED, figure.why_not or "the figure is not a finite number"
    exact = figure.low is None or figure.high is None
    low = figure.value if figure.low is None else figure.low
    high = figure.value if figure.high is None else figure.high
    beyond = "above" if requirement.direction == "at most" else "below"
    what = "the value is" if exact else "all of the interval is"
    looser, stricter = edges(requirement, indifference)
    is_met = keeps(looser, low) and keeps(looser, high)
    is_missed = not keeps(stricter, low) and not keeps(stricter, high)
    if is_met and is_missed:
        is_met = keeps(requirement, figure.value)
    if is_met:
        far = "" if keeps(requirement, low) and keeps(requirement, high) else _by_zone(looser, indifference)
        return Outcome.MET, f"{what} within the limit{far}"
    if is_missed:
        far = _by_zone(stricter, indifference) if keeps(requirement, low) or keeps(requirement, high) else ""
        return Outcome.MISSED, f"{what} {beyond} the limit{far}"
    return Outcome.UNDECIDED, why_open(figure, requirement, looser, stricter)


def edges(requirement: Requirement, indifference: float) -> tuple[Requirement, Requirement]:
    """The requirement at the zone's looser edge, which *met* is about, and at its stricter one, which *missed* is."""
    if not indifference:
        return requirement, requirement
    wider = 1 + indifference if requirement.direction == "at most" else 1 - indifference
    return replace(requirement, limit=requirement.limit * wider), replace(
        requirement, limit=requirement.limit * (2 - wider)
    )


def within_zone(indifference: float) -> str:
    """`` within 2 %``, to be said after what is kept; nothing without a zone."""
    return f" within {units.show(indifference, 'ratio')}" if indifference else ""


def _by_zone(edge: Requirement, indifference: float) -> str:
    return f"{within_zone(indifference)} ({edge.direction} {units.show(edge.limit, edge.unit)})"


def keeps(requirement: Requirement, value: float) -> bool:
    """Whether the value is within the limit; a limit is kept by what equals it."""
    slack = abs(requirement.limit) * _ROUNDING
    if requirement.direction == "at most":
        return value <= requirement.limit + slack
    return value >= requirement.limit - slack
