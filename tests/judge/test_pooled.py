"""The promise of the pool: decided by bets on each process's share of calls over the limit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bench.contract.model import ScenarioSettings
from bench.device.records import CALLS_PER_TIMING
from bench.judge.pooled import Shares, bets, is_open, is_pooled, pool_verdict, shares_over
from bench.results import Block, Failure, Figure, Outcome, ProcessRun
from tests.judge.cases import requirement

LIMIT = 1e6
P90 = requirement("single-stream", "latency p90", LIMIT)
POOLED = ScenarioSettings("single-stream", processes=1000, least_processes=1, pooled=True)


def run(count: int) -> ProcessRun:
    return ProcessRun(0, blocks=(Block(count, count, 0, 10**9, 0),), timings_count=count)


def latencies(over: int, count: int) -> np.ndarray:
    return np.array([999_999] * (count - over - 1) + [1_000_000] + [1_000_001] * over, np.uint64)


def test_the_share_counts_what_is_over_and_not_what_equals_the_limit() -> None:
    assert shares_over(P90, run(100), latencies(7, 100)).looser == pytest.approx(0.07)
    assert shares_over(P90, run(100), latencies(0, 100)).looser == 0.0
    assert shares_over(replace(P90, limit=1.0), run(100), latencies(0, 100)).looser == 1.0


def test_a_process_that_failed_or_has_no_latencies_tells_nothing() -> None:
    failed = replace(run(100), failure=Failure("WorkerCrashed", "gone", phase="measure"))
    assert shares_over(P90, failed, latencies(0, 100)) == Shares()
    assert shares_over(P90, run(0), None) == Shares()
    overlapped = replace(run(100), blocks=(Block(100, 800, 0, 10**9, 0),))
    assert shares_over(P90, overlapped, latencies(0, 100)) == Shares()
    timed_together = replace(overlapped, facts={CALLS_PER_TIMING: 8})
    assert shares_over(P90, timed_together, latencies(0, 100)) == shares_over(P90, run(100), latencies(0, 100))


def test_only_percentiles_are_pooled_and_only_where_it_is_promised() -> None:
    assert is_pooled(P90, POOLED)
    assert not is_pooled(P90, replace(POOLED, pooled=False))
    assert not is_pooled(requirement("single-stream", "latency mean", LIMIT), POOLED)
    assert not is_pooled(requirement("single-stream", "throughput", 1.0), POOLED)


def told(share: float, processes: int) -> list[Shares]:
    return [Shares(share, share)] * processes


def figure(*own: float) -> Figure:
    return Figure("latency p90", "ns", 9e5, 8e5, 2e6, own, 1000)


def test_the_verdict_says_what_was_promised_and_names_the_worst_process() -> None:
    met = pool_verdict(P90, figure(9e5, 3e6), bets(P90, told(0.0, 56), POOLED), POOLED)
    assert met.outcome is Outcome.MET
    assert "the pool of all calls keeps its p90 (0.000% of the calls of 56 processes were over it" in met.reason
    assert "error rate 1 %; the worst process: 3 ms" in met.reason
    missed = pool_verdict(P90, figure(3e6), bets(P90, told(0.9, 9), POOLED), POOLED)
    assert missed.outcome is Outcome.MISSED
    assert "misses its p90 (90.000% of the calls" in missed.reason


def test_an_interval_within_the_limit_is_not_enough() -> None:
    """Three perfect processes say little of the pool: a fourth may be slow in every call."""
    narrow = Figure("latency p90", "ns", 9e5, 8e5, 9.5e5, (9e5,) * 3, 3000)
    found = bets(P90, told(0.0, 3), POOLED)
    one = pool_verdict(P90, narrow, found, POOLED)
    assert one.outcome is Outcome.UNDECIDED
    assert "is open" in one.reason and "more processes would have to agree" in one.reason
    assert is_open(P90, found, 60, POOLED)
    assert not is_open(P90, found, 30, POOLED)


def test_what_is_not_measured_stays_so() -> None:
    missing = Figure("latency p90", "ns", None, why_not="too few")
    assert pool_verdict(P90, missing, bets(P90, [], POOLED), POOLED).outcome is Outcome.NOT_MEASURED


def test_inside_a_zone_the_answer_that_comes_sooner_is_waited_for() -> None:
    """Nearly as many calls are over the looser edge as may be, and all are over the stricter: *missed* is near."""
    p50, zone = requirement("single-stream", "latency p50", LIMIT), replace(POOLED, indifference=0.05)
    seen = [Shares(0.45, 1.0)] * 6
    assert is_open(p50, bets(p50, seen, zone), 3, zone)
    assert "at least 3 more processes" in pool_verdict(p50, figure(1e6), bets(p50, seen, zone), zone).reason
    assert bets(p50, [*seen, *seen[:3]], zone).keeps is False
