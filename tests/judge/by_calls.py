"""How often a verdict by counted calls is wrong, and how many calls it takes, by the project's own rule.

A run meets fresh processes, drawn with replacement. Each process's calls come in blocks, and it ends where ``Counting``
says so. Where the check refuses to count, those to come vote, and end where the stop rule ends them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np
from numpy.typing import NDArray

from bench.contract.model import Requirement, ScenarioSettings
from bench.judge.independent import MOST_CALLS, Answer, Called, Counting, answer, counted, most, votes_error_rate
from bench.metrics import percentile_of
from bench.stats.calls import Count, decide
from bench.stats.sequential import can_be_decided
from bench.stats.sequential import decide as decide_votes
from tests.judge.cases import process, requirement
from tests.judge.ended import Ended
from tests.judge.populations import Population

Timings = NDArray[np.uint64]
SETTINGS = ScenarioSettings("single-stream", processes=40, least_processes=1, counts_calls=True)
BLOCK = 2
"""Calls of the first blocks, as of a model of 10 ms; later ones are longer, so that a run is soon simulated."""
BLANK = process(0)


@dataclass(frozen=True)
class Ran:
    """What one run said, by what, and after how many calls and processes."""

    keeps: bool | None
    by_calls: bool
    calls: int
    """Those that were counted."""
    processes: int


@dataclass(frozen=True)
class Shares:
    """Of many runs about one limit: wrong answers, and those that calls gave or would not give."""

    runs: int
    met: int
    missed: int
    by_calls: int
    calls: float
    """The median."""


def run(limit: Requirement, draw: Callable[[], Timings], voted: Callable[[Timings], bool | None] | None = None) -> Ran:
    """One run; ``draw`` gives all the calls that the next process would make in its whole time, ``voted`` its vote."""
    told: list[Called | None] = []
    found = Answer()
    while found.keeps is None and found.votes_after is None:
        whole = draw()
        made = whole[: ended_after(Counting([limit], SETTINGS, {limit: found}), whole)]
        told.append(counted(limit, made[:MOST_CALLS]))
        found = answer(limit, told, SETTINGS)
    if found.keeps is not None:
        return Ran(found.keeps, True, found.count.calls, len(told))
    votes: list[bool | None] = []
    decided, rate = decide_votes(votes), votes_error_rate(SETTINGS)
    while can_be_decided(decided, SETTINGS.processes - len(told) - len(votes), rate) and decided.keeps is None:
        whole = draw()
        votes.append(Ended(BLANK, whole).vote(limit) if voted is None else voted(whole))
        decided = decide_votes(votes, rate)
    return Ran(decided.keeps, False, found.count.calls, len(told) + len(votes))


def ended_after(rule: Counting, whole: Timings) -> int:
    """How many of its calls a process makes."""
    first = 0
    while first < len(whole):
        size = max(BLOCK, first // 20)
        if rule.block(whole[first : first + size]):
            return min(first + size, len(whole))
        first += size
    return len(whole)


def shares(metric: str, limit_ns: float, factor: float, draw: Callable[[], Timings], runs: int) -> Shares:
    """So many runs about a limit that is ``factor`` times the truth."""
    limit = requirement("single-stream", metric, limit_ns)
    return _shares([run(limit, draw) for _ in range(runs)], factor)


def shares_of(population: Population, metric: str, factor: float, runs: int, seed: int) -> Shares:
    """The same of a population's processes, each of which votes the same whenever it is drawn."""
    q = percentile_of(metric)
    assert q is not None
    limit, rng = requirement("single-stream", metric, factor * population.typical_ns(q)), np.random.default_rng(seed)
    known: dict[int, bool | None] = {}

    def voted(whole: Timings) -> bool | None:
        if id(whole) not in known:
            known[id(whole)] = Ended(BLANK, whole).vote(limit)
        return known[id(whole)]

    def draw() -> Timings:
        return population.timings[rng.integers(len(population.timings))]

    return _shares([run(limit, draw, voted) for _ in range(runs)], factor)


def _shares(found: Sequence[Ran], factor: float) -> Shares:
    """Wrong is *met* where the limit is not above the truth, and *missed* where it is not below."""
    return Shares(
        len(found),
        sum(one.keeps is True for one in found) if factor <= 1 else 0,
        sum(one.keeps is False for one in found) if factor >= 1 else 0,
        sum(one.by_calls for one in found),
        median(one.calls for one in found),
    )


def independent_test(limit: Requirement, whole: Timings, least: int = 1) -> int:
    """Calls that the test of independent ones takes, each counted in full, from ``least`` on.

    It is looked at after each call, after the 100th each time that there are 1 % more.
    """
    over, calls = np.cumsum(counted(limit, whole).over).tolist(), least
    while calls < len(whole):
        count = Count(calls, over[calls - 1], over[calls - 1])
        if decide(count, most(limit), counted_as=1.0) is not None:
            return calls
        calls += max(1, calls // 100)
    return len(whole)
