"""How often three ways to decide are wrong about limits near the truth, on runs drawn from one population.

Votes are the project's own: each process ends where the stop rule ends it for that limit (unless whole processes are
asked for), its ``reading`` of the calls that it made gives its ``vote``, and ``decide`` makes the answer of a run's.
They are held to the percentile that the median process has of *all* its calls: so a rule that ends processes while they
look good is found out. The two rules that count calls get the pool of three whole processes, and are held to what they
are about, the percentile of the whole pool. At the truth itself every answer counts as wrong: no more than half of all
processes keep the limit that *met* is counted at there, and no fewer than half the one for *missed* (``Truth``).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import inf, nextafter
from statistics import median

import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta

from bench.contract.model import Requirement
from bench.contract.scenario_words import ADAPTIVE
from bench.judge.readings import reading, vote
from bench.stats.sequential import ERROR_RATE, decide, evidence
from tests.judge.cases import requirement
from tests.judge.ended import Ended
from tests.judge.populations import Population
from tests.judge.rules import by_calls, by_early_stopping

QUANTILES = {"latency p50": 0.5, "latency p90": 0.9, "latency p99": 0.99}
METRICS = tuple(QUANTILES)
AVERAGES = ("latency mean", "throughput")
FACTORS = (0.8, 0.9, 0.95, 1.0, 1.05, 1.1, 1.2)
POOLED = 3
"""Processes in the pool of the rules that count calls: as many as a case has by default."""
CONFIDENCE = 0.95
Draws = NDArray[np.intp]
"""One row a run: the processes that it meets, in order."""


@dataclass(frozen=True)
class Truth:
    """The median process's own figure, as two limits: neither *met* of the one nor *missed* of the other is right.

    They are one, unless several processes have the very median, as timings in whole ns may: then more than half keep a
    limit that is equal to it, and *met* is right there.
    """

    met: float
    """At most half of all processes keep it."""
    missed: float
    """At least half of all processes keep it."""

    @property
    def limits(self) -> tuple[float, ...]:
        """What is tried at the truth."""
        return tuple(dict.fromkeys((self.met, self.missed)))


def truth_of(own: Sequence[float], direction: str) -> Truth:
    """Of every process's own figure, for a limit of this direction."""
    middle = median(own)
    stricter = nextafter(middle, -inf if direction == "at most" else inf)
    within = sum(one <= middle if direction == "at most" else one >= middle for one in own)
    return Truth(middle if 2 * within <= len(own) else stricter, middle)


@dataclass(frozen=True)
class Answers:
    """How often one way to decide said *met* and *missed* about a limit ``factor`` times the truth."""

    factor: float
    runs: int
    met: int
    missed: int
    processes: float | None = None
    """The median, where it was decided; None where it never was, or where the number is fixed."""
    calls: float | None = None
    """How many the median process made before it ended; None where all are taken."""
    within: float = 0.0
    """The share of all processes that vote so."""
    outside: float = 0.0

    @property
    def wrong_met(self) -> int:
        """*Met* where the limit is not above the truth."""
        return self.met if self.factor <= 1 else 0

    @property
    def wrong_missed(self) -> int:
        """*Missed* where the limit is not below the truth."""
        return self.missed if self.factor >= 1 else 0

    @property
    def decided(self) -> float:
        """The share that got an answer."""
        return (self.met + self.missed) / self.runs


@dataclass(frozen=True)
class Tally:
    """One population and metric: what is true, and the answers of each way at each limit."""

    population: str
    metric: str
    typical_ns: float
    pool_ns: float
    votes: tuple[Answers, ...]
    calls: tuple[Answers, ...]
    early: tuple[Answers, ...]


def drawn(processes: int, runs: int, seed: int, most: int = ADAPTIVE.high) -> Draws:
    """Runs whose processes are drawn with replacement."""
    return np.random.default_rng(seed).integers(0, processes, (runs, most))


def in_order(processes: int) -> Draws:
    """A run from each process on, of those that followed it; after the last comes the first."""
    starts = np.arange(processes)[:, None]
    return np.asarray((starts + np.arange(ADAPTIVE.high)) % processes, dtype=np.intp)


@dataclass(frozen=True)
class Voted:
    """How each process votes on one limit, and after how many of its calls it ended for it."""

    votes: Sequence[bool | None]
    after: Sequence[int]


class Judged:
    """A population and how its processes vote on each limit, whichever runs they are drawn into.

    ``whole`` processes do not end early, as where another requirement keeps them measuring.
    """

    def __init__(self, population: Population, factors: Sequence[float] = FACTORS, *, whole: bool = False) -> None:
        self._population, self._factors = population, factors
        self._sorted = [np.sort(one) for one in population.timings]
        self._truths = {metric: truth(population, metric) for metric in QUANTILES}
        limits = {
            requirement("single-stream", metric, limit)
            for metric, true in self._truths.items()
            for factor in factors
            for limit in limits_at(true, factor)
        }
        self._voted = voted(population, sorted(limits, key=lambda one: (one.metric, one.limit)), whole=whole)

    def tallies(self, draws: Draws, name: str = "") -> list[Tally]:
        """Every metric's tally; ``name`` is another one for the population."""
        by_rule: dict[str, list[tuple[int, int, int]]] = {metric: [] for metric in METRICS}
        for row in draws:
            pool = np.sort(np.concatenate([self._sorted[one] for one in row[:POOLED]]), kind="stable")
            for metric, q in QUANTILES.items():
                by_rule[metric].append((*by_calls(pool, q), by_early_stopping(pool, q)))
        return [self._tally(metric, draws, by_rule[metric], name) for metric in METRICS]

    def _tally(self, metric: str, draws: Draws, by_rule: Sequence[tuple[int, int, int]], name: str) -> Tally:
        pooled, true = self._population.pool_ns(QUANTILES[metric]), self._truths[metric]
        return Tally(
            name or self._population.name,
            metric,
            true.missed,
            pooled,
            votes=tuple(votes_at(metric, true, one, self._voted, draws) for one in self._factors),
            calls=tuple(_calls(one, one * pooled, by_rule) for one in self._factors),
            early=tuple(_early(one, one * pooled, by_rule) for one in self._factors),
        )


def limits_at(true: Truth, factor: float) -> tuple[float, ...]:
    """The limits so many times the truth: for *met*, and another one for *missed* only at the truth itself."""
    return true.limits if factor == 1 else (factor * true.missed,)


def votes_at(metric: str, true: Truth, factor: float, by_limit: Mapping[Requirement, Voted], draws: Draws) -> Answers:
    """What votes say so many times the truth; at the truth itself, *met* of its one limit and *missed* of the other."""
    found = [
        votes_of(factor, by_limit[requirement("single-stream", metric, one)], draws) for one in limits_at(true, factor)
    ]
    return replace(found[0], missed=found[-1].missed, outside=found[-1].outside)


def at_the_truth(population: Population, metrics: Sequence[str], draws: Draws) -> dict[str, Answers]:
    """What votes say of limits at the truth, by metric."""
    found = {}
    for metric in metrics:
        true = truth(population, metric)
        limits = [requirement("single-stream", metric, one) for one in true.limits]
        found[metric] = votes_at(metric, true, 1.0, voted(population, limits), draws)
    return found


def tallies(
    population: Population, draws: Draws, factors: Sequence[float] = FACTORS, *, whole: bool = False
) -> list[Tally]:
    """Every metric's tally of one set of runs."""
    return Judged(population, factors, whole=whole).tallies(draws)


def truth(population: Population, metric: str) -> Truth:
    """The median process's own figure of all that it measured."""
    if metric in QUANTILES:
        return truth_of(population.own_ns(QUANTILES[metric]), "at most")
    each = zip(population.runs, population.timings, strict=True)
    own = [one for one in (reading(metric, run, timings).value for run, timings in each) if one is not None]
    return truth_of(own, requirement("single-stream", metric, 1.0).direction)


def voted(population: Population, limits: Sequence[Requirement], *, whole: bool = False) -> dict[Requirement, Voted]:
    """Every process's vote on every limit; one process at a time, so that what its limits share is soon forgotten."""
    votes: dict[Requirement, list[bool | None]] = {one: [] for one in limits}
    after: dict[Requirement, list[int]] = {one: [] for one in limits}
    for run, own in zip(population.runs, population.timings, strict=True):
        process = Ended(run, own, run.blocks)
        for limit in limits:
            calls = len(own) if whole else process.after(limit)
            votes[limit].append(vote(limit, process.reading(limit.metric, calls)))
            after[limit].append(calls)
    return {one: Voted(votes[one], after[one]) for one in limits}


def votes_of(factor: float, voted: Voted, draws: Draws) -> Answers:
    """What ``Ballot.decision`` says of each run; a process drawn twice votes the same twice."""
    found = [decide([voted.votes[one] for one in row]) for row in draws.tolist()]
    after = [one.after for one in found if one.after is not None]
    met, missed = (sum(one.keeps is answer for one in found) for answer in (True, False))
    sides = [sum(one is side for one in voted.votes) / len(voted.votes) for side in (True, False)]
    return Answers(factor, len(found), met, missed, median(after) if after else None, median(voted.after), *sides)


def _calls(factor: float, limit_ns: float, by_rule: Iterable[tuple[int, int, int]]) -> Answers:
    answers = [True if high <= limit_ns else False if low > limit_ns else None for low, high, _ in by_rule]
    return Answers(factor, len(answers), answers.count(True), answers.count(False))


def _early(factor: float, limit_ns: float, by_rule: Sequence[tuple[int, int, int]]) -> Answers:
    """The rule says *met* or nothing: an estimate above the limit is no claim that it is missed."""
    return Answers(factor, len(by_rule), sum(estimate <= limit_ns for _, _, estimate in by_rule), 0)


def answers_at(share: float, most: int = ADAPTIVE.high) -> list[tuple[float, float]]:
    """Exact chances to say *met*, and *missed*, at vote 1, 2 … ``most``, each *within* with chance ``share``."""
    still_open, found = {0: 1.0}, []
    for number in range(1, most + 1):
        after: dict[int, float] = {}
        for within, chance in still_open.items():
            after[within + 1] = after.get(within + 1, 0.0) + chance * share
            after[within] = after.get(within, 0.0) + chance * (1 - share)
        met = [one for one in after if evidence(one, number - one) >= 1 / ERROR_RATE]
        missed = [one for one in after if evidence(number - one, one) >= 1 / ERROR_RATE]
        found.append((sum(after.pop(one) for one in met), sum(after.pop(one) for one in missed)))
        still_open = after
    return found


def wrong_at_even_odds(most: int, share: float = 0.5) -> float:
    """The chance that so many votes, each *within* with the chance ``share``, ever say *met*."""
    return sum(met for met, _ in answers_at(share, most))


def bound(wrong: int, runs: int) -> float:
    """The largest share of wrong answers that so few leave possible, at 95 % (Clopper & Pearson 1934, one-sided)."""
    return 1.0 if wrong == runs else float(beta.ppf(CONFIDENCE, wrong + 1, runs - wrong))


def worst(answers: Iterable[Answers]) -> Mapping[str, tuple[int, int]]:
    """The most wrong *met* and *missed* at any one limit, with the runs they are of."""
    kept = list(answers)
    met, missed = max(kept, key=lambda one: one.wrong_met), max(kept, key=lambda one: one.wrong_missed)
    return {"met": (met.wrong_met, met.runs), "missed": (missed.wrong_missed, missed.runs)}
