"""``preset: mlperf`` through a whole run, made short by a word beside it."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.store import open_run
from tests.run.test_run_command import Place


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_its_rules_are_printed_with_v_and_what_is_otherwise_is_said(place: Place) -> None:
    limits = "single-stream: {preset: mlperf, latency p90: 1 s, time: 400 ms}"
    place.write({"a": f"{{backend: onnxruntime, limits: {{{limits}}}}}"})
    done = place.run("-v")
    text = " ".join(done.stdout.split())
    assert "preset mlperf: one process, at least 600 s, at least 64 queries" in text
    assert "no compliance tests" in text
    assert "MLPerf's early-stopping estimate of p90 is" in text
    (case,) = open_run(place.only_run(), place.folder).cases
    assert case.settings["preset"] == "mlperf"


def test_it_goes_on_until_the_samples_are_there(place: Place) -> None:
    limits = "multi-stream: {preset: mlperf, latency p99: 1 s, time: 250 ms}"
    place.write({"a": f"{{backend: Slow, limits: {{{limits}}}}}"})
    place.run("--only", "multi-stream")
    (case,) = open_run(place.only_run(), place.folder).cases
    (process,) = case.process_runs
    assert 0.4e9 < sum(block.wall_ns for block in process.blocks) < 2e9
    (verdict,) = case.verdicts
    assert "MLPerf asks for 5,296 samples" in verdict.reason or verdict.outcome.value == "not measured"
