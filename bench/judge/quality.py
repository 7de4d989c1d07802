"""The model's outputs against the validation set: accuracy and agreement figures.

The contract is about that very set, so a figure is exact and has no interval.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench import metrics
from bench.contract.model import Contract, Requirement
from bench.device.safe_arrays import read_npy, read_npz
from bench.judge import user_metric
from bench.quality.accuracy import accuracy
from bench.quality.agreement import agreement
from bench.results import Figure, ProcessRun

Array = NDArray[Any]
MAX_FILE_BYTES = 4 << 30
CLASSES = ("top-1", "top-5", "f1", "precision", "recall", "auc")
VALUES = ("mae", "rmse", "r2")
"""Told without being asked for, as far as labels and outputs allow."""
CHEAP_VALUES = 2_000_000
"""An AUC that nobody asked for is left out above so many output values: it sorts them all."""


@dataclass(frozen=True)
class Collected:
    """The outputs over all samples, by name, each ``[n, …]``; or why there are none."""

    arrays: Mapping[str, Array]
    why_not: str = ""


def collected(contract: Contract, runs: Sequence[ProcessRun], outputs: Mapping[str, Array] | None) -> Collected:
    """The outputs, if the process that collected them (the first) kept to the end and had samples to run on."""
    if contract.validation.samples is None:
        return Collected({}, "there are no samples (`validation`, `samples`): the inputs were generated")
    collector = next((run for run in runs if run.index == 0), None)
    if collector is None or not outputs:
        failure = collector.failure if collector else None
        return Collected({}, f"{failure.error}: {failure.message}" if failure else "no outputs were kept")
    if collector.failure is not None and not collector.is_whole:
        return Collected({}, f"the outputs are not whole: {collector.failure.error}: {collector.failure.message}")
    if collector.facts.get("computes") is False:
        return Collected({}, "this backend computes nothing: its outputs are made up")
    count = collector.samples_count or max(len(array) if array.ndim else 1 for array in outputs.values())
    return Collected({name: _by_sample(array, count) for name, array in outputs.items()})


def quality_figures(
    contract: Contract,
    requirements: Sequence[Requirement],
    found: Collected,
    allow_code: bool,
    code_s: float = user_metric.TIMEOUT_S,
) -> dict[tuple[str, str], Figure]:
    """By (block, metric): every required figure, and those that the validation files allow beside them.

    ``code_s``: the longest that each of the user's own metrics may take, in seconds.
    """
    wanted = {block: [one.metric for one in requirements if one.block == block] for block in metrics.QUALITY}
    figures = [*_accuracy_figures(contract, wanted["accuracy"], found, allow_code, code_s)]
    answers = {("accuracy", one.metric): one for one in figures}
    answers.update({("agreement", one.metric): one for one in _agreement_figures(contract, wanted["agreement"], found)})
    return answers


def _accuracy_figures(
    contract: Contract, wanted: Sequence[str], found: Collected, allow_code: bool, code_s: float
) -> Iterable[Figure]:
    try:
        labels = _labels(contract)
        name = _output_name(contract, found)
    except ValueError as error:
        return [_missing("accuracy", metric, str(error)) for metric in wanted]
    output = found.arrays[name]

    def value(metric: str) -> float:
        if not metrics.is_user_metric(metric):
            return accuracy(metric, output, labels)
        if not allow_code:
            raise ValueError(f"`{metric}` is code that this contract asks to run; read it, then say --allow-code")
        return user_metric.compute(metric, contract.folder, found.arrays, labels, code_s)

    asked = [_figure("accuracy", metric, value, len(output), f"output `{name}`: ") for metric in wanted]
    names = VALUES if labels.dtype.kind == "f" and labels.size == output.size else CLASSES
    others = [one for one in names if one not in wanted and (one != "auc" or output.size <= CHEAP_VALUES)]
    told = [_figure("accuracy", metric, value, len(output), "") for metric in others]
    return [*asked, *(one for one in told if one.value is not None)]


def _agreement_figures(contract: Contract, wanted: Sequence[str], found: Collected) -> Iterable[Figure]:
    try:
        references = _references(contract, found)
        name = _output_name(contract, found)
    except ValueError as error:
        return [_missing("agreement", metric, str(error)) for metric in wanted]

    def value(metric: str) -> float:
        return _over_outputs(metric, name, found, references)

    count = len(found.arrays[name])
    asked = [_figure("agreement", metric, value, count, "") for metric in wanted]
    others = [one.name for one in metrics.AGREEMENT if one.name not in wanted]
    told = [_figure("agreement", metric, value, count, "") for metric in others]
    return [*asked, *(one for one in told if one.value is not None)]


def _over_outputs(metric: str, labelled: str, found: Collected, references: Mapping[str, Array]) -> float:
    """The worst of all outputs that have a reference; label agreement is about the labelled output alone."""
    names = [labelled] if metric == "label agreement" else list(references)
    values = []
    for name in names:
        if name not in references:
            raise ValueError(f"the predictions have no output `{name}`")
        try:
            values.append(agreement(metric, found.arrays[name], references[name]))
        except ValueError as error:
            raise ValueError(f"output `{name}`: {error}") from error
    direction = next(one.direction for one in metrics.AGREEMENT if one.name == metric)
    return min(values) if direction == "at least" else max(values)


def _labels(contract: Contract) -> Array:
    path = contract.validation.labels
    if path is None:
        raise ValueError("there are no labels (`validation`, `labels`)")
    arrays = _arrays(path)
    if len(arrays) != 1 and "labels" not in arrays:
        raise ValueError(f"{path.name} has no array `labels`; it has {', '.join(sorted(arrays)) or 'none'}")
    return arrays.get("labels", next(iter(arrays.values())))


def _references(contract: Contract, found: Collected) -> dict[str, Array]:
    path = contract.validation.predictions
    if path is None:
        raise ValueError("there are no reference predictions (`validation`, `predictions`)")
    answers, fed = [spec.name for spec in contract.answers], contract.state.values()
    arrays = {name: array for name, array in _arrays(path).items() if name in answers or name not in fed}
    if len(arrays) == 1 and not set(arrays) & set(found.arrays):
        arrays = {_output_name(contract, found): next(iter(arrays.values()))}
    unknown = [name for name in arrays if found.arrays and name not in found.arrays]
    if unknown or not arrays:
        has = ", ".join(sorted(found.arrays))
        raise ValueError(f"{path.name} has predictions for `{', '.join(unknown)}`; the outputs are {has}")
    return arrays


def _arrays(path: Path) -> dict[str, Array]:
    try:
        if path.suffix == ".npy":
            return {"": read_npy(path, MAX_FILE_BYTES)}
        return read_npz(path, MAX_FILE_BYTES)
    except OSError as error:
        raise ValueError(f"{path.name}: {error.strerror or error}") from error
    except ValueError as error:
        raise ValueError(f"{path.name}: {error}") from error


def _output_name(contract: Contract, found: Collected) -> str:
    """The output that labels are about: the contract's word, else the model's first that is no state."""
    if found.why_not:
        raise ValueError(found.why_not)
    declared = [spec.name for spec in contract.answers]
    name = contract.validation.output or next(iter([*declared, *found.arrays]))
    if name not in found.arrays:
        raise ValueError(f"the model gave no output `{name}`; it gave {', '.join(sorted(found.arrays))}")
    return name


def _by_sample(array: Array, count: int) -> Array:
    """``[n, …]``, also where each query's output had no batch axis and its rows were strung together."""
    rows = len(array) if array.ndim else 0
    if rows != count and rows % count == 0 and array.size:
        return array.reshape(count, rows // count, *array.shape[1:])
    return array


def _figure(block: str, metric: str, value: Callable[[str], float], count: int, where: str) -> Figure:
    try:
        found = value(metric)
    except ValueError as error:
        return _missing(block, metric, f"{where}{error}", count)
    if not np.isfinite(found):
        return _missing(block, metric, f"{where}the result is {found}", count)
    return Figure(metric, _unit(block, metric), found, count=count)


def _missing(block: str, metric: str, why: str, count: int = 0) -> Figure:
    return Figure(metric, _unit(block, metric), None, count=count, why_not=why)


def _unit(block: str, metric: str) -> str:
    known = metrics.find(block, metric)
    return known.unit if known else "number"
