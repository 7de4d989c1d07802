"""Accuracy metrics against scikit-learn's, and the cases it leaves open."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.special import softmax
from sklearn import metrics as sk  # type: ignore[import-untyped]

from bench.quality.accuracy import accuracy, class_numbers

SEEDS = st.integers(0, 10_000)
RARELY = settings(deadline=None, max_examples=40)


def scores(seed: int, n: int = 60, classes: int = 4) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Logits that have something to do with the labels; rounded, so that some are equal."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, n)
    logits = rng.normal(size=(n, classes)) + 1.5 * np.eye(classes)[labels]
    return np.round(logits, 1).astype(np.float32), labels


@RARELY
@given(seed=SEEDS)
def test_top_1_is_the_share_of_right_argmaxes(seed: int) -> None:
    logits, labels = scores(seed)
    assert accuracy("top-1", logits, labels) == sk.accuracy_score(labels, logits.argmax(axis=1))


@RARELY
@given(seed=SEEDS, k=st.integers(1, 5))
def test_top_k_is_scikit_learns_where_no_scores_are_equal(seed: int, k: int) -> None:
    rng = np.random.default_rng(seed)
    logits, labels = rng.permuted(np.tile(np.arange(6.0), (40, 1)), axis=1), rng.integers(0, 6, 40)
    expected = sk.top_k_accuracy_score(labels, logits, k=k, labels=range(6))
    assert accuracy(f"top-{k}", logits, labels) == pytest.approx(expected)


@RARELY
@given(seed=SEEDS)
def test_f1_precision_and_recall_are_scikit_learns_macro_average(seed: int) -> None:
    logits, labels = scores(seed, n=12, classes=6)  # few, so that classes are missing
    guess = logits.argmax(axis=1)
    for name, theirs in (("f1", sk.f1_score), ("precision", sk.precision_score), ("recall", sk.recall_score)):
        expected = theirs(labels, guess, average="macro", zero_division=0)
        assert accuracy(name, logits, labels) == pytest.approx(expected)


@RARELY
@given(seed=SEEDS)
def test_auc_is_scikit_learns_one_against_the_rest_of_the_probabilities(seed: int) -> None:
    logits, labels = scores(seed)
    probabilities = softmax(logits.astype(np.float64), axis=1)
    expected = sk.roc_auc_score(labels, probabilities, multi_class="ovr", average="macro", labels=range(4))
    assert accuracy("auc", logits, labels) == pytest.approx(expected)
    assert accuracy("auc", probabilities, labels) == pytest.approx(expected)


@RARELY
@given(seed=SEEDS, columns=st.sampled_from([0, 1, 2]))
def test_auc_of_two_classes_counts_equal_scores_half(seed: int, columns: int) -> None:
    rng = np.random.default_rng(seed)
    labels = np.concatenate([[0, 1], rng.integers(0, 2, 30)])
    score = np.round(rng.random(32) * 0.5 + labels * 0.2, 1).astype(np.float32)
    output = score if columns == 0 else score[:, None] if columns == 1 else np.stack([1 - score, score], axis=1)
    assert accuracy("auc", output, labels) == pytest.approx(sk.roc_auc_score(labels, score))


def test_auc_leaves_out_classes_that_no_label_names() -> None:
    logits, labels = scores(3)
    seen = labels < 3
    by_hand = [
        sk.roc_auc_score(labels[seen] == one, softmax(logits[seen].astype(float), axis=1)[:, one]) for one in range(3)
    ]
    assert accuracy("auc", logits[seen], labels[seen]) == pytest.approx(np.mean(by_hand))


@RARELY
@given(seed=SEEDS, columns=st.integers(1, 3), dtype=st.sampled_from(["float16", "float32", "float64"]))
def test_mae_rmse_and_r2_are_scikit_learns(seed: int, columns: int, dtype: str) -> None:
    rng = np.random.default_rng(seed)
    labels = rng.normal(size=(30, columns))
    output = (labels + rng.normal(size=labels.shape) * 0.3).astype(dtype)
    assert accuracy("mae", output, labels) == pytest.approx(sk.mean_absolute_error(labels, output))
    assert accuracy("rmse", output, labels) == pytest.approx(np.sqrt(sk.mean_squared_error(labels, output)))
    assert accuracy("r2", output, labels) == pytest.approx(sk.r2_score(labels, output))


def test_one_column_of_values_may_be_flat_on_either_side() -> None:
    labels = np.array([1.0, 2.0, 4.0])
    assert accuracy("mae", np.array([[1.0], [2.0], [3.0]]), labels) == pytest.approx(1 / 3)
    assert accuracy("mae", np.array([1.0, 2.0, 3.0]), labels[:, None]) == pytest.approx(1 / 3)


def test_one_hot_and_whole_floating_point_labels_are_class_numbers() -> None:
    labels = np.array([2, 0, 1])
    for form in (np.eye(3)[labels], labels.astype(np.float32), labels[:, None], labels.astype(np.uint8)):
        assert class_numbers(form).tolist() == [2, 0, 1]


def test_a_lone_score_is_a_probability_or_a_logit_by_its_range() -> None:
    labels = np.array([0, 0, 1, 1])
    assert accuracy("top-1", np.array([0.1, 0.4, 0.6, 0.9], dtype=np.float32), labels) == 1.0
    assert accuracy("top-1", np.array([[-3.0], [-0.1], [0.2], [4.0]]), labels) == 1.0


def test_an_integer_column_is_the_predicted_class() -> None:
    assert accuracy("top-1", np.array([3, 1, 2]), np.array([3, 1, 1])) == pytest.approx(2 / 3)


def test_a_model_whose_outputs_are_all_equal_does_not_look_right() -> None:
    assert accuracy("top-1", np.zeros((100, 10)), np.arange(100) % 10) == pytest.approx(0.1)
    assert accuracy("top-5", np.zeros((100, 10)), np.arange(100) % 10) == pytest.approx(0.5)


def test_minus_infinity_is_a_score_like_any_other_for_a_class() -> None:
    assert accuracy("top-1", np.array([[-np.inf, 0.0], [1.0, -np.inf]]), np.array([1, 0])) == 1.0


NAN = np.array([[0.1, np.nan], [0.2, 0.3]])
LOGITS, LABELS = scores(1)


@pytest.mark.parametrize(
    ("metric", "output", "labels", "message"),
    [
        ("top-1", NAN, np.array([0, 1]), "holds 1 NaN"),
        ("mae", NAN, NAN, "holds 1 NaN"),
        ("mae", np.array([1.0, np.inf]), np.array([1.0, 2.0]), "the output holds 1 infinite"),
        ("mae", np.array([1.0, 2.0]), np.array([1.0, np.inf]), "the array of labels holds 1 infinite"),
        ("auc", np.array([[np.inf, 0.0], [0.0, 1.0]]), np.array([0, 1]), "infinite"),
        ("top-1", LOGITS, LABELS[:-1], "60 outputs and 59 labels"),
        ("top-1", LOGITS[:0], LABELS[:0], "no sample"),
        ("top-1", LOGITS, LABELS + 1, "a label is 4, but the output has 4 classes"),
        ("f1", LOGITS, LABELS + 1, "a label is 4, but the output has 4 classes"),
        ("top-1", LOGITS, LABELS - 1, "a label is -1"),
        ("top-1", LOGITS, LABELS + 0.5, "not whole numbers"),
        ("top-1", LOGITS, np.ones((60, 4)), "not one-hot"),
        ("top-1", LOGITS, np.zeros((60, 2, 2)), "neither class numbers"),
        ("top-4", LOGITS, LABELS, "always reached"),
        ("top-2", LOGITS[:, 0], LABELS, "single column"),
        ("top-1", LOGITS.reshape(60, 2, 2), LABELS, "has no classes"),
        ("auc", LOGITS, np.zeros(60, dtype=int), "all labels are one class"),
        ("auc", LOGITS[:, 0], LABELS, "one score, for class 1 of two"),
        ("auc", LABELS, LABELS, "needs scores"),
        ("mae", LOGITS, LABELS, "one value for each is needed"),
        ("r2", LOGITS[:, 0], np.zeros(60), "do not vary"),
        ("top-1", LOGITS.astype(complex), LABELS, "not real numbers"),
        ("top-1", np.array(1.0), LABELS, "first axis counts samples"),
        ("elegance", LOGITS, LABELS, "no accuracy metric"),
    ],
)
def test_what_has_no_meaning_says_why(
    metric: str, output: NDArray[np.float64], labels: NDArray[np.float64], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        accuracy(metric, output, labels)
