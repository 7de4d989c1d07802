"""Labels and predictions by their values: whether each accuracy and agreement line could be computed from them at all.

The rules are those of ``bench.quality``, which the judge computes by: they are tried on outputs of the declared shape
and dtype, all zero. What they then refuse, they refuse whatever the model answers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.contract.findings import Findings
from bench.contract.model import Contract, Requirement
from bench.contract.problems import quoted
from bench.device.adapter import TensorSpec
from bench.metrics import is_user_metric
from bench.quality.accuracy import accuracy
from bench.quality.agreement import agreement

Array = NDArray[Any]
MOST_VALUES = 1 << 22
"""Output values that are tried; of more samples only some are, the least and the greatest label among them."""


@dataclass(frozen=True)
class Samples:
    """How many samples there are, and how many of them a query of a fixed batch size holds."""

    count: int
    group: int


def labels_allow(
    contract: Contract, labels: Array, samples: Samples, asked: Iterable[Requirement], findings: Findings
) -> None:
    """Note each accuracy line that these labels and the labelled output cannot answer."""
    spec = labelled(contract)
    shape = None if spec is None else answered(spec, contract, samples)
    if spec is None or shape is None or len(labels) != shape[0]:
        return
    rows = _rows(labels, shape)
    for one in asked:
        if is_user_metric(one.metric) or (one.metric == "r2" and len(rows) < len(labels)):
            continue
        try:
            accuracy(one.metric, np.zeros((len(rows), *shape[1:]), spec.dtype), labels[rows])
        except ValueError as error:
            message = f"{quoted(one.metric)} cannot be computed of output {quoted(spec.name)} and these labels"
            tried = "" if len(rows) == len(labels) else f" (of the {len(rows)} samples that were tried)"
            findings.problems.add(one.place, f"{message}: {error}{tried}")


def predictions_allow(
    contract: Contract, references: Mapping[str, Array], samples: Samples, findings: Findings
) -> None:
    """Note each reference whose values nothing can agree with."""
    specs = {spec.name: spec for spec in contract.outputs}
    for name, reference in references.items():
        shape = answered(specs[name], contract, samples)
        if shape is None or len(reference) == 0:
            continue
        rows = slice(0, max(1, MOST_VALUES // max(1, prod(shape[1:]))))
        try:
            _finite(reference)
            agreement("cosine", np.zeros(shape, specs[name].dtype)[rows], reference[rows])
        except ValueError as error:
            message = f"the predictions of {quoted(name)} cannot be compared with: {error}"
            findings.problems.add(contract.place("validation", "predictions"), f"{message}: write what the model gave")


def labelled(contract: Contract) -> TensorSpec | None:
    """The output that labels are about."""
    wanted = contract.validation.output
    return next((spec for spec in contract.answers if wanted in (None, spec.name)), None)


def answered(spec: TensorSpec, contract: Contract, samples: Samples) -> tuple[int, ...] | None:
    """The shape of an output over all samples, ``[n, …]``; None where the contract does not tell it.

    An output that has no batch axis is cut by sample, as the judge cuts it.
    """
    sizes = [contract.dims.get(str(size), size) for size in spec.shape]
    rest = tuple(size for size in sizes[1:] if isinstance(size, int))
    if len(rest) < len(sizes[1:]) or not sizes:
        return None if sizes else (samples.count,)
    if sizes[0] == contract.batch_dim:
        return (samples.count, *rest)
    rows = sizes[0] * samples.count // samples.group if isinstance(sizes[0], int) else 0
    if not rows or rows % samples.count:
        return None
    return (samples.count, *rest) if rows == samples.count else (samples.count, rows // samples.count, *rest)


def _rows(labels: Array, shape: tuple[int, ...]) -> NDArray[np.int64]:
    """The samples that are tried: all, or as many as stay small and those that a rule may stumble over."""
    few = max(16, MOST_VALUES // max(1, prod(shape[1:])))
    if len(labels) <= few:
        return np.arange(len(labels))
    flat = labels.reshape(len(labels), -1).astype(np.float64)
    odd = [np.argmax(~np.isfinite(flat).all(axis=1)), np.argmax((flat != np.floor(flat)).any(axis=1))]
    return np.unique([*range(few), np.argmin(flat.min(axis=1)), np.argmax(flat.max(axis=1)), *odd])


def _finite(reference: Array) -> None:
    bad = 0 if reference.dtype.kind != "f" else int(np.count_nonzero(~np.isfinite(reference)))
    if bad:
        raise ValueError(f"{bad:,} of {reference.size:,} values are NaN or infinite")
