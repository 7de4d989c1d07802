"""Outputs against the validation files: what is told, and why something is not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from bench.contract.model import Contract, Requirement, Validation
from bench.device.adapter import TensorSpec
from bench.judge.case import judge_case
from bench.results import Failure, Figure, Outcome, Verdict
from tests.judge.cases import CRASH, SAMPLES, case, contract, latencies, process, requirement, validated

RNG = np.random.default_rng(4)
LABELS = RNG.integers(0, 4, SAMPLES)
LOGITS = (np.eye(4)[LABELS] + 0.1 * RNG.normal(size=(SAMPLES, 4))).astype(np.float32)
TOP = requirement("accuracy", "top-1", 0.9)
SAME = requirement("agreement", "label agreement", 1.0)
CLOSE = requirement("agreement", "max abs difference", 1e-3)
OWN = requirement("accuracy", "mine:error", 0.1, "at most")


def judged(
    whole: Contract,
    *requirements: Requirement,
    outputs: Mapping[str, NDArray[Any]] | None,
    failure: Failure | None = None,
    allow_code: bool = False,
) -> tuple[dict[str, Figure], dict[str, Verdict]]:
    runs = [process(0, failure=failure), process(1), process(2)]
    figures, verdicts = judge_case(case(*requirements), whole, runs, latencies, outputs, allow_code)
    return {figure.metric: figure for figure in figures}, {verdict.metric: verdict for verdict in verdicts}


def test_labels_and_predictions_give_every_figure_that_fits_them(tmp_path: Path) -> None:
    whole = validated(tmp_path, labels=LABELS, predictions=LOGITS)
    figures, verdicts = judged(whole, TOP, SAME, outputs={"logits": LOGITS})
    told = {name for name, figure in figures.items() if figure.unit in ("ratio", "number")}
    assert told == {
        "top-1", "f1", "precision", "recall", "auc",
        "label agreement", "max abs difference", "max rel difference", "cosine",
    }  # fmt: skip
    assert figures["top-1"] == Figure("top-1", "ratio", 1.0, count=SAMPLES)
    assert {one.outcome for one in verdicts.values()} == {Outcome.MET}


def test_labels_that_are_values_give_regression_figures(tmp_path: Path) -> None:
    values = RNG.normal(size=SAMPLES)
    wanted = requirement("accuracy", "mae", 0.2)
    outputs = {"logits": (values[:, None] + 0.1).astype(np.float32)}
    figures, verdicts = judged(validated(tmp_path, labels=values), wanted, outputs=outputs)
    assert {"mae", "rmse", "r2"} <= set(figures)
    assert "top-1" not in figures
    assert verdicts["mae"].outcome is Outcome.MET


def test_a_wrong_model_misses(tmp_path: Path) -> None:
    whole = validated(tmp_path, labels=LABELS, predictions=LOGITS)
    verdicts = judged(whole, TOP, CLOSE, outputs={"logits": -LOGITS})[1]
    assert {one.outcome for one in verdicts.values()} == {Outcome.MISSED}


def test_nan_in_the_output_is_said_where_it_stands(tmp_path: Path) -> None:
    bad = LOGITS.copy()
    bad[:3] = np.nan
    whole = validated(tmp_path, labels=LABELS, predictions=LOGITS)
    verdicts = judged(whole, TOP, SAME, CLOSE, outputs={"logits": bad})[1]
    assert {one.outcome for one in verdicts.values()} == {Outcome.NOT_MEASURED}
    assert verdicts["top-1"].reason == "output `logits`: the output holds 12 NaN"
    assert verdicts["max abs difference"].reason == "output `logits`: the output holds 12 NaN"


def test_a_wrong_shape_is_said(tmp_path: Path) -> None:
    whole = validated(tmp_path, labels=LABELS, predictions=LOGITS)
    verdicts = judged(whole, TOP, CLOSE, outputs={"logits": LOGITS[:, :3]})[1]
    assert "the output is [50, 3], the reference [50, 4]" in verdicts["max abs difference"].reason
    assert "the output has 3 classes" in verdicts["top-1"].reason


def test_without_samples_nothing_is_measured(tmp_path: Path) -> None:
    whole = validated(tmp_path, labels=LABELS)
    bare = replace(whole, validation=replace(whole.validation, samples=None))
    verdict = judged(bare, TOP, outputs={"logits": LOGITS})[1]["top-1"]
    assert verdict.outcome is Outcome.NOT_MEASURED
    assert "there are no samples" in verdict.reason


def test_missing_labels_and_predictions_are_named(tmp_path: Path) -> None:
    verdicts = judged(validated(tmp_path), TOP, SAME, outputs={"logits": LOGITS})[1]
    assert "there are no labels" in verdicts["top-1"].reason
    assert "there are no reference predictions" in verdicts["label agreement"].reason


def test_another_process_that_crashed_leaves_accuracy_as_it_is(tmp_path: Path) -> None:
    runs = [process(0), process(1, failure=CRASH), process(2)]
    whole = validated(tmp_path, labels=LABELS)
    _, verdicts = judge_case(case(TOP), whole, runs, latencies, {"logits": LOGITS})
    assert verdicts[0].outcome is Outcome.MET


@pytest.mark.parametrize("outputs", [None, {}, {"logits": LOGITS[:20]}])
def test_outputs_of_a_process_that_failed_are_not_used(
    tmp_path: Path, outputs: Mapping[str, NDArray[Any]] | None
) -> None:
    verdict = judged(validated(tmp_path, labels=LABELS), TOP, outputs=outputs, failure=CRASH)[1]["top-1"]
    assert verdict.outcome is Outcome.NOT_MEASURED
    assert "WorkerCrashed: the worker was ended by SIGSEGV" in verdict.reason


def test_labels_may_be_one_npy_and_predictions_one_array_of_another_name(tmp_path: Path) -> None:
    np.save(tmp_path / "labels.npy", LABELS)
    np.savez(tmp_path / "reference.npz", predictions=LOGITS)
    whole = validated(tmp_path)
    files = Validation(whole.validation.samples, tmp_path / "labels.npy", tmp_path / "reference.npz")
    verdicts = judged(replace(whole, validation=files), TOP, SAME, outputs={"logits": LOGITS})[1]
    assert {one.outcome for one in verdicts.values()} == {Outcome.MET}


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"a": LABELS, "b": LABELS}, "labels.npz has no array `labels`; it has a, b"),
        ({"labels": np.array(["cat"] * SAMPLES)}, "labels.npz: "),
    ],
)
def test_a_labels_file_that_cannot_be_used_says_why(
    tmp_path: Path, arrays: dict[str, NDArray[Any]], message: str
) -> None:
    whole = validated(tmp_path, labels=LABELS)
    np.savez(tmp_path / "labels.npz", **arrays)  # type: ignore[arg-type]
    assert message in judged(whole, TOP, outputs={"logits": LOGITS})[1]["top-1"].reason


def test_a_file_that_is_gone_says_so(tmp_path: Path) -> None:
    whole = validated(tmp_path, labels=LABELS)
    (tmp_path / "labels.npz").unlink()
    assert "labels.npz: No such file" in judged(whole, TOP, outputs={"logits": LOGITS})[1]["top-1"].reason


def test_the_output_that_labels_are_about_is_the_contracts_word(tmp_path: Path) -> None:
    whole = validated(tmp_path, labels=LABELS)
    outputs = {"logits": -LOGITS, "other": LOGITS}
    assert judged(whole, TOP, outputs=outputs)[1]["top-1"].outcome is Outcome.MISSED
    other = replace(whole, validation=replace(whole.validation, output="other"))
    assert judged(other, TOP, outputs=outputs)[1]["top-1"].outcome is Outcome.MET
    gone = replace(whole, validation=replace(whole.validation, output="gone"))
    assert "no output `gone`; it gave logits, other" in judged(gone, TOP, outputs=outputs)[1]["top-1"].reason


def test_state_is_neither_judged_nor_expected(tmp_path: Path) -> None:
    whole = validated(tmp_path, labels=LABELS)
    np.savez(tmp_path / "reference.npz", logits=LOGITS, h_out=np.zeros((SAMPLES, 2)))
    files = replace(whole.validation, predictions=tmp_path / "reference.npz")
    outputs = (TensorSpec("h_out", "float32", (1, 2)), *whole.outputs)
    streaming = replace(whole, validation=files, outputs=outputs, state={"h": "h_out"})
    verdicts = judged(streaming, TOP, CLOSE, outputs={"logits": LOGITS})[1]
    assert {one.outcome for one in verdicts.values()} == {Outcome.MET}


def test_the_state_of_a_model_that_gives_nothing_else_is_its_answer(tmp_path: Path) -> None:
    whole = validated(tmp_path, labels=LABELS, predictions=LOGITS)
    cell = replace(whole, state={"h": "logits"})
    for output, outcome in ((LOGITS, Outcome.MET), (-LOGITS, Outcome.MISSED)):
        verdicts = judged(cell, TOP, CLOSE, outputs={"logits": output})[1]
        assert {one.outcome for one in verdicts.values()} == {outcome}


def test_agreement_is_the_worst_of_all_outputs(tmp_path: Path) -> None:
    whole = validated(tmp_path)
    np.savez(tmp_path / "reference.npz", logits=LOGITS, boxes=LOGITS)
    files = replace(whole.validation, predictions=tmp_path / "reference.npz")
    for outputs in ({"logits": LOGITS, "boxes": LOGITS + 0.5}, {"boxes": LOGITS, "logits": LOGITS + 0.5}):
        figures, _ = judged(replace(whole, validation=files), CLOSE, outputs=outputs)
        assert figures["max abs difference"].value == pytest.approx(0.5, rel=1e-5)
    figures, _ = judged(replace(whole, validation=files), CLOSE, outputs={"logits": LOGITS, "boxes": -LOGITS})
    assert figures["cosine"].value == pytest.approx(-1)


def test_predictions_for_an_output_that_the_model_has_not_are_named(tmp_path: Path) -> None:
    whole = validated(tmp_path)
    np.savez(tmp_path / "reference.npz", logits=LOGITS, boxes=LOGITS)
    files = replace(whole.validation, predictions=tmp_path / "reference.npz")
    verdict = judged(replace(whole, validation=files), CLOSE, outputs={"logits": LOGITS})[1]["max abs difference"]
    assert "has predictions for `boxes`; the outputs are logits" in verdict.reason


def test_outputs_without_a_batch_axis_are_cut_by_sample(tmp_path: Path) -> None:
    whole = validated(tmp_path, labels=LABELS, predictions=LOGITS)
    verdicts = judged(whole, TOP, CLOSE, outputs={"logits": LOGITS.reshape(-1)})[1]
    assert {one.outcome for one in verdicts.values()} == {Outcome.MET}


def test_the_users_metric_runs_only_where_code_is_allowed(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "def error(outputs, labels): return (outputs['logits'].argmax(1) != labels).mean()\n"
    )
    whole = validated(tmp_path, labels=LABELS)
    refused = judged(whole, OWN, outputs={"logits": LOGITS})[1]["mine:error"]
    assert refused.outcome is Outcome.NOT_MEASURED
    assert "--allow-code" in refused.reason
    assert judged(whole, OWN, outputs={"logits": LOGITS}, allow_code=True)[1]["mine:error"].outcome is Outcome.MET


def test_a_case_that_collects_nothing_reads_no_validation_file(tmp_path: Path) -> None:
    whole = replace(contract(tmp_path), validation=Validation(labels=tmp_path / "absent.npz"))
    figures, _ = judged(whole, requirement("single-stream", "latency p50", 2e6), outputs=None)
    assert "top-1" not in figures


def test_a_backend_that_computes_nothing_is_not_judged_by_its_outputs(tmp_path: Path) -> None:
    """Zeros agree with a reference of zeros: that would be a verdict about nothing."""
    whole = validated(tmp_path, labels=np.zeros(SAMPLES, np.int64), predictions=np.zeros((SAMPLES, 4), np.float32))
    runs = [replace(process(0), facts={"computes": False}), process(1)]
    outputs = {"logits": np.zeros((SAMPLES, 4), np.float32)}
    figures, verdicts = judge_case(case(TOP, SAME), whole, runs, latencies, outputs, False)
    why = "this backend computes nothing: its outputs are made up"
    assert [(one.outcome, one.reason) for one in verdicts] == [(Outcome.NOT_MEASURED, why)] * 2
    assert {one.metric for one in figures if one.unit in ("ratio", "number")} == {"top-1", "label agreement"}
