"""Adaptive cases that promise each call: a percentile is decided by counting calls, where nothing speaks against it.

Counting is right only where calls are independent, so that is checked (``stats.independence``): the calls of each
process as it ends, and all of them once they would decide. Where they plainly depend on each other, or the check speaks
against what would decide, or ``MOST`` processes left it open, calls decide nothing any more: the processes that come
after vote, as where the typical process is promised (``typical``). Those that were counted do not: they ended where
their calls looked clear, and such votes would be biased. What is no percentile is always voted on, by all processes.

Both ways together are wrong at most as often as the case states where calls are independent: counting takes a sixth
of that rate (``stats.calls``), the votes have half. What is left is for dependence that the check does not find.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from bench import units
from bench.contract.model import Requirement, ScenarioSettings
from bench.judge.timing import overlapped
from bench.judge.undecided import unit_named
from bench.judge.verdict import edges, keeps, verdict, within_zone
from bench.metrics import percentile_of
from bench.results import Figure, Outcome, ProcessRun, Verdict
from bench.stats.calls import Count, decide
from bench.stats.independence import Independence, independence

Timings = NDArray[np.uint64]

LEAST, MOST = 6, 8
"""Processes that must have been counted: fewer do not show that processes are alike. And those that are, at most."""
VOTES_SHARE = 0.5
"""Of the error rate, for the votes where calls are not counted."""
LEAST_CALLS = 8
"""Of a process, for it to be counted; fewer do not show whether they depend on each other."""
MOST_CALLS = 20_000
"""Of a process that are counted, its first."""


@dataclass(frozen=True)
class Called:
    """One process's calls that are counted, and which of them were over the limit."""

    latencies: Timings
    over: NDArray[np.bool_]
    count: Count

    @cached_property
    def own(self) -> Independence:
        """Whether they depend on each other, as far as one process can tell."""
        return check([self])


@dataclass(frozen=True)
class Answer:
    """What counting says so far."""

    keeps: bool | None = None
    """Whether each call keeps the percentile; None while that is open, and where the calls may not be counted."""
    count: Count = field(default_factory=Count)
    processes: int = 0
    """Those that were counted."""
    found: Independence | None = None
    """What the check found that ended it; None where nothing did yet, or only the number of processes."""
    votes_after: int | None = None
    """The votes are those of the processes after so many; None while calls may still decide, and where they did."""

    @property
    def is_open(self) -> bool:
        """Whether further calls are counted."""
        return self.keeps is None and self.votes_after is None


def is_counted(requirement: Requirement, scenario: ScenarioSettings) -> bool:
    """Whether calls are counted for the requirement."""
    return scenario.counts_calls and percentile_of(requirement.metric) is not None


def votes_error_rate(scenario: ScenarioSettings) -> float:
    """Of the votes, where calls were counted before."""
    return scenario.error_rate * VOTES_SHARE


def called(
    requirement: Requirement, run: ProcessRun, latencies: Timings | None, indifference: float = 0.0
) -> Called | None:
    """A process's calls; None for one that failed, that has no latency of a call, or too few."""
    if not run.is_whole or latencies is None or overlapped(run) or len(latencies) < LEAST_CALLS:
        return None
    return counted(requirement, latencies[:MOST_CALLS], indifference)


def counted(requirement: Requirement, latencies: Timings, indifference: float = 0.0) -> Called:
    """These calls, held against the limit and the edges of its zone of indifference."""
    over = latencies >= _first_over(requirement)
    return Called(latencies, over, _count([_first_over(one) for one in edges(requirement, indifference)], latencies))


def _first_over(limit: Requirement) -> np.uint64:
    """The least timing that is over the limit."""
    least = np.uint64(max(0, int(limit.limit)))
    while keeps(limit, float(least)):
        least += np.uint64(1)
    return least


def _count(edges_ns: Sequence[np.uint64], latencies: Timings) -> Count:
    """``edges_ns``: the least timings that are over the looser edge, and over the stricter one."""
    return Count(len(latencies), *(int(np.count_nonzero(latencies >= one)) for one in edges_ns))


def answer(requirement: Requirement, processes: Sequence[Called | None], scenario: ScenarioSettings) -> Answer:
    """What the calls of these processes say, in order: it stands from the first process after which it was said."""
    told: list[Called] = []
    for number, one in enumerate(processes[:MOST], start=1):
        told += [] if one is None else [one]
        count = _sum(told)
        if one is not None and one.own.is_refuted:
            return Answer(None, count, len(told), one.own, number)
        found = None if len(told) < LEAST else decide(count, most(requirement), scenario.error_rate)
        if found is not None:
            seen = check(told)
            return Answer(found if seen.holds else None, count, len(told), seen, None if seen.holds else number)
    return Answer(None, _sum(told), len(told), None, MOST if len(processes) >= MOST else None)


def _sum(told: Sequence[Called]) -> Count:
    return sum((one.count for one in told), Count())


def check(processes: Sequence[Called]) -> Independence:
    """Whether these calls may be counted."""
    return independence([one.latencies for one in processes], [one.over for one in processes])


def most(requirement: Requirement) -> float:
    """Which share of calls may be over the limit."""
    return round(1 - (percentile_of(requirement.metric) or 0.0), 9)


class Counting:
    """Fed each block of one process run; says when it has its share of the calls that decide every requirement.

    ``LEAST`` processes must be counted, so each brings in its part: a process ends when so many of them, alike those so
    far, would decide, or when all those so far do.
    """

    def __init__(
        self, requirements: Sequence[Requirement], scenario: ScenarioSettings, before: Mapping[Requirement, Answer]
    ) -> None:
        self._scenario, self._before, self._calls = scenario, before, 0
        self._edges = {one: [_first_over(edge) for edge in edges(one, scenario.indifference)] for one in requirements}
        self._counts = {one: before[one].count for one in requirements}
        self._off = any(one.votes_after is not None for one in before.values())

    def block(self, latencies_ns: Timings) -> bool:
        """Take a block in; True where the process may end."""
        if self._off:
            return False
        for requirement, edges_ns in self._edges.items():
            self._counts[requirement] += _count(edges_ns, latencies_ns)
        self._calls += len(latencies_ns)
        if self._calls < LEAST_CALLS:
            return False
        self._off = self._calls > MOST_CALLS
        return all(self._would_decide(one, count) for one, count in self._counts.items())

    def _would_decide(self, requirement: Requirement, count: Count) -> bool:
        before = self._before[requirement]
        if before.keeps is not None:
            return True
        times = max(1.0, LEAST / (before.processes + 1))
        return decide(count, most(requirement), self._scenario.error_rate, times=times) is not None


def call_verdict(requirement: Requirement, figure: Figure, found: Answer, scenario: ScenarioSettings) -> Verdict:
    """The verdict that the count gives, where it decided; a percentile of too few calls to be told may be missed."""
    one, name = verdict(requirement, figure, scenario.indifference), _name(requirement, scenario)
    verb, outcome = ("keeps", Outcome.MET) if found.keeps else ("misses", Outcome.MISSED)
    rate = units.show(scenario.error_rate, "ratio")
    effective = 1.0 if found.found is None else found.found.effective
    stated = f"error rate {rate} if calls are as independent as these look"  # a burst that none met is not seen
    seen = f"{_seen(requirement, found, scenario)}, {stated}; effective timings {_percent(effective)} of them"
    return replace(one, outcome=outcome, reason=f"each call alone {verb} its {name} ({seen}{_worst(figure)})")


def voted_instead(one: Verdict, found: Answer) -> Verdict:
    """The typical process's verdict, with why its calls were not counted, or that they left it open."""
    if found.found is not None:
        share = _percent(found.found.effective)
        why = f"calls depend on each other, effective timings {share} of {found.count.calls:,}: so processes vote"
    else:
        why = f"{found.count.calls:,} calls of {found.processes} processes left it open"
    return one if one.outcome is Outcome.NOT_MEASURED else replace(one, reason=f"{one.reason}; {why}")


def _seen(requirement: Requirement, found: Answer, scenario: ScenarioSettings) -> str:
    """``3 of 412 calls of 4 processes were over it``; with a zone over each of its edges."""
    count, over = found.count, "it"
    if scenario.indifference:
        looser, stricter = (units.show(one.limit, one.unit) for one in edges(requirement, scenario.indifference))
        over = f"{looser}, {count.stricter:,} over {stricter}"
    return f"{count.looser:,} of {count.calls:,} calls of {found.processes} processes were over {over}"


def _percent(share: float) -> str:
    return f"{share * 100:.2g} %" if share < 0.995 else "100 %"


def _name(requirement: Requirement, scenario: ScenarioSettings) -> str:
    return requirement.metric.removeprefix("latency ") + within_zone(scenario.indifference)


def _worst(figure: Figure) -> str:
    told = [value for value in figure.processes if value is not None]
    return f"; the worst process: {units.show(max(told), unit_named(figure.unit))}" if told else ""
