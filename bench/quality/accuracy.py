"""Outputs x labels -> accuracy. Pure; every function raises ValueError where it has no meaning, saying why.

``output`` is the model's output over all samples, in order:

- ``[n, classes]`` numbers: a score a class; the highest is the prediction, the first of equals;
- ``[n]`` or ``[n, 1]`` floating point: a score for class 1 of two. It is a probability where all values lie
  in 0 … 1 (class 1 above 0.5), else a logit (class 1 above 0);
- ``[n]`` or ``[n, 1]`` integer or boolean: the predicted class itself.

``labels`` are class numbers from 0 (``[n]`` or ``[n, 1]``), one-hot rows (``[n, classes]``), or, for ``mae``,
``rmse`` and ``r2``, values of the output's own shape.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Integers = NDArray[np.int64]
_ROWS_BYTES = 16 << 20
_TOP_K = re.compile(r"top-(\d+)")


def accuracy(metric: str, output: Array, labels: Array) -> float:
    """The metric of that name; ValueError where output and labels do not allow it."""
    if output.ndim == 0 or labels.ndim == 0:
        raise ValueError("a single number is no row of outputs or labels: the first axis counts samples")
    if len(output) != len(labels):
        raise ValueError(f"there are {len(output):,} outputs and {len(labels):,} labels")
    if len(output) == 0:
        raise ValueError("there is no sample")
    refuse_nan(output, "the output")
    _refuse_overflow(output)
    match = _TOP_K.fullmatch(metric)
    if match:
        return top_k(output, class_numbers(labels), int(match[1]))
    if metric in _REGRESSION:
        return _REGRESSION[metric](*_pairs(output, labels))
    if metric == "auc":
        return auc(output, class_numbers(labels))
    if metric in _MACRO:
        return _macro(output, class_numbers(labels), _MACRO[metric])
    raise ValueError(f"`{metric}` is no accuracy metric")


def refuse_nan(array: Array, what: str) -> None:
    """ValueError if the array holds NaN, or is no array of plain numbers."""
    if array.dtype.kind not in "biuf":
        raise ValueError(f"{what} is {array.dtype}, not real numbers")
    count = int(np.count_nonzero(np.isnan(array))) if array.dtype.kind == "f" else 0
    if count:
        raise ValueError(f"{what} holds {count:,} NaN")


def refuse_infinite(array: Array, what: str) -> None:
    """ValueError if the array holds NaN or an infinite value."""
    refuse_nan(array, what)
    count = int(np.count_nonzero(np.isinf(array))) if array.dtype.kind == "f" else 0
    if count:
        raise ValueError(f"{what} holds {count:,} infinite values")


def _refuse_overflow(output: Array) -> None:
    """ValueError for +inf: a score that overflowed always wins. -inf is how a model masks a class out."""
    count = int(np.count_nonzero(np.isposinf(output))) if output.dtype.kind == "f" else 0
    if count:
        raise ValueError(f"the output holds {count:,} infinite values")


def class_numbers(labels: Array) -> Integers:
    """Labels as class numbers ``[n]``, from numbers or one-hot rows."""
    refuse_infinite(labels, "the array of labels")
    if labels.ndim == 2 and labels.shape[1] > 1:
        if not (np.isin(labels, (0, 1)).all() and (labels.sum(axis=1) == 1).all()):
            raise ValueError(f"labels of shape {list(labels.shape)} are not one-hot: one 1 a row, else 0")
        return _integers(np.argmax(labels, axis=1))
    if labels.size != len(labels):
        raise ValueError(f"labels of shape {list(labels.shape)} are neither class numbers [n] nor one-hot [n, classes]")
    flat = labels.reshape(-1)
    if flat.dtype.kind == "f" and not (flat == np.floor(flat)).all():
        raise ValueError("the labels are not whole numbers: they name no classes")
    numbers = _integers(flat)
    if numbers.size and numbers.min() < 0:
        raise ValueError(f"a label is {numbers.min()}: classes count from 0")
    return numbers


def predicted(output: Array, reference: Array | None = None) -> Integers:
    """The predicted class of each sample; whether a lone score is a probability is told by ``reference``."""
    if output.size == len(output):
        flat = output.reshape(-1)
        if flat.dtype.kind != "f":
            return _integers(flat)
        return _integers(flat > _threshold(flat if reference is None else reference))
    if output.ndim != 2:
        raise ValueError(
            f"an output of shape {list(output.shape)} names no class: it must be [n, classes], [n, 1] or [n]"
        )
    return _integers(np.argmax(output, axis=1))


def top_k(output: Array, labels: Integers, k: int) -> float:
    """Share of samples whose label is among the k highest outputs; of equal ones the first counts as higher."""
    if output.size == len(output):
        if k > 1:
            raise ValueError(f"top-{k} needs an output of more than {k} classes; this one is a single column")
        return float(np.mean(predicted(output) == labels))
    classes = _classes(output, labels)
    if k >= classes:
        raise ValueError(f"top-{k} of {classes} classes is always reached")
    hits, step = 0, max(1, _ROWS_BYTES // (classes * 8))
    for first in range(0, len(output), step):
        rows, own = output[first : first + step], labels[first : first + step, None]
        score = np.take_along_axis(rows, own, axis=1)
        ahead = (rows > score) | ((rows == score) & (np.arange(classes) < own))
        hits += int(np.count_nonzero(ahead.sum(axis=1) < k))
    return hits / len(output)


def auc(output: Array, labels: Integers) -> float:
    """Area under the ROC curve: one class against the rest, averaged over the classes that have both.

    Scores that are no probabilities (rows of 0 … 1 that sum to 1) are taken as logits, and softmax is
    applied before samples are compared. Equal scores count half. The area is the Mann-Whitney statistic
    over its largest value (Hanley & McNeil, *Radiology* 143 (1982), p. 29).
    """
    refuse_infinite(output, "the output")
    if output.size == len(output):
        if output.dtype.kind != "f":
            raise ValueError("auc needs scores; this output holds classes")
        if labels.max() > 1:
            raise ValueError(f"the output is one score, for class 1 of two, but a label is {labels.max()}")
        return _area(output.reshape(-1), labels == 1)
    classes = _classes(output, labels)
    scores = _log_probabilities(output)
    wanted = [1] if classes == 2 else range(classes)
    told = [one for one in wanted if 0 < np.count_nonzero(labels == one) < len(labels)]
    if not told:
        raise ValueError("all labels are one class: auc compares classes")
    return float(np.mean([_area(scores[:, one], labels == one) for one in told]))


def _area(scores: Array, positive: NDArray[np.bool_]) -> float:
    positives = int(np.count_nonzero(positive))
    negatives = len(scores) - positives
    if not positives or not negatives:
        raise ValueError("all labels are one class: auc compares classes")
    _, place, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = np.cumsum(counts) - (counts - 1) / 2  # equal scores share their mean rank
    return float((ranks[place][positive].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def _log_probabilities(output: Array) -> NDArray[np.float64]:
    scores = output.astype(np.float64)
    if scores.min() >= 0 and np.allclose(scores.sum(axis=1), 1, atol=1e-3):
        return scores
    scores -= scores.max(axis=1, keepdims=True)
    scores -= np.log(np.exp(scores).sum(axis=1, keepdims=True))
    return scores


def _macro(output: Array, labels: Integers, score: Callable[[Array, Array, Array], Array]) -> float:
    """Mean of a per-class score over the classes that are a label or a prediction; 0 where it divides by 0."""
    if output.size != len(output):
        _classes(output, labels)
    classes, both = np.unique(np.concatenate([labels, predicted(output)]), return_inverse=True)
    truth, guess = both[: len(labels)], both[len(labels) :]
    hits = np.bincount(truth[truth == guess], minlength=len(classes))
    return float(
        np.mean(score(hits, np.bincount(guess, minlength=len(classes)), np.bincount(truth, minlength=len(classes))))
    )


def _ratio(above: Array, below: Array) -> Array:
    return np.divide(above, below, out=np.zeros(len(above)), where=below > 0)


_MACRO: dict[str, Callable[[Array, Array, Array], Array]] = {
    "precision": lambda hits, guessed, true: _ratio(hits, guessed),
    "recall": lambda hits, guessed, true: _ratio(hits, true),
    "f1": lambda hits, guessed, true: _ratio(2 * hits, guessed + true),
}


def _pairs(output: Array, labels: Array) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Output and labels as ``[n, values]``."""
    refuse_infinite(output, "the output")
    refuse_infinite(labels, "the array of labels")
    if output.size != labels.size:
        raise ValueError(
            f"the output is {list(output.shape)}, the labels are {list(labels.shape)}: one value for each is needed"
        )
    n = len(output)
    return output.reshape(n, -1).astype(np.float64), labels.reshape(n, -1).astype(np.float64)


def _mae(output: NDArray[np.float64], labels: NDArray[np.float64]) -> float:
    return float(np.mean(np.abs(output - labels)))


def _rmse(output: NDArray[np.float64], labels: NDArray[np.float64]) -> float:
    """Root of the mean over all values of all samples."""
    return float(np.sqrt(np.mean(np.square(output - labels))))


def _r2(output: NDArray[np.float64], labels: NDArray[np.float64]) -> float:
    """Mean over the output's values of 1 - residual / total sum of squares."""
    total = np.square(labels - labels.mean(axis=0)).sum(axis=0)
    if not (total > 0).all():
        raise ValueError("the labels do not vary: r2 has no meaning")
    return float(np.mean(1 - np.square(output - labels).sum(axis=0) / total))


_REGRESSION = {"mae": _mae, "rmse": _rmse, "r2": _r2}


def _integers(array: Array) -> Integers:
    return np.asarray(array, dtype=np.int64)


def _threshold(scores: Array) -> float:
    return 0.5 if scores.min() >= 0 and scores.max() <= 1 else 0.0


def _classes(output: Array, labels: Integers) -> int:
    """How many classes the output has; ValueError if it is not ``[n, classes]`` or a label is beyond them."""
    if output.ndim != 2:
        raise ValueError(
            f"an output of shape {list(output.shape)} has no classes: it must be [n, classes], [n, 1] or [n]"
        )
    classes = int(output.shape[1])
    if labels.max() >= classes:
        raise ValueError(f"a label is {labels.max()}, but the output has {classes} classes, counted from 0")
    return classes
