"""Adaptive cases that promise the pool of all calls: whether a percentile holds over the calls of all fresh processes.

``stats.betting`` decides it from each process's share of calls over the limit. What is no percentile (a mean, a
throughput, a start) is still the typical process's (``typical``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from bench import units
from bench.contract.model import Requirement, ScenarioSettings
from bench.judge.timing import overlapped
from bench.judge.undecided import how_many, interval_of
from bench.judge.verdict import edges, keeps, verdict, within_zone
from bench.metrics import percentile_of
from bench.results import Figure, Outcome, ProcessRun, Verdict
from bench.stats.betting import Bets, decide, more_alike


def is_pooled(requirement: Requirement, scenario: ScenarioSettings) -> bool:
    """Whether the pool's bets decide the requirement."""
    return scenario.pooled and percentile_of(requirement.metric) is not None


@dataclass(frozen=True)
class Shares:
    """Which share of a process's calls took longer than the limit; with a zone of indifference, than its two edges.

    None where the process has no latency of a call.
    """

    looser: float | None = None
    stricter: float | None = None


def shares_over(
    requirement: Requirement, run: ProcessRun, latencies: NDArray[np.uint64] | None, indifference: float = 0.0
) -> Shares:
    """Of one process."""
    if not run.is_whole or latencies is None or not len(latencies) or overlapped(run):
        return Shares()
    values, counts = np.unique(latencies, return_counts=True)
    return Shares(*(_share_over(one, values, counts) for one in edges(requirement, indifference)))


def _share_over(limit: Requirement, values: NDArray[np.uint64], counts: NDArray[np.intp]) -> float:
    first = int(np.searchsorted(values, np.uint64(limit.limit)))
    while first < len(values) and keeps(limit, float(values[first])):
        first += 1
    return float(counts[first:].sum()) / int(counts.sum())


def bets(requirement: Requirement, shares: Sequence[Shares], scenario: ScenarioSettings) -> Bets:
    """The answer of the processes so far."""
    stricter = [one.stricter for one in shares] if scenario.indifference else None
    return decide([one.looser for one in shares], _most(requirement), scenario.error_rate, stricter)


def is_open(requirement: Requirement, found: Bets, left: int, scenario: ScenarioSettings) -> bool:
    """Whether it is undecided, and ``left`` further processes could decide it."""
    return found.keeps is None and _more(requirement, found, scenario) <= left


def pool_verdict(
    requirement: Requirement, figure: Figure, found: Bets, scenario: ScenarioSettings, start_ns: float = 0.0
) -> Verdict:
    """The verdict that the bets give: decided at the error rate, or undecided with what it would take.

    ``start_ns`` is what a process takes to start.
    """
    one = verdict(requirement, figure, scenario.indifference)
    if one.outcome is Outcome.NOT_MEASURED or found.share is None:
        return one
    name = requirement.metric.removeprefix("latency ") + within_zone(scenario.indifference)
    seen = _seen(requirement, figure, found, scenario)
    if found.keeps is None:
        remedy = how_many(found.processes, _more(requirement, found, scenario), scenario, start_ns)
        told = f"whether the pool of all calls keeps its {name} is open ({seen}; {interval_of(figure)}): {remedy}"
        return replace(one, outcome=Outcome.UNDECIDED, reason=told)
    verb = "keeps" if found.keeps else "misses"
    outcome = Outcome.MET if found.keeps else Outcome.MISSED
    return replace(one, outcome=outcome, reason=f"the pool of all calls {verb} its {name} ({seen})")


def _seen(requirement: Requirement, figure: Figure, found: Bets, scenario: ScenarioSettings) -> str:
    """The shares over the limit (or over the zone's edges), the error rate and the worst process."""
    over = "it"
    if found.stricter_share is not None:
        looser, stricter = (units.show(one.limit, one.unit) for one in edges(requirement, scenario.indifference))
        over = f"{looser}, {found.stricter_share:.3%} over {stricter}"
    told = [value for value in figure.processes if value is not None]
    worst = f"; the worst process: {units.show(max(told), requirement.unit)}" if told else ""
    rate = units.show(scenario.error_rate, "ratio")
    return f"{found.share:.3%} of the calls of {found.processes} processes were over {over}, error rate {rate}{worst}"


def _most(requirement: Requirement) -> float:
    q = percentile_of(requirement.metric)
    assert q is not None
    return round(1 - q, 9)


def _more(requirement: Requirement, found: Bets, scenario: ScenarioSettings) -> int:
    """Further processes for the answer that the processes so far speak for; to wait for the other would be vain.

    Within a zone of indifference they may speak for both: then for the sooner one.
    """
    most = _most(requirement)
    over = found.share if found.stricter_share is None else found.stricter_share
    answers = [True] if found.share is None or found.share <= most else []
    answers += [False] if over is not None and over > most else []
    return min(more_alike(found, most, keeps_it, scenario.error_rate) for keeps_it in answers)
