"""The highest rate that keeps a percentile, in a contract's words."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.contract.model import ScenarioSettings
from bench.jobs import job_for
from bench.plan import plan
from tests.contract.contracts import changed, loaded, problem, problems, scenario

OFFLINE = "offline: {batch: 64, throughput: 1200/s}"
SEARCH = "max rate under p99 10 ms: at least 500/s"


def text(words: str) -> str:
    return changed(OFFLINE, f"server: {{{words}}}")


def read(folder: Path, words: str) -> ScenarioSettings:
    return scenario(loaded(folder, text(words)).targets[0], "server")


def test_a_highest_rate_needs_no_rate(tmp_path: Path) -> None:
    found = read(tmp_path, SEARCH)
    assert (found.rate_per_s, found.search_ns, found.serves) == (0.0, 15 * 10**9, False)
    assert found.process_ns == 15 * 10**9
    assert found.min_search_ns == 5 * 10**9


def test_beside_a_rate_both_are_measured(tmp_path: Path) -> None:
    found = read(tmp_path, f"rate: 100/s, latency p99: 5 ms, time: 1 s, search time: 6 s, {SEARCH}")
    assert (found.serves, found.search_ns, found.process_ns) == (True, 6 * 10**9, 7 * 10**9)
    assert found.min_search_ns == 6 * 10**9, "what is written is what is searched"


def test_what_is_measured_at_a_rate_still_needs_one(tmp_path: Path) -> None:
    assert "does not say how often queries arrive" in problem(tmp_path, text(f"latency p99: 5 ms, {SEARCH}"))


def test_a_trace_has_no_highest_rate(tmp_path: Path) -> None:
    told = problems(tmp_path, text(f"trace: a.npy, latency p99: 5 ms, {SEARCH}"))
    assert any("a trace has one rate: to search for the highest, leave `trace` out" in one for one in told)


@pytest.mark.parametrize("name", ["max rate", "max rate under p99", "max rate under 10 ms", "max qps under p99 10 ms"])
def test_a_name_that_is_not_whole_is_told_how_it_is_written(tmp_path: Path, name: str) -> None:
    assert "write it like `max rate under p99 10 ms: 500/s`" in problem(tmp_path, text(f"rate: 9/s, {name}: 500/s"))


def test_a_highest_rate_is_at_least(tmp_path: Path) -> None:
    told = problem(tmp_path, text("max rate under p99 10 ms: at most 500/s"))
    assert "more is better here" in told


def test_the_worker_is_told_percentiles_limits_and_time(tmp_path: Path) -> None:
    words = f"rate: 100/s, latency p99: 5 ms, time: 1 s, search time: 6 s, {SEARCH}, max rate under p50 2 ms: 9/s"
    contract = loaded(tmp_path, text(words))
    (case,) = (one for one in plan(contract, only=["server"]).cases if one.target.name == "ort-1")
    job = job_for(contract, case, 0, case.scenario.process_ns, False)
    assert sorted(job.aims) == [[0.5, 2_000_000], [0.99, 10_000_000]]
    assert (job.search_ns, job.max_ns) == (6 * 10**9, 10**9)
    short = job_for(contract, case, 0, 700_000_000, False)
    assert (short.search_ns, short.max_ns) == (600_000_000, 100_000_000), "a time budget shortens both"
    assert (job.min_search_ns, short.min_search_ns) == (6 * 10**9, 600_000_000)


def test_no_time_is_kept_for_a_search_that_nobody_asked_for(tmp_path: Path) -> None:
    words = f"rate: 100/s, latency p99: 5 ms, time: 1 s, {SEARCH}"
    contract = loaded(tmp_path, text(words))
    (case,) = (one for one in plan(contract, only=["server latency p99"]).cases if one.target.name == "ort-1")
    assert case.scenario.process_ns == 10**9
    assert job_for(contract, case, 0, case.scenario.process_ns, False).aims == []


def test_a_search_loses_nothing(tmp_path: Path) -> None:
    told = problems(tmp_path, text(f"rate: 9/s, queue: 9, {SEARCH}"))
    assert any("with a free queue, in which nothing is lost: leave `queue` out" in one for one in told)


@pytest.mark.parametrize(
    ("words", "workers", "most"), [("workers: 2", 2, 1), ("max batch: 4", 1, 4), ("workers: 3, max batch: 2", 3, 2)]
)
def test_a_search_may_have_workers_and_batches(tmp_path: Path, words: str, workers: int, most: int) -> None:
    stateless = changed("  h: {dtype: float16, shape: [2, batch, 32]}\n", "", text(f"{words}, {SEARCH}"))
    stateless = changed("  h_out: {dtype: float16, shape: [2, batch, 32]}\n", "", stateless)
    contract = loaded(tmp_path, changed("state: {h: h_out}\n", "", stateless))
    (case,) = (one for one in plan(contract, only=["server"]).cases if one.target.name == "ort-1")
    job = job_for(contract, case, 0, case.scenario.process_ns, False)
    assert (job.workers, job.max_batch, job.aims) == (workers, most, [[0.99, 10_000_000]])
