"""A process may stop early only where every timed requirement is plainly decided."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from bench.contract.model import Requirement
from bench.judge.stop import MAX_TIMINGS, StopRule
from bench.results import Block
from tests.judge.cases import requirement

PER_BLOCK = 50


def blocks(count: int, scale: float = 1.0, seed: int = 1) -> list[tuple[Block, NDArray[np.uint64]]]:
    """Blocks of 50 queries of about 1 ms."""
    rng = np.random.default_rng(seed)
    found = []
    for index in range(count):
        latencies = np.asarray(rng.lognormal(np.log(scale * 1e6), 0.1, PER_BLOCK), dtype=np.uint64)
        wall_ns = int(latencies.sum())
        found.append((Block(PER_BLOCK, PER_BLOCK, index * wall_ns, wall_ns, 0), latencies))
    return found


def stopped_after(*requirements: Requirement, count: int = 60, votes: bool = False, pooled: bool = False) -> int | None:
    """How many blocks the rule took to say stop; None if it never did."""
    rule = StopRule(requirements, votes, pooled=pooled)
    return next((index for index, one in enumerate(blocks(count), start=1) if rule.block(*one)), None)


P50, P99 = "latency p50", "latency p99"


@pytest.mark.parametrize(
    ("metric", "limit"),
    [(P50, 2e6), (P50, 0.5e6), (P99, 2e6), ("latency mean", 2e6), ("throughput", 100), ("throughput", 1e5)],
)
def test_a_far_limit_is_decided_early(metric: str, limit: float) -> None:
    found = stopped_after(requirement("single-stream", metric, limit))
    assert found is not None
    assert found < 20


@pytest.mark.parametrize(
    ("metric", "limit"), [(P50, 0.5e6), (P99, 0.5e6), ("latency mean", 0.5e6), ("throughput", 1e5)]
)
def test_a_server_may_stop_early_where_a_limit_is_plainly_missed(metric: str, limit: float) -> None:
    assert (stopped_after(requirement("server", metric, limit)) or 99) < 20


@pytest.mark.parametrize("votes", [False, True])
@pytest.mark.parametrize(("metric", "limit"), [(P50, 2e6), (P99, 1e9), ("latency mean", 2e6), ("throughput", 100)])
def test_a_server_never_stops_early_because_a_limit_is_met(metric: str, limit: float, votes: bool) -> None:
    """A queue that grows slowly looks short in the beginning, and that its process only votes helps nothing."""
    met, missed = requirement("server", metric, limit), requirement("server", P50, 0.5e6)
    assert stopped_after(met, votes=votes) is None
    assert stopped_after(met, missed, votes=votes) is None
    assert stopped_after(missed, votes=votes) is not None


@pytest.mark.parametrize(("metric", "limit"), [(P50, 1e6), (P50, 1.05e6), (P99, 1.3e6), ("throughput", 1000)])
def test_a_near_limit_is_never_decided(metric: str, limit: float) -> None:
    assert stopped_after(requirement("single-stream", metric, limit)) is None


def test_one_requirement_that_is_not_clear_keeps_the_process_going() -> None:
    far, near = requirement("single-stream", P50, 9e6), requirement("single-stream", "latency mean", 1e6)
    assert stopped_after(far, near) is None


def test_a_percentile_waits_for_the_timings_it_needs() -> None:
    found = stopped_after(requirement("single-stream", P99, 9e6))
    assert found is not None
    assert found * PER_BLOCK >= 368


def test_without_a_timed_requirement_the_least_is_enough() -> None:
    assert stopped_after(requirement("single-stream", "peak memory", 1), requirement("accuracy", "top-1", 0.9)) == 1


def test_a_percentile_that_is_promised_of_the_pool_never_ends_a_process_and_a_mean_still_does() -> None:
    """A share of slow calls is a process's own only if what they were did not end it."""
    for limit in (0.5e6, 2e6):
        far = requirement("single-stream", P50, limit)
        assert stopped_after(far, votes=True) is not None
        assert stopped_after(far, votes=True, pooled=True) is None
    assert stopped_after(requirement("single-stream", "throughput", 1e5), votes=True, pooled=True) is not None


def test_a_decision_stands() -> None:
    rule = StopRule([requirement("single-stream", P50, 2e6)])
    answers = [rule.block(*one) for one in blocks(30)]
    first = answers.index(True)
    assert all(answers[first:])


def test_the_first_look_waits_for_200_ms() -> None:
    rule = StopRule([requirement("single-stream", P50, 1e9)])
    short = [(Block(50, 50, 0, 1_000_000, 0), np.full(50, 20_000, dtype=np.uint64)) for _ in range(300)]
    answers = [rule.block(*one) for one in short]
    assert answers.index(True) == 199


def test_a_series_that_drifts_is_not_taken_for_clear_where_a_steady_one_is() -> None:
    near = requirement("single-stream", P50, 1.25e6)
    steady, drifting = StopRule([near]), StopRule([near])
    assert any(steady.block(*one) for one in blocks(12))
    assert not any(drifting.block(*one) for index in range(12) for one in blocks(1, 1 + index / 20, seed=index))


def test_beyond_two_million_timings_the_rule_holds_nothing_and_never_stops() -> None:
    rule = StopRule([requirement("single-stream", P50, 1e6)])
    latencies = np.tile(np.array([999_000, 1_001_000], dtype=np.uint64), 50_000)
    block = Block(len(latencies), len(latencies), 0, 10**11, 0)
    answers = [rule.block(block, latencies) for _ in range(MAX_TIMINGS // len(latencies) + 5)]
    assert not any(answers)
    assert rule.held_bytes == 0
