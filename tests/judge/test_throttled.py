"""A case that was throttled: marked, noted, and never met unsaid."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from bench import typed_json
from bench.device.records import THROTTLED
from bench.judge import throttled
from bench.judge.case import judge_case
from bench.launch.blocks import joined
from bench.report.values import outcome
from bench.results import Outcome, ProcessRun, Seen, Verdict
from tests.judge.cases import case, contract, latencies, process, requirement


def runs(seen: Seen | None = None, facts: dict[str, Any] | None = None) -> list[ProcessRun]:
    """Three processes, in whose second something was seen in one block."""
    found = [process(index) for index in range(3)]
    blocks = list(found[1].blocks)
    blocks[0] = replace(blocks[0], seen=seen or Seen())
    found[1] = replace(found[1], blocks=tuple(blocks), facts={**found[1].facts, **(facts or {})})
    return found


def judged(folder: Path, measured: list[ProcessRun], metric: str = "latency p50", limit: float = 1e12) -> Verdict:
    asked = case(requirement("single-stream", metric, limit))
    return judge_case(asked, contract(folder), measured, latencies, None)[1][0]


def test_what_was_not_throttled_is_met_without_a_word(tmp_path: Path) -> None:
    one = judged(tmp_path, runs())
    assert (one.outcome, one.caveat, outcome(one)) == (Outcome.MET, None, "met")
    assert throttled.note(runs()) == ""


def test_a_throttled_case_is_not_met_unsaid(tmp_path: Path) -> None:
    for measured in (
        runs(Seen(cooling=2)),
        runs(Seen(throttled=1)),
        runs(Seen(low_voltage=1)),
        runs(facts={THROTTLED: "under-voltage, frequency capped"}),
    ):
        one = judged(tmp_path, measured)
        assert (one.outcome, outcome(one)) == (Outcome.MET, "met, throttled")
        assert "(throttled: " in one.reason
        assert throttled.note(measured).startswith("throttled: the processor was slowed down")


def test_a_miss_stays_a_miss_and_says_it_too(tmp_path: Path) -> None:
    one = judged(tmp_path, runs(Seen(cooling=1)), limit=1.0)
    assert (one.outcome, outcome(one)) == (Outcome.MISSED, "missed, throttled")


def test_the_words_say_how_much_and_by_what() -> None:
    measured = runs(Seen(cooling=1, low_voltage=1), {THROTTLED: "throttled"})
    blocks = sum(len(one.blocks) for one in measured)
    told = throttled.why(measured)
    assert (
        told
        == f"heat or power in 1 of {blocks} blocks, low voltage in 1 of {blocks} blocks, the firmware says: throttled"
    )


def test_joined_blocks_keep_the_worst_state() -> None:
    block = process(0).blocks[0]
    states = [Seen(cooling=0, low_voltage=0), Seen(cooling=3), Seen(cooling=1)]
    found = joined([replace(block, seen=one) for one in states]).seen
    assert (found.cooling, found.low_voltage) == (3, 0)


def test_a_verdict_without_a_caveat_is_stored_as_it_always_was(tmp_path: Path) -> None:
    assert "caveat" not in str(typed_json.dumps(judged(tmp_path, runs())))
    assert "caveat" in str(typed_json.dumps(judged(tmp_path, runs(Seen(cooling=1)))))
