"""How often three ways to decide are wrong about limits near the truth, on runs drawn from one population.

Votes are the project's own: each process's ``reading``, its ``vote``, and what ``decide`` makes of a run's. They are
held to the median process's percentile. The two rules that count calls get the pool of three processes, and are
held to what they are about, the percentile of the whole pool. At the truth itself every answer counts as wrong.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta

from bench.contract.scenario_words import ADAPTIVE
from bench.judge.readings import Reading, reading, vote
from bench.metrics import percentile_of
from bench.stats.sequential import decide
from tests.judge.cases import requirement
from tests.judge.populations import Population
from tests.judge.rules import by_calls, by_early_stopping

METRICS = ("latency p50", "latency p90", "latency p99")
FACTORS = (0.8, 0.9, 0.95, 1.0, 1.05, 1.1, 1.2)
POOLED = 3
"""Processes in the pool of the rules that count calls: as many as a case has by default."""
CONFIDENCE = 0.95
Draws = NDArray[np.intp]
"""One row a run: the processes that it meets, in order."""


@dataclass(frozen=True)
class Answers:
    """How often one way to decide said *met* and *missed* about a limit ``factor`` times the truth."""

    factor: float
    runs: int
    met: int
    missed: int
    processes: float | None = None
    """The median, where it was decided; None where it never was, or where the number is fixed."""

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


def drawn(processes: int, runs: int, seed: int) -> Draws:
    """Runs whose processes are drawn with replacement."""
    return np.random.default_rng(seed).integers(0, processes, (runs, ADAPTIVE.high))


def in_order(processes: int) -> Draws:
    """A run from each process on, of those that followed it; after the last comes the first."""
    starts = np.arange(processes)[:, None]
    return np.asarray((starts + np.arange(ADAPTIVE.high)) % processes, dtype=np.intp)


def tallies(population: Population, draws: Draws, factors: Sequence[float] = FACTORS) -> list[Tally]:
    """Every metric's tally."""
    quantiles = {metric: q for metric in METRICS if (q := percentile_of(metric)) is not None}
    by_rule: dict[str, list[tuple[int, int, int]]] = {metric: [] for metric in quantiles}
    for row in draws:
        pool = np.sort(np.concatenate([population.timings[one] for one in row[:POOLED]]))
        for metric, q in quantiles.items():
            by_rule[metric].append((*by_calls(pool, q), by_early_stopping(pool, q)))
    return [_tally(population, metric, draws, by_rule[metric], factors) for metric in quantiles]


def _tally(
    population: Population,
    metric: str,
    draws: Draws,
    by_rule: Sequence[tuple[int, int, int]],
    factors: Sequence[float],
) -> Tally:
    q = percentile_of(metric)
    assert q is not None
    typical, pooled = population.typical_ns(q), population.pool_ns(q)
    read = [reading(metric, run, own) for run, own in zip(population.runs, population.timings, strict=True)]
    return Tally(
        population.name,
        metric,
        typical,
        pooled,
        votes=tuple(_votes(metric, factor, factor * typical, read, draws) for factor in factors),
        calls=tuple(_calls(factor, factor * pooled, by_rule) for factor in factors),
        early=tuple(_early(factor, factor * pooled, by_rule) for factor in factors),
    )


def _votes(metric: str, factor: float, limit_ns: float, read: Sequence[Reading], draws: Draws) -> Answers:
    """What ``Ballot.decision`` says of each run; a process drawn twice votes the same twice."""
    limit = requirement("single-stream", metric, limit_ns)
    votes = [vote(limit, one) for one in read]
    found = [decide([votes[one] for one in row]) for row in draws.tolist()]
    after = [one.after for one in found if one.after is not None]
    met, missed = (sum(one.keeps is answer for one in found) for answer in (True, False))
    return Answers(factor, len(found), met, missed, median(after) if after else None)


def _calls(factor: float, limit_ns: float, by_rule: Iterable[tuple[int, int, int]]) -> Answers:
    answers = [True if high <= limit_ns else False if low > limit_ns else None for low, high, _ in by_rule]
    return Answers(factor, len(answers), answers.count(True), answers.count(False))


def _early(factor: float, limit_ns: float, by_rule: Sequence[tuple[int, int, int]]) -> Answers:
    """The rule says *met* or nothing: an estimate above the limit is no claim that it is missed."""
    return Answers(factor, len(by_rule), sum(estimate <= limit_ns for _, _, estimate in by_rule), 0)


def bound(wrong: int, runs: int) -> float:
    """The largest share of wrong answers that so few leave possible, at 95 % (Clopper & Pearson 1934, one-sided)."""
    return 1.0 if wrong == runs else float(beta.ppf(CONFIDENCE, wrong + 1, runs - wrong))


def worst(answers: Iterable[Answers]) -> Mapping[str, tuple[int, int]]:
    """The most wrong *met* and *missed* at any one limit, with the runs they are of."""
    kept = list(answers)
    met, missed = max(kept, key=lambda one: one.wrong_met), max(kept, key=lambda one: one.wrong_missed)
    return {"met": (met.wrong_met, met.runs), "missed": (missed.wrong_missed, missed.runs)}
