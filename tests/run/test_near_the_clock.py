"""A backend that does nothing is near the clock: it is timed in groups, and the report says so."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.run.test_run_command import Place


def ran(folder: Path, words: str = "", target: str = '"null"') -> tuple[str, dict[str, Any]]:
    """What the command said in one line, and its case."""
    place = Place(folder)
    place.write({"a": target}, limit=f"100 us{words}")
    done = place.run()
    (case,) = (json.loads(one.read_text()) for one in sorted(folder.rglob("cases/*.json")))
    return " ".join(done.stdout.split()), case


def calls_of(case: dict[str, Any]) -> set[int]:
    return {one["facts"]["calls_per_timing"] for one in case["process_runs"]}


def assert_counted(case: dict[str, Any], calls: int) -> None:
    """Every query is a sample, every group a timing."""
    for one in case["process_runs"]:
        timings, samples = (sum(block[name] for block in one["blocks"]) for name in ("count", "samples"))
        assert samples == calls * timings == calls * one["timings_count"]


def test_the_report_says_that_queries_were_timed_in_groups(tmp_path: Path) -> None:
    text, case = ran(tmp_path)
    (calls,) = calls_of(case)
    assert calls > 1
    assert_counted(case, calls)
    assert f"queries were timed in groups of {calls}" in text
    assert f"of means of {calls} queries timed together" in case["verdicts"][0]["reason"]


@pytest.mark.parametrize(("calls", "is_said"), [(1, "and the clock itself"), (16, "in groups of 16")])
def test_the_contract_may_say_how_many(tmp_path: Path, calls: int, is_said: str) -> None:
    text, case = ran(tmp_path, f", calls per timing: {calls}")
    assert calls_of(case) == {calls}
    assert is_said in text


def test_a_real_model_may_be_timed_in_groups(tmp_path: Path) -> None:
    text, case = ran(tmp_path, ", calls per timing: 4", "onnxruntime")
    assert calls_of(case) == {4}
    assert_counted(case, 4)
    assert "in groups of 4" in text
