"""The votes of an adaptive case as its processes come, and whether a further process is needed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bench.contract.model import Requirement
from bench.judge.disturbed import without
from bench.judge.independent import Answer, Called, Counting, answer, called, is_counted, votes_error_rate
from bench.judge.metered import is_untold
from bench.judge.pooled import Shares, bets, is_open, is_pooled, shares_over
from bench.judge.readings import Reading, is_voted, reading, vote
from bench.judge.serving import late_harness
from bench.judge.timing import is_timed, overlapped
from bench.judge.verdict import edges
from bench.metrics import THROUGHPUT, percentile_of
from bench.plan import Case
from bench.results import ProcessRun
from bench.stats.betting import Bets
from bench.stats.pool import told_from
from bench.stats.sequential import Decision, Votes, can_be_decided, decide

LEAST = 3
"""Processes that an adaptive case takes, whatever it asks for: artifact size and accuracy alone are not voted on."""
MOST_FAILURES = 3
"""So many failed processes end an adaptive case."""


class Ballot:
    """The votes of an adaptive case as its processes come; says when no further process is needed.

    ``cut`` leaves the disturbed blocks out; None: as the case asks for it.
    """

    def __init__(self, case: Case, cut: bool | None = None) -> None:
        self.scenario = case.scenario
        self._cut = case.scenario.leave_out_disturbed if cut is None else cut
        own = [one for one in case.requirements if one.block == case.scenario.scenario]
        pooled = [one for one in own if is_pooled(one, self.scenario)]
        self.shares: dict[Requirement, list[Shares]] = {one: [] for one in pooled}
        voted = [one for one in own if is_voted(one.metric) and one not in self.shares]
        self.readings: dict[Requirement, list[Reading]] = {one: [] for one in voted}
        self.calls: dict[Requirement, list[Called | None]] = {
            one: [] for one in voted if is_counted(one, self.scenario)
        }
        self._answers = {one: Answer() for one in self.calls}
        self._late = 0
        self._runs: list[ProcessRun] = []
        self._timings: list[int] = []

    def add(self, run: ProcessRun, latencies: NDArray[np.uint64] | None) -> None:
        """A process run that has ended, whatever became of it."""
        if self._cut:
            run, latencies = without(run, latencies)
        self._runs.append(run)
        self._timings.append(0 if latencies is None else len(latencies))
        late = bool(late_harness([run]))  # its latencies are of other arrivals than were asked for
        self._late += late
        for requirement, found in self.readings.items():
            is_mute = late and requirement.metric.startswith("latency")
            found.append(Reading() if is_mute else reading(requirement.metric, run, latencies))
        for requirement, shares in self.shares.items():
            told = shares_over(requirement, run, latencies, self.scenario.indifference)
            shares.append(Shares() if late else told)
        for requirement, calls in self.calls.items():
            calls.append(called(requirement, run, latencies, self.scenario.indifference))
            if self._answers[requirement].is_open:
                self._answers[requirement] = answer(requirement, calls, self.scenario)

    def votes(self, requirement: Requirement) -> tuple[Votes, Votes, Votes]:
        """The processes' votes about the limit, and about the looser and the stricter edge of its zone."""
        looser, stricter = edges(requirement, self.scenario.indifference)
        voters = self.readings[requirement][self.voters_from(requirement) :]
        about = [[vote(limit, one) for one in voters] for limit in (requirement, looser, stricter)]
        return about[0], about[1], about[2]

    def decision(self, requirement: Requirement) -> Decision:
        """The answer of the processes so far."""
        votes, looser, stricter = self.votes(requirement)
        return decide(votes, self.error_rate(requirement), looser, stricter)

    def error_rate(self, requirement: Requirement) -> float:
        """Of the votes: what is left where calls are counted beside them."""
        return votes_error_rate(self.scenario) if requirement in self.calls else self.scenario.error_rate

    def answer(self, requirement: Requirement) -> Answer:
        """What counting the calls of the processes so far says, where each call is promised."""
        return self._answers[requirement]

    def voters_from(self, requirement: Requirement) -> int:
        """How many processes, from the first, do not vote: those whose calls were counted."""
        if requirement not in self.calls:
            return 0
        after = self.answer(requirement).votes_after
        return len(self.calls[requirement]) if after is None else after

    def counting(self) -> Counting | None:
        """What ends the next process by its calls; None where anything timed is no percentile whose calls count."""
        timed = [one for one in self.readings if is_timed(one.metric)]
        if not self.calls or len(timed) > len(self.calls):
            return None
        return Counting(timed, self.scenario, {one: self.answer(one) for one in timed})

    def bets(self, requirement: Requirement) -> Bets:
        """The answer of the processes so far where the pool is promised."""
        return bets(requirement, self.shares[requirement], self.scenario)

    @property
    def closed(self) -> bool:
        """Whether every requirement is decided, or what is still open cannot be in the processes that are left."""
        failed = [one.failure for one in self._runs if one.failure is not None]
        if len(failed) >= MOST_FAILURES or any(one.error == "MeasurementInvalid" for one in failed):
            return True
        if len(self._runs) < max(self.scenario.least_processes or 1, LEAST):
            return False
        left = self.scenario.processes - len(self._runs)
        if any(is_open(one, self.bets(one), left, self.scenario) for one in self.shares) and not self._are_late:
            return False
        return not any(self._is_open(requirement, left) for requirement in self.readings)

    def _is_open(self, requirement: Requirement, left: int) -> bool:
        counted = self.answer(requirement) if requirement in self.calls else None
        if counted is not None and counted.votes_after is None:
            return counted.keeps is None and left > 0
        found = self.decision(requirement)
        hopeless = any(overlapped(one) for one in self._runs) and requirement.metric != THROUGHPUT.name
        hopeless = hopeless or any(is_untold(requirement.metric, one) for one in self._runs)
        hopeless = hopeless or self._is_too_short(requirement, found)
        hopeless = hopeless or (requirement.metric.startswith("latency") and self._are_late)
        return found.keeps is None and not hopeless and can_be_decided(found, left, self.error_rate(requirement))

    @property
    def _are_late(self) -> bool:
        """Whether all processes so far saw other arrivals than were asked for: their latencies will not be measured."""
        return self._late == len(self._runs) >= LEAST

    def _is_too_short(self, requirement: Requirement, found: Decision) -> bool:
        """Whether most processes could not tell, because each made fewer calls than the percentile takes to be kept.

        The next one would be alike.
        """
        q, made = percentile_of(requirement.metric), self._timings[self.voters_from(requirement) :]
        return q is not None and 2 * found.unclear > len(made) >= LEAST and max(made) < told_from(q)
