"""Which blocks are marked, the figures without them, and what is said of a noisy machine; records by hand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from bench.contract.model import Contract
from bench.judge.case import judge_case
from bench.judge.disturbed import left_of, marked, without
from bench.judge.noise import HELP, NOISY, notes
from bench.judge.verdict import verdict
from bench.results import Block, Disturbed, Figure, Outcome, ProcessRun, Seen
from tests.judge.cases import case, contract, latencies, process, requirement

MS = 1_000_000
WALL_NS = 25 * MS
BLOCKS = 40
QUIET: dict[str, Any] = {
    "own_ns": WALL_NS, "machine_ns": WALL_NS, "steal_ns": 0, "waited_ns": 0, "pressure_ns": 0, "throttled": 0,
    "frequency_khz": 2_000_000,
}  # fmt: skip


def run(changes: dict[int, dict[str, Any]], *, cores: int = 2, wall_ns: int = WALL_NS) -> ProcessRun:
    """A quiet process of 40 blocks of 25 ms, some of them changed."""
    blocks = []
    for at in range(BLOCKS):
        change = dict(changes.get(at, {}))
        switches = change.pop("switches", 0)
        blocks.append(Block(50, 50, at * wall_ns, wall_ns, switches, seen=Seen(**{**QUIET, **change})))
    return replace(process(0), blocks=tuple(blocks), machine={"cores": cores})


def why(one: ProcessRun) -> dict[int, tuple[str, ...]]:
    return {mark.block: mark.why for mark in marked(one).disturbed}


def test_a_quiet_process_has_no_mark() -> None:
    assert why(run({})) == {}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"waited_ns": WALL_NS // 90}, "waited for a processor"),
        ({"switches": 3}, "context switches"),
        ({"pressure_ns": WALL_NS // 4}, "pressure"),
        ({"throttled": 1}, "throttling"),
        ({"cooling": 2}, "throttling"),
        ({"low_voltage": 1}, "low voltage"),
        ({"frequency_khz": 1_700_000}, "low frequency"),
    ],
)
def test_a_block_is_marked_alone_with_its_reason(change: dict[str, Any], reason: str) -> None:
    assert why(run({7: change})) == {7: (reason,)}


@pytest.mark.parametrize(
    "change",
    [
        {"waited_ns": WALL_NS // 110},
        {"switches": 2},
        {"pressure_ns": WALL_NS // 6},
        {"frequency_khz": 1_850_000},
        {"steal_ns": 10 * MS},
        {"machine_ns": WALL_NS + 20 * MS},
    ],
)
def test_a_little_of_each_is_ordinary(change: dict[str, Any]) -> None:
    assert why(run({7: change})) == {}


def test_every_reason_of_a_block_is_told() -> None:
    assert why(run({7: {"waited_ns": MS, "switches": 9}})) == {7: ("waited for a processor", "context switches")}


def test_what_is_counted_in_ticks_marks_a_stretch_of_two_hundred_milliseconds() -> None:
    assert why(run({3: {"steal_ns": 10 * MS}, 5: {"steal_ns": 10 * MS}})) == dict.fromkeys(range(8), ("steal",))
    busy = {at: {"machine_ns": 2 * WALL_NS} for at in range(32, 40)}
    assert why(run(busy)) == dict.fromkeys(range(32, 40), ("other work",))


def test_other_work_counts_against_the_processors_that_are_free() -> None:
    busy = {at: {"machine_ns": 2 * WALL_NS} for at in range(BLOCKS)}
    assert len(why(run(busy, cores=2))) == BLOCKS
    assert why(run(busy, cores=16)) == {}
    crowded = {at: {"own_ns": 2 * WALL_NS, "machine_ns": 2 * WALL_NS + WALL_NS // 3} for at in range(BLOCKS)}
    assert why(run(crowded, cores=2)) == {}


def test_ticks_say_nothing_of_a_process_of_less_than_a_stretch() -> None:
    short = {at: {"machine_ns": 2 * MS, "own_ns": MS, "steal_ns": MS} for at in range(BLOCKS)}
    assert why(run(short, wall_ns=MS)) == {}


def test_a_process_that_is_slow_throughout_is_not_marked_for_its_frequency() -> None:
    slow = {at: {"frequency_khz": 1_000_000} for at in range(BLOCKS)}
    assert why(run(slow)) == {}


def test_what_the_system_does_not_tell_marks_nothing() -> None:
    one = run({})
    bare = replace(one, blocks=tuple(replace(block, seen=Seen()) for block in one.blocks))
    assert why(bare) == {}
    assert why(replace(bare, machine={})) == {}


def test_without_its_marked_blocks_a_process_has_the_timings_of_the_others() -> None:
    blocks = tuple(Block(2, 2, at, 10, 0) for at in range(4))
    whole = replace(process(0), blocks=blocks, disturbed=(Disturbed(1, ("steal",)), Disturbed(3, ("steal",))))
    cut, timings = without(whole, np.arange(8, dtype=np.uint64))
    assert timings is not None
    assert timings.tolist() == [0, 1, 4, 5]
    assert [block.start_ns for block in cut.blocks] == [0, 2]
    assert cut.timings_count == 4


def slow_where_disturbed(one: ProcessRun) -> NDArray[np.uint64]:
    """Timings of 1 ms, of 3 ms in the blocks 5 to 9."""
    found = latencies(one).copy()
    found[500:1000] *= 3
    return found


@pytest.fixture
def handover(tmp_path: Path) -> Contract:
    return contract(tmp_path)


def judged(handover: Contract, limit: float, *, leave_out: bool, processes: int = 3, adaptive: bool = False) -> Any:
    requirements = (
        requirement("single-stream", "latency p90", limit),
        requirement("single-stream", "peak memory", 1e9),
    )
    one = case(*requirements, processes=processes)
    scenario = replace(
        one.scenario, leave_out_disturbed=leave_out, least_processes=1 if adaptive else None
    )  # fmt: skip
    runs = [
        replace(process(at), disturbed=tuple(Disturbed(block, ("steal",)) for block in range(5, 10)))
        for at in range(processes)
    ]
    return judge_case(replace(one, scenario=scenario), handover, runs, slow_where_disturbed, None)


@pytest.mark.parametrize("adaptive", [False, True])
def test_all_blocks_are_judged_unless_the_contract_says_otherwise(handover: Contract, adaptive: bool) -> None:
    figures, (p90, memory) = judged(handover, 2e6, leave_out=False, processes=10, adaptive=adaptive)
    assert p90.outcome is Outcome.MISSED
    assert "disturbed" not in p90.reason
    assert p90.figure.value > 2.5e6
    assert p90.figure.undisturbed.value < 1.2e6
    assert memory.figure.undisturbed is None
    assert {one.metric for one in figures if one.undisturbed} >= {"latency p50", "latency mean", "throughput"}


@pytest.mark.parametrize("adaptive", [False, True])
def test_a_verdict_without_the_disturbed_blocks_says_so(handover: Contract, adaptive: bool) -> None:
    figures, (p90, memory) = judged(handover, 2e6, leave_out=True, processes=10, adaptive=adaptive)
    assert p90.outcome is Outcome.MET
    assert "without the 50 disturbed of 200 blocks" in p90.reason
    assert p90.figure.value < 1.2e6
    assert "disturbed" not in memory.reason
    whole = next(one for one in figures if one.metric == "latency p90")
    assert whole.value is not None
    assert whole.value > 2.5e6
    assert left_of(whole) == p90.figure


def test_leaving_out_where_nothing_was_disturbed_says_that(handover: Contract) -> None:
    one = case(requirement("single-stream", "latency p90", 2e6))
    one = replace(one, scenario=replace(one.scenario, leave_out_disturbed=True))
    _, (p90,) = judge_case(one, handover, [process(at) for at in range(3)], latencies, None)
    assert p90.outcome is Outcome.MET
    assert "none of 60 blocks was disturbed" in p90.reason


def test_where_every_block_was_disturbed_nothing_is_measured_without_them(handover: Contract) -> None:
    runs = [replace(process(at), disturbed=tuple(Disturbed(b, ("steal",)) for b in range(20))) for at in range(3)]
    one = case(requirement("single-stream", "latency p90", 2e6), requirement("single-stream", "throughput", 1))
    one = replace(one, scenario=replace(one.scenario, leave_out_disturbed=True))
    _, verdicts = judge_case(one, handover, runs, latencies, None)
    assert [found.outcome for found in verdicts] == [Outcome.NOT_MEASURED] * 2
    told = "all 60 blocks were disturbed, and nothing is left without them: measure while nothing else runs"
    assert all(found.reason.startswith(told) for found in verdicts)


def disturbed(share: float) -> list[ProcessRun]:
    marks = tuple(Disturbed(at, ("steal", "other work")) for at in range(round(BLOCKS * share)))
    return [replace(run({}), disturbed=marks)]


def p99(high: float) -> Any:
    return verdict(requirement("single-stream", "latency p99", 1e6), Figure("latency p99", "ns", 9e5, 8e5, high))


def test_a_machine_too_noisy_to_decide_is_told_with_what_would_help() -> None:
    (note,) = notes(disturbed(0.5), [p99(2e6)])
    assert note.startswith("the machine was too noisy to decide: 50 % of the measured time was disturbed")
    assert HELP["steal"] in note
    assert HELP["other work"] in note


def test_a_noisy_machine_that_let_it_decide_is_told_as_noisy() -> None:
    (note,) = notes(disturbed(0.5), [p99(9e5)])
    assert note.startswith("the machine was noisy: 50 %")


def test_a_few_disturbed_blocks_are_no_note() -> None:
    assert notes(disturbed(NOISY), [p99(2e6)]) == ()


def test_every_reason_has_its_help() -> None:
    everything = {
        "waited_ns": MS,
        "switches": 9,
        "pressure_ns": WALL_NS,
        "throttled": 1,
        "low_voltage": 1,
        "frequency_khz": 1,
    }
    ticks = {at: {"steal_ns": WALL_NS, "machine_ns": 2 * WALL_NS} for at in range(8)}
    found = why(run({**ticks, 3: {**ticks[3], **everything}}))
    assert set(found[3]) == HELP.keys()
