"""What an undecided verdict says: how far it got, the interval, and what it would take. Pure.

How much longer to measure is a guess from the interval's width, which shrinks with the root of the time, as if the
value stayed where it is.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import get_args

from bench import units
from bench.contract.model import Requirement, ScenarioSettings
from bench.contract.scenario_words import MOST_PROCESSES
from bench.metrics import LOST, MEMORY, METERED, SOAK, START_PHASES, Unit, max_rate_of, percentile_of
from bench.results import Figure, ProcessRun
from bench.stats.pool import told_from

MOST_TIMES = 100
"""Measuring longer than so many times is no advice."""
NEAR = 0.1
"""How far from its limit, as a share of it, a value may be and count as near it."""
ZONES = (0.01, 0.02, 0.05, 0.1)
"""Zones of indifference that may be advised."""
ALIKE = 0.9
"""Of the processes: where so many are on one side, half of all cases are decided after 13."""
SLOW_START_NS = 1_000_000_000
"""A start that takes so long is a part of what a further process costs."""
GO_ON = "go on with --resume, or give a larger --time-budget"
MENDED = "measure again once that is mended"
NUMBERS = "give samples that it answers with numbers"
LESS = "ask for a lower `rate`, or give it more `workers`"
WHOLE = "let it measure to its end"
PRESET = "leave out what shortens it (`time`, `queries`, a time budget)"
"""What helps where something forbids to call a case met."""
_LONGER = re.compile(r"(?:measure|search) longer \(`(?:search )?time[^)]*\)")
_OF_PROCESSES = frozenset(metric.name for metric in (*MEMORY, *METERED, *START_PHASES, *LOST))
"""Metrics whose interval runs from the lowest process to the highest."""
_UNITS: dict[str, Unit] = {unit: unit for unit in get_args(Unit)}
_SOAKED = frozenset(metric.name for metric in SOAK)


def of_the_budget(reason: str, runs: Sequence[ProcessRun], scenario: ScenarioSettings) -> str:
    """The reason, with a larger budget advised in place of a longer ``time`` where a budget cut that short."""
    left = [one.budget_ns for one in runs if one.budget_ns is not None]
    if not left:
        return reason
    short = f"{units.show(min(left), 'ns')} of {units.show(scenario.process_ns, 'ns')}"
    return _LONGER.sub(f"measure anew with a larger `--time-budget`, which left a process {short}", reason)


def interval_of(figure: Figure) -> str:
    """``interval 4.1 ms to 5.3 ms``; where there is none yet how far the processes reach; nothing of what is exact."""
    told = [one for one in figure.processes if one is not None]
    if figure.low is None or figure.high is None:
        reach = f"processes from {_shown(min(told), figure)} to {_shown(max(told), figure)}" if told else ""
        return f"no interval yet, {reach}" if reach else ""
    return f"interval {_shown(figure.low, figure)} to {_shown(figure.high, figure)}"


def why_open(figure: Figure, requirement: Requirement, looser: Requirement, stricter: Requirement) -> str:
    """Why an interval leaves it open, what it rests on, and what would decide it."""
    told = [one for one in figure.processes if one is not None]
    inside = sum(_kept(requirement, one) for one in told)
    divided = 0 < inside < len(told)
    if requirement.metric in _OF_PROCESSES and divided:
        said = f"some processes are within the limit and some are not ({inside} of {len(told)} are within it"
        remedy = "find out why they differ"
        if requirement.block != "soak":
            remedy = "`processes: adaptive` judges the typical one"
        return f"{said}; {interval_of(figure)}): {remedy}"
    what = "the processes fall on both sides of the limit" if divided else "the limit lies inside the interval"
    by = f"{inside} of {len(told)} processes are within it; " if len(told) > 1 else ""
    return f"{what} ({by}{interval_of(figure)}{_behind(figure)}): {_remedy(figure, looser, stricter, divided)}"


def how_many(so_far: int, more: int, scenario: ScenarioSettings, start_ns: float = 0.0) -> str:
    """What an adaptive case would take: ``more`` processes that agree, and how to allow them.

    ``start_ns`` is what one takes to start; it is said where it is long.
    """
    each = f"each measures for {units.show(scenario.process_ns, 'ns')} at most"
    each += f", and takes {units.show(start_ns, 'ns')} to start" if start_ns >= SLOW_START_NS else ""
    said = f"at least {more} more processes would have to agree ({each})"
    if so_far + more <= scenario.processes:
        return f"{said}: {GO_ON}"
    if so_far + more > MOST_PROCESSES:
        return f"{said}: more than {MOST_PROCESSES} are never started; {_zone(scenario)}"
    most = min(MOST_PROCESSES, max(2 * scenario.processes, so_far + 2 * more))
    return f"{said}: allow more of them (`processes: {scenario.least_processes or 1}..{most}`)"


def too_short(metric: str, each: int, scenario: ScenarioSettings) -> str:
    """What helps where most processes could not tell: of a percentile that takes more calls than ``each``, how long."""
    q = percentile_of(metric)
    if q is None or not 0 < each < min(told_from(q), scenario.max_queries):
        return "most processes were too short to tell: measure longer (`time`)"
    seconds = math.ceil(2 * told_from(q) / each * scenario.max_ns / 1e9)
    needs = f"a {metric.removeprefix('latency ')} takes {told_from(q):,} independent ones of each at least"
    return f"processes of {each} calls are too short to tell, {needs}: measure longer (`time: {seconds} s`)"


def by_a_zone(figure: Figure, requirement: Requirement, scenario: ScenarioSettings) -> str:
    """The zone of indifference that would soon decide what few more processes do not; "" where none would.

    That is the narrowest of ``ZONES`` with ``ALIKE`` of the processes on one side of one of its edges, where there are
    not so many on one side of the limit itself.
    """
    if scenario.indifference or max(_sides(figure, requirement, 0.0)) >= ALIKE:
        return ""
    zone = next((one for one in ZONES if max(_sides(figure, requirement, one)) >= ALIKE), None)
    if zone is None:
        return ""
    return f", or say how near to it no answer is needed (`indifference: {units.show(zone, 'ratio')}`)"


def _sides(figure: Figure, requirement: Requirement, zone: float) -> tuple[float, float]:
    """The shares of the processes that keep the zone's looser edge, and that miss its stricter one."""
    wider = zone if requirement.direction == "at most" else -zone
    looser, stricter = (replace(requirement, limit=requirement.limit * (1 + one)) for one in (wider, -wider))
    told, many = [one for one in figure.processes if one is not None], max(1, len(figure.processes))
    return sum(_kept(looser, one) for one in told) / many, sum(not _kept(stricter, one) for one in told) / many


def _zone(scenario: ScenarioSettings) -> str:
    if scenario.indifference:
        return "change the limit"
    return "change the limit, or say how near to it no answer is needed (`indifference: 2 %`)"


def _remedy(figure: Figure, looser: Requirement, stricter: Requirement, divided: bool) -> str:
    """What would narrow the interval: more time, and more processes where there are several."""
    time = "search longer (`search time`)" if max_rate_of(figure.metric) else "measure longer (`time` in the contract)"
    if divided and looser.block != "soak":
        return f"{time}, or let the typical process be judged (`processes: adaptive`)"
    times = _times(figure, looser, stricter)
    if times > MOST_TIMES and not _is_near(figure, looser):
        more = "" if looser.block == "soak" else ", and in more processes (`processes`)"
        return f"the interval is far too wide to tell: {time}{more}"
    if times > MOST_TIMES:
        near = "the value is so near to the limit that measuring longer would hardly tell"
        return f"{near}: say how near no answer is needed (`indifference: 2 %`)" if looser is stricter else near
    if looser.block != "soak" and len(figure.processes) > 1:
        return f"{time}, or in more processes (`processes`): about {times:.2g} times as much in all"
    return f"{time}: about {times:.2g} times as long"


def _is_near(figure: Figure, requirement: Requirement) -> bool:
    return figure.value is not None and abs(figure.value - requirement.limit) <= NEAR * abs(requirement.limit)


def _times(figure: Figure, looser: Requirement, stricter: Requirement) -> float:
    """How many times as much measuring would narrow the interval to what the nearer answer needs: (now / needed)²."""
    if figure.value is None or figure.low is None or figure.high is None:
        return math.inf
    sign = 1 if looser.direction == "at most" else -1
    up, down = figure.high - figure.value, figure.value - figure.low
    towards_miss, towards_keep = (up, down) if sign > 0 else (down, up)
    rooms = (sign * (looser.limit - figure.value), towards_miss), (sign * (figure.value - stricter.limit), towards_keep)
    narrower = min((half / room for room, half in rooms if room > 0), default=math.inf)
    return max(1.1, narrower**2) if narrower < MOST_TIMES else math.inf


def _behind(figure: Figure) -> str:
    return f" of {figure.count:,} queries" if figure.metric not in _SOAKED and figure.count else ""


def _kept(requirement: Requirement, value: float) -> bool:
    return value <= requirement.limit if requirement.direction == "at most" else value >= requirement.limit


def _shown(value: float, figure: Figure) -> str:
    return units.show(value, unit_named(figure.unit))


def unit_named(name: str) -> Unit:
    """The unit that a stored figure names."""
    return _UNITS.get(name, "number")
