"""Adaptive cases: each fresh process votes (``readings``, ``ballot``), and the typical one is judged.

What is asked is whether more than half of all fresh processes, each measured as long as these, show a figure within
the limit. ``stats.sequential`` decides it from the votes alone, at a stated error rate each way. So it does not matter
how the timings of one process depend on each other; a process whose own percentile is too uncertain to vote counts
against both answers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from statistics import median

from bench import units
from bench.contract.model import Requirement, ScenarioSettings
from bench.judge.readings import Reading
from bench.judge.undecided import by_a_zone, how_many, interval_of, too_short, unit_named
from bench.judge.verdict import edges, verdict, within_zone
from bench.metrics import LATENCY_MEAN, LOST, percentile_of
from bench.results import Figure, Outcome, Verdict
from bench.stats.pool import told_from
from bench.stats.sequential import Decision, interval, more_alike

_SHARES = frozenset(one.name for one in LOST)


def typical_figure(figure: Figure, readings: Sequence[Reading], error_rate: float, silent: int = 0) -> Figure:
    """The middle of the processes' own values, and the limits on which they leave the answer open.

    The first ``silent`` processes do not vote (``independent``): they stand beside it alone.

    ``figure`` is what was made of the pool: its unit and count are kept, and its reason where it is not measured.
    """
    own = tuple(one.value for one in readings)
    told = [one for one in own[silent:] if one is not None] or [one for one in own if one is not None]
    if not told:
        return figure
    voters = readings[silent:]
    low, high = interval([one.low for one in voters], [one.high for one in voters], error_rate)
    if low is None or high is None or low > high:
        low, high = None, None
    return Figure(figure.metric, figure.unit, float(median(told)), low, high, own, figure.count)


def typical_verdict(
    requirement: Requirement, figure: Figure, found: Decision, scenario: ScenarioSettings, start_ns: float = 0.0
) -> Verdict:
    """The verdict that the votes give: decided at the error rate, or undecided with how far they got.

    ``start_ns`` is what a process takes to start.
    """
    one = verdict(requirement, figure, scenario.indifference)
    if one.outcome is Outcome.NOT_MEASURED:
        return one
    rate, name = units.show(scenario.error_rate, "ratio"), _name(requirement.metric, scenario)
    votes, worst = _votes(requirement, found, scenario), _worst(requirement, figure)
    if found.keeps is None:
        outcome, said = Outcome.UNDECIDED, f"whether the typical fresh process keeps its {name} is open"
        seen = f"{votes}, error rate {rate}; {worst}; {interval_of(figure)}"
        remedy = _remedy(figure, found, scenario, start_ns) + by_a_zone(figure, requirement, scenario)
        told = f"{said} ({seen}): {remedy}"
    else:
        outcome = Outcome.MET if found.keeps else Outcome.MISSED
        verb = "keeps" if found.keeps else "misses"
        told = f"the typical fresh process {verb} its {name} ({votes}, error rate {rate}; {worst})"
    return replace(one, outcome=outcome, reason=told)


def untold(figure: Figure, processes: int, scenario: ScenarioSettings) -> Figure:
    """A percentile that was not measured because each of so many processes made too few calls for a vote."""
    q, each = percentile_of(figure.metric), figure.count // max(1, processes)
    if q is None or not 0 < each < told_from(q):
        return figure
    return replace(figure, why_not=too_short(figure.metric, each, scenario))


def exceptions(verdicts: Sequence[Verdict], scenario: ScenarioSettings) -> tuple[str, ...]:
    """One sentence a requirement that an adaptive case met though some of its processes are beyond the limit."""
    return tuple(told for one in verdicts if scenario.adaptive and (told := _exception(one)))


def _exception(one: Verdict) -> str:
    sign = 1 if one.direction == "at most" else -1
    told = [value for value in one.figure.processes if value is not None]
    beyond = [value for value in told if sign * (value - one.limit) > 0]
    if one.outcome is not Outcome.MET or not beyond:
        return ""
    worst = units.show(max(beyond, key=lambda value: sign * value), unit_named(one.unit))
    return f"{one.metric} is met, but {len(beyond)} of {len(told)} processes are beyond its limit: the worst {worst}"


def _votes(requirement: Requirement, found: Decision, scenario: ScenarioSettings) -> str:
    """``8 of 9 processes``; with a zone ``9 of 9 processes are within 5.1 ms, 2 of them above 4.9 ms``."""
    unclear = f", {found.unclear} could not tell" if found.unclear else ""
    if not scenario.indifference:
        return f"{found.within} of {found.votes} processes{unclear}" + (" kept it" if found.keeps is not None else "")
    looser, stricter = (units.show(one.limit, one.unit) for one in edges(requirement, scenario.indifference))
    within, beyond = ("within", "above") if requirement.direction == "at most" else ("at or above", "below")
    shown = f"of {found.votes} processes {found.within} are {within} {looser}, {found.outside} {beyond} {stricter}"
    return f"{shown}{unclear}"


def _name(metric: str, scenario: ScenarioSettings) -> str:
    """``p99``, ``mean latency``, ``share of dropped queries``; with a zone, how near to the limit is kept."""
    name = "mean latency" if metric == LATENCY_MEAN.name else metric.removeprefix("latency ")
    name = f"share of {name} queries" if metric in _SHARES else name
    return name + within_zone(scenario.indifference)


def _worst(requirement: Requirement, figure: Figure) -> str:
    told = [one for one in figure.processes if one is not None]
    if not told:
        return "no process has one of its own"
    worst = max(told) if requirement.direction == "at most" else min(told)
    return f"the worst: {units.show(worst, requirement.unit)}"


def _remedy(figure: Figure, found: Decision, scenario: ScenarioSettings, start_ns: float) -> str:
    """What it would take."""
    if 2 * found.unclear > found.votes:
        return too_short(figure.metric, figure.count // max(1, len(figure.processes)), scenario)
    more = min(more_alike(found, keeps_it, scenario.error_rate) for keeps_it in (True, False))
    return how_many(found.votes, more, scenario, start_ns)
