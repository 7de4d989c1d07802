"""Outputs x reference predictions -> agreement. Pure; ValueError where a figure has no meaning, saying why."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.quality.accuracy import predicted, refuse_infinite, refuse_nan

Array = NDArray[Any]
Rows = NDArray[np.float64]
NEAR_ZERO = 1e-3
"""Of an output's largest absolute reference value: a relative difference is never taken of less."""
_ROWS_BYTES = 16 << 20


def agreement(metric: str, output: Array, reference: Array) -> float:
    """The metric of that name over one output; arrays are ``[n, …]``, any real dtype."""
    if output.ndim == 0 or reference.ndim == 0:
        raise ValueError("a single number is no row of outputs: the first axis counts samples")
    if len(output) != len(reference):
        raise ValueError(f"there are {len(output):,} outputs and {len(reference):,} reference predictions")
    if output.size != reference.size or output.size == 0:
        raise ValueError(f"the output is {list(output.shape)}, the reference {list(reference.shape)}")
    if metric == "label agreement":
        return label_agreement(output, reference)
    refuse_infinite(output, "the output")
    refuse_infinite(reference, "the reference")
    if metric == "cosine":
        return min(float(_cosines(a, b).min()) for a, b in _chunks(output, reference))
    if metric == "max abs difference":
        return max(float(np.abs(a - b).max()) for a, b in _chunks(output, reference))
    if metric == "max rel difference":
        return max_relative(output, reference)
    raise ValueError(f"`{metric}` is no agreement metric")


def label_agreement(output: Array, reference: Array) -> float:
    """Share of samples with the reference's class (``accuracy.predicted``)."""
    refuse_nan(output, "the output")
    refuse_nan(reference, "the reference")
    return float(np.mean(predicted(output, reference) == predicted(reference)))


def max_relative(output: Array, reference: Array) -> float:
    """Largest ``|output - reference| / max(|reference|, NEAR_ZERO · largest |reference|)``.

    Without the floor, rounding noise on a value that happens to be near zero would count as a large
    difference. ValueError where the reference is zero everywhere and the output is not.
    """
    largest = max(float(np.abs(b).max()) for _, b in _chunks(output, reference))
    if largest == 0:
        if np.any(output):
            raise ValueError("the reference is zero everywhere: there is nothing to be relative to")
        return 0.0
    return max(
        float((np.abs(a - b) / np.maximum(np.abs(b), NEAR_ZERO * largest)).max()) for a, b in _chunks(output, reference)
    )


def _cosines(output: Rows, reference: Rows) -> NDArray[np.float64]:
    """Of each sample; 1 where both are zero, 0 where one is."""
    scale = [np.abs(rows).max(axis=1, keepdims=True) for rows in (output, reference)]
    a, b = (
        np.divide(rows, one, out=np.zeros_like(rows), where=one > 0)
        for rows, one in zip((output, reference), scale, strict=True)
    )
    lengths = np.sqrt(np.square(a).sum(axis=1) * np.square(b).sum(axis=1))
    cosines = np.divide((a * b).sum(axis=1), lengths, out=np.zeros(len(a)), where=lengths > 0)
    both_zero = (scale[0][:, 0] == 0) & (scale[1][:, 0] == 0)
    return np.where(both_zero, 1.0, np.clip(cosines, -1.0, 1.0))


def _chunks(output: Array, reference: Array) -> Iterator[tuple[Rows, Rows]]:
    """Some samples at a time, as float64 ``[samples, values]``, so that memory stays small."""
    n = len(output)
    a, b = output.reshape(n, -1), reference.reshape(n, -1)
    step = max(1, _ROWS_BYTES // (8 * a.shape[1]))
    for first in range(0, n, step):
        yield a[first : first + step].astype(np.float64), b[first : first + step].astype(np.float64)
