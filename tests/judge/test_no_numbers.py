"""A model that gives no numbers is never met on its timing alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from bench.device.outputs import NanCount
from bench.device.records import NAN_OUTPUTS
from bench.judge.case import judge_case
from bench.quality.accuracy import accuracy
from bench.results import Outcome, ProcessRun, Verdict
from tests.judge.cases import SAMPLES, case, contract, latencies, process, requirement, validated

FAST = requirement("single-stream", "latency p50", 1e9)
SLOW = requirement("single-stream", "latency p50", 1.0)
SMALL = requirement("", "artifact size", 1e9)
TOP = requirement("accuracy", "top-1", 0.9)
NUMBERS = np.ones((SAMPLES, 4), np.float32)


def runs(silent: int) -> list[ProcessRun]:
    """Three processes, of which so many had only NaN in their first query."""
    found = [process(0), process(1), process(2)]
    return [
        replace(one, facts={**one.facts, **({NAN_OUTPUTS: "logits"} if one.index < silent else {})}) for one in found
    ]


def verdicts(
    folder: Path, processes: Sequence[ProcessRun], *asked: Any, outputs: NDArray[Any] | None = None
) -> list[Verdict]:
    whole = contract(folder) if outputs is None else validated(folder, labels=np.zeros(SAMPLES, np.int64))
    arrays = None if outputs is None else {"logits": outputs}
    return list(judge_case(case(*asked), whole, processes, latencies, arrays)[1])


def test_a_first_query_of_nan_in_every_process_leaves_a_timing_undecided(tmp_path: Path) -> None:
    fast, small = verdicts(tmp_path, runs(3), FAST, SMALL)
    assert fast.outcome is Outcome.UNDECIDED
    assert fast.reason.endswith("(NaN) in the first query: give samples that it answers with numbers")
    assert small.outcome is Outcome.MET
    assert verdicts(tmp_path, runs(2), FAST)[0].outcome is Outcome.MET


def test_a_miss_stays_a_miss(tmp_path: Path) -> None:
    assert verdicts(tmp_path, runs(3), SLOW)[0].outcome is Outcome.MISSED


def test_nan_in_every_validation_sample_leaves_a_timing_undecided(tmp_path: Path) -> None:
    nowhere = NUMBERS.copy()
    nowhere[:, 2] = np.nan
    fast, top = verdicts(tmp_path, runs(0), FAST, TOP, outputs=nowhere)
    assert (fast.outcome, top.outcome) == (Outcome.UNDECIDED, Outcome.NOT_MEASURED)
    assert f"output `logits` is not a number (NaN) in all of {SAMPLES} validation samples" in fast.reason


def test_the_validation_set_knows_more_than_the_first_query(tmp_path: Path) -> None:
    nowhere = NUMBERS.copy()
    nowhere[0] = np.nan
    fast, top = verdicts(tmp_path, runs(3), FAST, TOP, outputs=nowhere)
    assert (fast.outcome, top.outcome) == (Outcome.MET, Outcome.NOT_MEASURED)


def test_only_an_output_that_has_nan_in_every_sample_counts_as_none() -> None:
    nan = NanCount()
    assert nan.whole() == []
    nan.add({"a": np.array([[np.nan], [1.0]]), "b": np.full((2, 3), np.nan), "c": np.zeros(2, np.int64)}, 2)
    assert nan.whole() == ["b"]


def test_a_score_that_overflowed_gives_no_accuracy_and_a_masked_class_does() -> None:
    scores = np.zeros((4, 3))
    scores[:, 1] = -np.inf
    assert accuracy("top-1", scores, np.zeros(4, np.int64)) == 1
    scores[2, 2] = np.inf
    with pytest.raises(ValueError, match="the output holds 1 infinite"):
        accuracy("top-1", scores, np.zeros(4, np.int64))
