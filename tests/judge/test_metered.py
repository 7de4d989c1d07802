"""Energy a query and memory of the GPU: figures and verdicts of what was looked at, and why there are none."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bench import typed_json
from bench.device.records import GPU_THROTTLED
from bench.judge import throttled
from bench.judge.ballot import Ballot
from bench.judge.case import judge_case
from bench.judge.metered import EARLIER, NOTHING_TIMED, metered, metered_figures
from bench.judge.readings import is_voted, reading
from bench.measure.process import stop_rule
from bench.report import metering
from bench.report.values import outcome
from bench.results import Metered, Outcome, ProcessRun, Verdict
from tests.judge.cases import case, contract, latencies, process, requirement

ENERGY, MEMORY = "energy per query", "gpu memory"
FULL = Metered(10**9, 3_000_000, "NVML's energy counter, of the whole GPU", 1 << 30, "NVML, the highest of 9 looks")
WITHOUT = Metered(10**9, None, "Not Supported", None, "no process of this worker", 1 << 20)


def runs(*found: Metered | None, batch: int = 1) -> list[ProcessRun]:
    return [replace(process(index, batch=batch), metered=one) for index, one in enumerate(found)]


def judged(folder: Path, metric: str, limit: float, measured: list[ProcessRun]) -> Verdict:
    asked = case(requirement("single-stream", metric, limit), processes=len(measured))
    return judge_case(asked, contract(folder), measured, latencies, None)[1][0]


def test_energy_is_shared_among_the_queries_that_were_answered() -> None:
    one = runs(FULL)[0]
    samples = sum(block.samples for block in one.blocks)
    assert metered(ENERGY, one) == pytest.approx(3_000_000 / samples)
    batched = runs(FULL, batch=4)[0]
    samples = sum(block.samples for block in batched.blocks)
    assert metered(ENERGY, batched) == pytest.approx(3_000_000 * 4 / samples)


def test_energy_is_the_middle_processs_and_memory_the_worst_ones() -> None:
    more = [replace(FULL, energy_uj=FULL.energy_uj and FULL.energy_uj * n, gpu_bytes=n << 30) for n in (1, 2, 4)]
    measured = runs(*more)
    memory, energy = metered_figures(measured, [])
    each = [metered(ENERGY, one) for one in measured]
    assert (memory.value, memory.low, memory.high) == (4 << 30, 1 << 30, 4 << 30)
    assert (energy.value, energy.low, energy.high) == (each[1], each[0], each[2])
    assert (memory.unit, energy.unit, energy.count) == ("bytes", "uj", 3)


@pytest.mark.parametrize(("factor", "expected"), [(1.1, Outcome.MET), (0.9, Outcome.MISSED)])
def test_a_limit_on_energy_is_judged(factor: float, expected: Outcome, tmp_path: Path) -> None:
    measured = runs(FULL, FULL, FULL)
    value = metered(ENERGY, measured[0])
    assert value is not None
    assert judged(tmp_path, ENERGY, value * factor, measured).outcome is expected


def test_processes_on_both_sides_of_a_limit_leave_it_open(tmp_path: Path) -> None:
    one = judged(tmp_path, MEMORY, 3 << 29, runs(FULL, replace(FULL, gpu_bytes=2 << 30)))
    assert one.outcome is Outcome.UNDECIDED
    assert "some processes are within the limit and some are not" in one.reason


@pytest.mark.parametrize(
    ("metric", "why"),
    [(ENERGY, "Not Supported"), (MEMORY, "no process of this worker (its framework says that it took 1 MiB)")],
)
def test_what_is_not_known_is_not_measured_with_the_reason(metric: str, why: str, tmp_path: Path) -> None:
    for measured in (runs(WITHOUT, WITHOUT), runs(FULL, WITHOUT)):
        one = judged(tmp_path, metric, 1e12, measured)
        assert (one.outcome, one.figure.value, one.reason) == (Outcome.NOT_MEASURED, None, why)
    assert metered_figures(runs(WITHOUT), []) == []


def test_what_an_earlier_version_stored_says_so(tmp_path: Path) -> None:
    assert judged(tmp_path, ENERGY, 1e12, runs(None)).reason == EARLIER
    unmeasured = [replace(one, blocks=()) for one in runs(None)]
    assert metered_figures(unmeasured, [ENERGY])[0].why_not == NOTHING_TIMED
    stored = typed_json.parse(typed_json.dumps(runs(FULL)[0]))
    assert typed_json.read(ProcessRun, stored) == runs(FULL)[0]
    del stored["metered"]
    assert typed_json.read(ProcessRun, stored).metered is None


def test_processes_vote_on_both() -> None:
    one = runs(FULL)[0]
    assert is_voted(ENERGY) and is_voted(MEMORY)
    assert reading(MEMORY, one, None).value == 1 << 30
    assert reading(ENERGY, one, None).value == metered(ENERGY, one)
    assert reading(ENERGY, runs(None)[0], None).value is None


def test_where_energy_is_asked_for_a_process_measures_its_whole_time() -> None:
    latency = requirement("single-stream", "latency p50", 1e9)
    quick, energetic = case(latency), case(latency, requirement("single-stream", ENERGY, 1e9))
    assert stop_rule(quick, Ballot(quick)) is not None
    assert stop_rule(energetic, Ballot(energetic)) is None


def test_a_gpu_that_was_slowed_down_is_not_met_unsaid(tmp_path: Path) -> None:
    measured = runs(FULL, FULL)
    slowed = {**measured[1].facts, GPU_THROTTLED: "power brake in 3 of 9 samples"}
    measured[1] = replace(measured[1], facts=slowed)
    one = judged(tmp_path, ENERGY, 1e12, measured)
    assert outcome(one) == "met, throttled"
    assert "(throttled: the GPU: power brake in 3 of 9 samples)" in one.reason
    assert throttled.note(measured).startswith("throttled: the GPU was slowed down while this was measured")


def test_the_report_says_how_it_was_found() -> None:
    facts: dict[str, Any] = {"gpu clocks": "SM 1410 MHz", "gpu power": "250 W in the mean, 260 W at most"}
    one = replace(runs(replace(FULL, own_bytes=1 << 29))[0], facts=facts)
    assert metering.words([one]) == [
        "GPU SM 1410 MHz, 250 W in the mean, 260 W at most",
        "GPU memory by NVML, the highest of 9 looks, 512 MiB by its framework's account",
        "3 J in 1 s by NVML's energy counter, of the whole GPU",
    ]
    assert metering.words(runs(WITHOUT)) == metering.words(runs(None)) == []


@pytest.mark.parametrize(("found", "processes"), [(FULL, 8), (WITHOUT, 3)])
def test_an_adaptive_case_does_not_go_on_for_what_no_process_tells(found: Metered, processes: int) -> None:
    asked = case(requirement("single-stream", ENERGY, 1e12), processes=40)
    ballot = Ballot(replace(asked, scenario=replace(asked.scenario, least_processes=1, error_rate=0.01)))
    for one in runs(*[found] * 40):
        ballot.add(one, latencies(one))
        if ballot.closed:
            assert one.index + 1 == processes
            return
    pytest.fail("it went on to its end")
