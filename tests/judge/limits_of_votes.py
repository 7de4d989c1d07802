"""What votes about a mean cannot see, on simulated processes whose truth is known: a table of the page on deciding."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from bench.judge.readings import reading, vote
from bench.stats.sequential import can_be_decided, decide
from tests.judge.cases import process, requirement

NS_PER_MS, RUNS, MOST, CALLS, NOISE = 1e6, 200, 40, 1000, 0.05
EXPONENT = 1.2
BLANK = process(0)
Rng = np.random.Generator


def levels(rng: Rng, share: float, few_ms: float, many_ms: float) -> NDArray[np.float64]:
    """The calls (ms) of one process: it takes ``few_ms`` with the chance ``share``, else ``many_ms``."""
    level = few_ms if rng.random() < share else many_ms
    return np.asarray(level * np.exp(NOISE * rng.normal(size=CALLS) - NOISE**2 / 2))


def heavy_tailed(rng: Rng) -> NDArray[np.float64]:
    """The calls (ms) of one process: at least 1 ms, and longer than x ms with the chance ``x**-EXPONENT``."""
    return np.asarray(1.0 + rng.pareto(EXPONENT, size=CALLS))


@dataclass(frozen=True)
class Line:
    """Processes of one kind, a limit on their mean latency, and the mean of all calls that there could be (ms)."""

    draw: Callable[[Rng], NDArray[np.float64]]
    limit_ms: float
    mean_ms: float


LINES: Mapping[str, Line] = {
    "four of five take 1 ms, one of five 10 ms": Line(partial(levels, share=0.2, few_ms=10.0, many_ms=1.0), 2.0, 2.8),
    "every second takes 3 ms, the others 1 ms": Line(partial(levels, share=0.5, few_ms=3.0, many_ms=1.0), 2.0, 2.0),
    "nine of ten take 1 ms, one of ten 3 ms": Line(partial(levels, share=0.1, few_ms=3.0, many_ms=1.0), 2.0, 1.2),
    "one of ten takes 1 ms, nine of ten 3 ms": Line(partial(levels, share=0.1, few_ms=1.0, many_ms=3.0), 2.0, 2.8),
    "calls with a heavy tail (Pareto, exponent 1.2)": Line(heavy_tailed, 5.5, EXPONENT / (EXPONENT - 1)),
}


def outcomes(name: str) -> tuple[int, int, int]:
    """Of ``RUNS`` runs of up to ``MOST`` processes: how many were met, missed, and stayed open."""
    line, rng = LINES[name], np.random.default_rng([20260101, *name.encode()])
    limit = requirement("single-stream", "latency mean", line.limit_ms * NS_PER_MS)

    def next_vote() -> bool | None:
        calls = np.asarray(line.draw(rng) * NS_PER_MS, dtype=np.uint64)
        return vote(limit, reading(limit.metric, BLANK, calls))

    found = [_run(next_vote) for _ in range(RUNS)]
    return found.count(True), found.count(False), found.count(None)


def _run(next_vote: Callable[[], bool | None]) -> bool | None:
    """Processes are started as a run starts them: until they decide, or those that are left could not."""
    votes: list[bool | None] = []
    while len(votes) < MOST and (now := decide(votes)).keeps is None and can_be_decided(now, MOST - len(votes)):
        votes.append(next_vote())
    return decide(votes).keeps
