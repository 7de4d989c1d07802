"""The processes that the plots of votes draw from: simulated, so that the truth is known, judged by the real rules."""

from __future__ import annotations

from functools import lru_cache

from tests.judge.cases import requirement
from tests.judge.populations import Population, simulated
from tests.judge.wrong import QUANTILES, Voted, drawn, voted

KIND, PROCESSES, CALLS, SEED = "AR(1), correlation 0.95", 200, 2000, 20260101
METRICS = ("latency p50", "latency p90")
FACTORS = (0.8, 0.85, 0.9, 0.94, 0.96, 0.97, 0.98, 0.99, 1.0, 1.01, 1.02, 1.03, 1.04, 1.06, 1.1, 1.15, 1.2)


@lru_cache(maxsize=1)
def population() -> Population:
    """Each call of about 1 ms depends on the one before, and processes differ by 2 %."""
    return simulated(KIND, PROCESSES, CALLS, SEED)


@lru_cache(maxsize=len(METRICS))
def _voted(metric: str) -> dict[float, Voted]:
    truth = population().typical_ns(QUANTILES[metric])
    limits = {factor: requirement("single-stream", metric, factor * truth) for factor in FACTORS}
    found = voted(population(), list(limits.values()))
    return {factor: found[limit] for factor, limit in limits.items()}


def votes(metric: str, factor: float) -> list[bool | None]:
    """How each process votes on a limit of ``factor`` times the truth."""
    return list(_voted(metric)[factor].votes)


def measured_s(metric: str, factor: float) -> list[float]:
    """For how long each process measures for that limit, s."""
    after = _voted(metric)[factor].after
    return [float(own[:calls].sum()) / 1e9 for own, calls in zip(population().timings, after, strict=True)]


def runs(count: int, processes: int) -> list[list[int]]:
    """Runs of so many processes each, drawn with replacement."""
    rows: list[list[int]] = drawn(PROCESSES, count, SEED)[:, :processes].tolist()
    return rows
