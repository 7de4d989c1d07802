"""The validation files against the declared tensors and the requirements; only their headers are read."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bench.contract.findings import Findings
from bench.contract.model import Contract, Requirement, Target
from bench.contract.paths import exists
from bench.contract.problems import meant, quoted
from bench.contract.rules import fits, spelled
from bench.device.adapter import TensorSpec
from bench.device.library import MAX_SAMPLES_BYTES, SamplesRejected, arrange
from bench.device.records import TensorJob
from bench.device.safe_arrays import npy_header, npz_headers

Headers = Mapping[str, tuple[Any, tuple[int, ...]]]


def check(contract: Contract, targets: Sequence[Target], findings: Findings) -> None:
    """Note all that is wrong with samples, labels and predictions."""
    files = contract.validation
    samples = _headers(contract, "samples", files.samples, findings)
    count = _samples(contract, samples, findings) if samples is not None else None
    labels = _headers(contract, "labels", files.labels, findings)
    if labels is not None:
        _labels(contract, labels, count, findings)
    predictions = _headers(contract, "predictions", files.predictions, findings)
    if predictions is not None:
        _predictions(contract, predictions, count, findings)
    for target in targets:
        for requirement in target.limits.requirements:
            _needs(contract, requirement, findings)


def _headers(contract: Contract, word: str, path: Path | None, findings: Findings) -> Headers | None:
    """Dtype and shape of each array; None where there is no file, or it is noted as a problem."""
    place = contract.place("validation", word)
    if path is None or not exists(path, contract.folder, place, findings.problems):
        return None
    try:
        if path.suffix == ".npy" and word == "labels":
            return {"labels": npy_header(path, MAX_SAMPLES_BYTES)}
        return npz_headers(path, MAX_SAMPLES_BYTES)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        findings.problems.add(place, f"{quoted(path.name)}: {reason}")
        return None


def _samples(contract: Contract, headers: Headers, findings: Findings) -> int | None:
    """How many samples there are; None, with a problem noted, where they are not the model's inputs."""
    place = contract.place("validation", "samples")
    specs = [one.spec for one in contract.inputs if one.spec.name not in contract.state]
    missing = [spec for spec in specs if spec.name not in headers]
    for spec in missing:
        message = f"the samples have no array {quoted(spec.name)}: {meant(spec.name, headers)}"
        findings.problems.add(place, message)
    for name in headers:
        if name not in [spec.name for spec in specs]:
            what = "is fed from an output" if name in contract.state else "is no input"
            findings.notice(f"the samples' array `{name}` is not used: it {what}")
    if missing:
        return None
    try:
        # The library's own rules, on arrays that have a shape but hold one element only.
        arrays = {
            spec.name: np.broadcast_to(np.zeros((), headers[spec.name][0]), headers[spec.name][1]) for spec in specs
        }
        tensors = [TensorJob(spec.name, spec.dtype, list(spec.shape)) for spec in specs]
        return arrange(arrays, tensors, contract.dims, contract.batch_dim, "file").count
    except (SamplesRejected, ValueError, KeyError) as error:
        findings.problems.add(place, f"{error}")
        return None


def _labels(contract: Contract, headers: Headers, count: int | None, findings: Findings) -> None:
    place = contract.place("validation", "labels")
    if "labels" not in headers and len(headers) != 1:
        hint = meant("labels", headers)
        findings.problems.add(place, f"the labels' file has {len(headers)} arrays, none called `labels`: {hint}")
        return
    dtype, shape = headers.get("labels") or next(iter(headers.values()))
    if dtype.kind not in "biuf":
        findings.problems.add(place, f"the labels are {dtype}: write whole numbers, or the values of a regression")
    if count is not None and (not shape or shape[0] != count):
        many = shape[0] if shape else "no"
        findings.problems.add(place, f"there are {many} labels and {count} samples: write one label a sample, in order")


def _predictions(contract: Contract, headers: Headers, count: int | None, findings: Findings) -> None:
    place = contract.place("validation", "predictions")
    outputs = {spec.name: spec for spec in contract.outputs if spec.name not in contract.state.values()}
    named = {name: header for name, header in headers.items() if name not in contract.state.values()}
    first = contract.validation.output or next(iter(outputs), "")
    if len(named) == 1 and not set(named) & set(outputs) and first in outputs:
        named = {first: next(iter(named.values()))}
    if not named:
        findings.problems.add(place, f"the predictions hold no output: {meant(first, outputs)}")
    for name, (_, shape) in named.items():
        if name not in outputs:
            findings.problems.add(place, f"the predictions' array {quoted(name)} is no output: {meant(name, outputs)}")
        elif count is not None and not _is_reference(shape, outputs[name], count, contract):
            message = f"the predictions of {quoted(name)} have the shape {list(shape)}"
            message = f"{message}, which is not {count} samples of {spelled(outputs[name])}"
            findings.problems.add(place, f"{message}: write one row a sample, in order")


def _is_reference(shape: tuple[int, ...], spec: TensorSpec, count: int, contract: Contract) -> bool:
    """Whether an array has one row a sample: on the output's own first axis, or, where it has no batch, before it."""
    rows: list[tuple[int | str, ...]] = [(count, *spec.shape[1:])] if spec.shape else []
    if contract.batch_dim not in spec.shape[:1]:
        rows.append((count, *spec.shape))
    sizes = {name: size for name, size in contract.dims.items() if name != contract.batch_dim}
    return any(fits(shape, row, sizes) for row in rows)


def _needs(contract: Contract, requirement: Requirement, findings: Findings) -> None:
    """What accuracy and agreement are computed from must be there."""
    word = {"accuracy": "labels", "agreement": "predictions"}.get(requirement.block)
    if word is None:
        return
    files = contract.validation
    if files.samples is None:
        findings.notice(f"`{requirement.id}` will not be measured: `validation` has no `samples`")
    elif getattr(files, word) is None:
        message = f"{quoted(requirement.metric)} needs {word}: write `{word}: FILE.npz` under `validation`"
        findings.problems.add(requirement.place, message)
    top = re.fullmatch(r"top-(\d+)", requirement.metric)
    classes = _classes(contract)
    if top and classes is not None and int(top[1]) > classes:
        message = f"{quoted(requirement.metric)} of {classes} classes is always right: write a smaller k"
        findings.problems.add(requirement.place, message)


def _classes(contract: Contract) -> int | None:
    """How many classes the labelled output tells apart, where its last dimension is fixed."""
    outputs = [spec for spec in contract.outputs if spec.name not in contract.state.values()]
    named = [spec for spec in outputs if contract.validation.output in (None, spec.name)]
    last = named[0].shape[-1] if named and len(named[0].shape) > 1 else None
    return last if isinstance(last, int) and last > 1 else None
