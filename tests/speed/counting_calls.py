"""The promise of independent calls: how often it is wrong, and how many calls it takes beside the independent test."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import median

import numpy as np

from bench.judge.independent import LEAST, LEAST_CALLS
from tests.judge.by_calls import Shares, independent_test, run, shares_of
from tests.judge.cases import requirement
from tests.judge.populations import KINDS, Population, simulated
from tests.judge.wrong import METRICS, bound
from tests.speed.lines import Line, bounded

SEED, RUNS, PROCESSES, CALLS = 20260101, 400, 400, 1000
AT_MOST, BOUND = 0.01, 0.025
TARGET = "each ≤ 1 %, bound ≤ 2.5 %"
RARE = "bursts of 40 calls"
"""Come less often than a verdict has calls: what no check can see, so no target holds it."""
FACTORS, COMPARED, TIMES = (0.8, 0.95, 1.2), 300, 2.0
FEWEST = LEAST * LEAST_CALLS
"""Calls that we make however clear the answer is: no ratio is taken of those."""


def lines(recorded: Sequence[Population]) -> list[Line]:
    """At the truth, where each answer is wrong, each population and percentile; then the calls to a verdict."""
    made = {name: simulated(name, PROCESSES, CALLS, SEED) for name in KINDS}
    wrong = [wrong_line(one, metric) for one in (*made.values(), *recorded) for metric in METRICS]
    alike = [one for name, one in made.items() if not KINDS[name].effect]
    return [*wrong, *(calls_line(one, metric) for one in alike for metric in METRICS)]


def wrong_line(population: Population, metric: str) -> Line:
    """The share of runs that said *met*, and *missed*, at the truth."""
    return told(population.name, metric, shares_of(population, metric, 1.0, RUNS, SEED))


def told(population: str, metric: str, found: Shares) -> Line:
    """One line; that of bursts that are too rare has no target."""
    shares = {"met": found.met, "missed": found.missed}
    held = population != RARE
    text = ", ".join(f"{answer} {_percent(wrong, found.runs)}" for answer, wrong in shares.items())
    if held:
        text = ", ".join(
            f"{answer} {_percent(wrong, found.runs)} (bound {bound(wrong, found.runs) * 100:.1f} %)"
            for answer, wrong in shares.items()
        )
    kept = all(one / found.runs <= AT_MOST and bound(one, found.runs) <= BOUND for one in shares.values())
    by = f"decided by calls: {found.by_calls} of {found.runs}"
    what = f"by calls, {population}: {metric.removeprefix('latency ')}"
    return Line(what, text, by, None, TARGET if held else "none", kept if held else None)


def calls_line(population: Population, metric: str) -> Line:
    """The most calls beside the independent test's, of the limits that were tried."""
    found = [one for one in compared(population, metric) if one[0] > FEWEST]
    ours, theirs, factor = max(found, key=lambda one: one[0] / one[1], default=(FEWEST, FEWEST, 1.0))
    times = ours / theirs
    text = f"{times:.2f} times ({ours:g} calls beside {theirs:g}, at {factor:g} ×)"
    what = f"calls to a verdict, {population.name}: {metric.removeprefix('latency ')}"
    return bounded(what, text, f"≤ {TIMES:g} times", times <= TIMES)


def compared(population: Population, metric: str) -> Iterator[tuple[float, float, float]]:
    """Median calls of ours and of the independent test, which sees the same processes one after the other."""
    rng = np.random.default_rng(SEED)
    for factor in FACTORS:
        limit = requirement("single-stream", metric, factor * population.typical_ns(_quantile(metric)))
        ours, theirs = [], []
        for _ in range(COMPARED):
            drawn = [population.timings[one] for one in rng.integers(0, len(population.timings), 20)]
            ours.append(run(limit, iter(drawn * 3).__next__).calls)
            theirs.append(independent_test(limit, np.concatenate(drawn[:10])))
        yield median(ours), median(theirs), factor


def _quantile(metric: str) -> float:
    return float(metric.removeprefix("latency p")) / 100


def _percent(wrong: int, runs: int) -> str:
    return f"{wrong / runs * 100:.2f} %"
