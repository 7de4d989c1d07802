"""A case's process runs become figures and verdicts; what failed is never called met."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bench.contract.model import Contract, Requirement
from bench.judge.case import judge_case
from bench.plan import Case
from bench.results import Failure, Figure, Outcome, ProcessRun, Verdict
from tests.judge.cases import COUNT, CRASH, INVALID, SPENT, case, contract, latencies, process, requirement

MET, MISSED, UNDECIDED, NOT_MEASURED = Outcome.MET, Outcome.MISSED, Outcome.UNDECIDED, Outcome.NOT_MEASURED
P50 = requirement("single-stream", "latency p50", 2e6)
TIGHT = requirement("single-stream", "latency p50", 0.5e6)
CLOSE = requirement("single-stream", "latency p50", 1e6)
MEMORY = requirement("single-stream", "peak memory", 1e9)
SIZE = requirement("", "artifact size", 150)


def judged(
    one: Case, runs: Sequence[ProcessRun], folder: Path | Contract
) -> tuple[dict[str, Figure], dict[str, Verdict]]:
    whole = contract(folder) if isinstance(folder, Path) else folder
    figures, verdicts = judge_case(one, whole, runs, latencies, None)
    return {figure.metric: figure for figure in figures}, {verdict.metric: verdict for verdict in verdicts}


def three(*failures: Failure | None) -> list[ProcessRun]:
    return [process(index, failure=failure) for index, failure in enumerate(failures or (None, None, None))]


def test_every_figure_that_the_data_can_give_is_told(tmp_path: Path) -> None:
    figures, verdicts = judged(case(P50), three(), tmp_path)
    assert set(figures) == {
        "latency p50", "latency p90", "latency p95", "latency p99", "latency p99.9", "latency mean", "throughput",
        "peak memory", "added memory", "cold start", "start time", "import time", "load time", "first query time",
        "artifact size",
    }  # fmt: skip
    assert all(figure.value is not None for figure in figures.values())
    assert verdicts["latency p50"].outcome is MET


def test_figures_are_those_of_the_pool(tmp_path: Path) -> None:
    figures, _ = judged(case(P50), three(), tmp_path)
    everything = np.sort(np.concatenate([latencies(run) for run in three()]))
    assert figures["latency p99"].value == everything[int(np.ceil(0.99 * 3 * COUNT)) - 1]
    assert figures["latency p99"].count == 3 * COUNT
    assert len(figures["latency p99"].processes) == 3
    assert figures["latency mean"].value == pytest.approx(everything.mean())
    assert figures["throughput"].value == pytest.approx(100 / 0.102)


def test_memory_is_the_worst_process_and_times_are_the_middle_one(tmp_path: Path) -> None:
    figures, _ = judged(case(MEMORY), three(), tmp_path)
    memory, start = figures["peak memory"], figures["cold start"]
    assert (memory.low, memory.value, memory.high) == (100_000, 100_002, 100_002)
    assert figures["added memory"].value == 40_002
    assert (start.low, start.value, start.high) == (10_000_000, 10_000_001, 10_000_002)
    assert figures["load time"].processes == (3_000_000, 3_000_001, 3_000_002)


def test_the_size_is_that_of_the_artifact_really_used_with_its_companions(tmp_path: Path) -> None:
    figures, verdicts = judged(case(SIZE), three(), tmp_path)
    assert figures["artifact size"].value == 100
    assert verdicts["artifact size"].outcome is MET
    used = [replace(run, facts={"artifact": "openvino"}) for run in three()]
    figures, verdicts = judged(case(SIZE), used, tmp_path)
    assert figures["artifact size"].value == 300
    assert verdicts["artifact size"].outcome is MISSED


def test_an_artifact_that_no_process_could_open_keeps_no_size(tmp_path: Path) -> None:
    """Else a contract that asks for nothing but the size would be kept by a model that does not run."""
    whole = contract(tmp_path)
    assert judged(case(SIZE), three(CRASH, CRASH, CRASH), whole)[1]["artifact size"].outcome is NOT_MEASURED
    single = replace(whole, artifacts=whole.artifacts[:1])
    assert judged(case(SIZE), three(CRASH, CRASH, CRASH), single)[1]["artifact size"].outcome is NOT_MEASURED


def test_an_unsupported_percentile_is_not_measured_and_says_how_many_it_needs(tmp_path: Path) -> None:
    far = requirement("single-stream", "latency p99.99", 1e9)
    figures, verdicts = judged(case(far), three(), tmp_path)
    assert verdicts["latency p99.99"].outcome is NOT_MEASURED
    assert "p99.99 needs at least 36,887 timings, there are 6,000" in verdicts["latency p99.99"].reason
    figures, _ = judged(case(P50), three(), tmp_path)
    assert "latency p99.99" not in figures


@pytest.mark.parametrize("one", [P50, MEMORY])
def test_a_crash_in_one_process_keeps_every_requirement_from_being_met(tmp_path: Path, one: Requirement) -> None:
    verdict = judged(case(one), three(None, CRASH, None), tmp_path)[1][one.metric]
    assert verdict.outcome is UNDECIDED
    assert "1 of 3 processes failed: WorkerCrashed in measure: the worker was ended by SIGSEGV" in verdict.reason


def test_a_miss_stays_a_miss_whatever_failed(tmp_path: Path) -> None:
    assert judged(case(TIGHT), three(None, CRASH, None), tmp_path)[1]["latency p50"].outcome is MISSED


def test_figures_leave_out_the_processes_that_failed(tmp_path: Path) -> None:
    figures, _ = judged(case(P50), three(None, CRASH, None), tmp_path)
    assert figures["latency p50"].count == 2 * COUNT
    assert len(figures["peak memory"].processes) == 2


def test_nothing_is_measured_where_every_process_failed(tmp_path: Path) -> None:
    rejected = Failure("ModelRejected", "opset 99 is not supported", "load")
    figures, verdicts = judged(case(P50, MEMORY), three(rejected), tmp_path)
    assert {one.outcome for one in verdicts.values()} == {NOT_MEASURED}
    assert {one.reason for one in verdicts.values()} == {"ModelRejected in load: opset 99 is not supported"}
    assert figures["latency p50"].value is None
    assert "latency p90" not in figures


def test_a_failed_audit_leaves_no_timing_to_be_believed(tmp_path: Path) -> None:
    figures, verdicts = judged(case(TIGHT, MEMORY), three(None, INVALID, None), tmp_path)
    assert verdicts["latency p50"].outcome is NOT_MEASURED
    assert "the clock stopped before the work did" in verdicts["latency p50"].reason
    assert "throughput" not in figures
    assert verdicts["peak memory"].outcome is UNDECIDED


def test_a_spent_budget_does_not_undo_what_two_processes_showed(tmp_path: Path) -> None:
    assert judged(case(P50), three(None, None, SPENT), tmp_path)[1]["latency p50"].outcome is MET
    verdict = judged(case(P50), three(None, SPENT, SPENT), tmp_path)[1]["latency p50"]
    assert verdict.outcome is UNDECIDED
    assert "only 1 of 3 processes was measured" in verdict.reason
    alone = judged(case(P50, processes=1), three()[:1], tmp_path)[1]["latency p50"]
    assert alone.outcome is MET


def test_a_warm_up_that_never_settled_is_part_of_the_reason(tmp_path: Path) -> None:
    runs = [process(0), process(1, settled=False), process(2)]
    verdicts = judged(case(P50, MEMORY), runs, tmp_path)[1]
    assert verdicts["latency p50"].outcome is MET
    assert verdicts["latency p50"].reason.endswith("(timings never became steady in 1 of 3 processes)")
    assert "steady" not in verdicts["peak memory"].reason


def test_a_limit_inside_the_interval_is_undecided(tmp_path: Path) -> None:
    assert judged(case(CLOSE), three(), tmp_path)[1]["latency p50"].outcome is UNDECIDED


def test_throughput_of_batches_counts_samples(tmp_path: Path) -> None:
    rate = requirement("offline", "throughput", 1000)
    runs = [process(index, batch=16) for index in range(3)]
    figures, verdicts = judged(case(rate, scenario="offline"), runs, tmp_path)
    assert figures["throughput"].value == pytest.approx(1600 / 0.102)
    assert verdicts["throughput"].outcome is MET
    assert figures["latency p50"].value is not None


def test_queries_that_overlap_have_a_throughput_and_no_latency(tmp_path: Path) -> None:
    wanted = [requirement("offline", "throughput", 1000), requirement("offline", "latency mean", 1e9)]
    runs = [replace(process(index, batch=16), batch=2) for index in range(3)]
    figures, verdicts = judged(case(*wanted, scenario="offline"), runs, tmp_path)
    assert verdicts["throughput"].outcome is MET
    assert verdicts["latency mean"].outcome is NOT_MEASURED
    assert "overlap" in verdicts["latency mean"].reason
    assert "latency p50" not in figures


def test_a_cold_start_has_no_latencies(tmp_path: Path) -> None:
    start = requirement("cold-start", "cold start", 1e9)
    runs = [replace(run, blocks=(), timings=None) for run in three()]
    figures, verdicts = judged(case(start, scenario="cold-start"), runs, tmp_path)
    assert verdicts["cold start"].outcome is MET
    assert "throughput" not in figures


def test_processes_on_both_sides_of_a_limit_are_undecided(tmp_path: Path) -> None:
    start = requirement("cold-start", "cold start", 10_000_001)
    verdict = judged(case(start, scenario="cold-start"), three(), tmp_path)[1]["cold start"]
    assert verdict.outcome is UNDECIDED
    assert verdict.reason.startswith("some processes are within the limit and some are not (2 of 3 are within it;")


def test_memory_that_the_system_does_not_tell_is_not_measured(tmp_path: Path) -> None:
    runs = [replace(run, memory=None) for run in three()]
    verdict = judged(case(MEMORY), runs, tmp_path)[1]["peak memory"]
    assert verdict.outcome is NOT_MEASURED
    assert verdict.reason == "no process run told it"


def test_too_few_blocks_give_no_throughput_without_an_interval(tmp_path: Path) -> None:
    rate = requirement("single-stream", "throughput", 1)
    short = replace(process(0), blocks=process(0).blocks[:2])
    verdict = judged(case(rate, processes=1), [short], tmp_path)[1]["throughput"]
    assert verdict.outcome is NOT_MEASURED
    assert "needs at least 4 blocks" in verdict.reason
