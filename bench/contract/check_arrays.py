"""The validation files against the declared tensors and the requirements: their headers, then their values."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.contract import check_samples
from bench.contract.check_values import Samples, labelled, labels_allow, predictions_allow
from bench.contract.findings import Findings
from bench.contract.model import Contract, Requirement, Target
from bench.contract.paths import exists
from bench.contract.problems import meant, quoted
from bench.contract.rules import fits, spelled
from bench.device.adapter import TensorSpec
from bench.device.library import MAX_SAMPLES_BYTES, SamplesRejected, arrange
from bench.device.records import TensorJob
from bench.device.safe_arrays import npy_header, npz_headers, read_npy, read_npz

MOST_READ = 1 << 30
"""Most of samples, labels or predictions whose values are looked at."""
Headers = Mapping[str, tuple[Any, tuple[int, ...]]]


def check(contract: Contract, targets: Sequence[Target], findings: Findings) -> None:
    """Note all that is wrong with samples, labels and predictions."""
    files = contract.validation
    headers = _headers(contract, "samples", files.samples, findings)
    samples = _samples(contract, headers, findings) if headers is not None else None
    if samples is not None and headers is not None:
        check_samples.check(contract, _values(contract, "samples", files.samples, headers, findings), findings)
    asked = {one: None for target in targets for one in target.limits.requirements if _needs(contract, one, findings)}
    labels = _headers(contract, "labels", files.labels, findings)
    told = contract.tells_outputs
    if labels is not None and _labels(contract, labels, samples, findings) and samples is not None and told:
        wanted = [one for one in asked if one.block == "accuracy"]
        for array in _values(contract, "labels", files.labels, labels, findings).values():
            labels_allow(contract, array, samples, wanted, findings)
    predictions = _headers(contract, "predictions", files.predictions, findings)
    if predictions is not None and told:
        names = _predictions(contract, predictions, samples, findings)
        if names and samples is not None:
            arrays = _values(contract, "predictions", files.predictions, predictions, findings)
            references = {output: arrays[name] for name, output in names.items() if name in arrays}
            predictions_allow(contract, references, samples, findings)


def _values(
    contract: Contract, word: str, path: Path | None, headers: Headers, findings: Findings
) -> Mapping[str, NDArray[Any]]:
    """The arrays; none, with a notice, where they are so large that reading them takes long."""
    place = contract.place("validation", word)
    size = sum(dtype.itemsize * prod(dims) for dtype, dims in headers.values())
    if path is None:
        return {}
    if size > MOST_READ:
        findings.notice(f"{path.name} holds more than {MOST_READ >> 30} GiB: its values are not looked at here", place)
        return {}
    try:
        return {"labels": read_npy(path, MOST_READ)} if path.suffix == ".npy" else read_npz(path, MOST_READ)
    except (OSError, ValueError) as error:
        findings.problems.add(place, f"{quoted(path.name)}: {getattr(error, 'strerror', None) or error}")
        return {}


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


def _samples(contract: Contract, headers: Headers, findings: Findings) -> Samples | None:
    """How many samples there are; None, with a problem noted, where they are not the model's inputs."""
    place = contract.place("validation", "samples")
    specs = [one.spec for one in contract.inputs if one.spec.name not in contract.state]
    missing = [spec for spec in specs if spec.name not in headers and not contract.hides("state")]
    for spec in missing:
        message = f"the samples have no array {quoted(spec.name)}: {meant(spec.name, headers)}"
        findings.problems.add(place, message)
    for name in headers:
        if name not in [spec.name for spec in specs]:
            what = "is fed from an output" if name in contract.state else "is no input"
            findings.notice(f"the samples' array `{name}` is not used: it {what}", place)
    if missing or not contract.is_sized:
        return None
    try:
        # The library's own rules, on arrays that have a shape but hold one element only.
        arrays = {
            spec.name: np.broadcast_to(np.zeros((), headers[spec.name][0]), headers[spec.name][1]) for spec in specs
        }
        tensors = [TensorJob(spec.name, spec.dtype, list(spec.shape)) for spec in specs]
        library = arrange(arrays, tensors, contract.dims, contract.batch_dim, "file")
        return Samples(library.count, library.group)
    except (SamplesRejected, ValueError, KeyError) as error:
        findings.problems.add(place, f"{error}")
        return None


def _labels(contract: Contract, headers: Headers, samples: Samples | None, findings: Findings) -> bool:
    """Whether there is one array of labels for the samples, as far as its header tells."""
    place = contract.place("validation", "labels")
    if "labels" not in headers and len(headers) != 1:
        hint = meant("labels", headers)
        findings.problems.add(place, f"the labels' file has {len(headers)} arrays, none called `labels`: {hint}")
        return False
    name = "labels" if "labels" in headers else next(iter(headers))
    if name != "labels":
        findings.notice(f"the labels' array {quoted(name)} is taken for `labels`: it is the only one", place)
    dtype, shape = headers[name]
    if dtype.kind not in "biuf":
        findings.problems.add(place, f"the labels are {dtype}: write whole numbers, or the values of a regression")
    elif samples is not None and (not shape or shape[0] != samples.count):
        message = f"there are {shape[0] if shape else 'no'} labels and {samples.count} samples"
        findings.problems.add(place, f"{message}: write one label a sample, in order")
    else:
        return True
    return False


def _predictions(
    contract: Contract, headers: Headers, samples: Samples | None, findings: Findings
) -> Mapping[str, str]:
    """Array -> the output that it is the reference of; none where something is wrong."""
    place, before = contract.place("validation", "predictions"), len(findings.problems)
    outputs = {spec.name: spec for spec in contract.answers}
    arrays = {name: name for name in headers if name in outputs}
    named = {name: one for name, one in headers.items() if name in outputs or name not in contract.state.values()}
    first = contract.validation.output or next(iter(outputs), "")
    if len(named) == 1 and not set(named) & set(outputs) and first in outputs:
        name = next(iter(named))
        findings.notice(f"the predictions' array {quoted(name)} is taken for the output {quoted(first)}", place)
        named, arrays = {first: named[name]}, {name: first}
    if not named:
        findings.problems.add(place, f"the predictions hold no output: {meant(first, outputs)}")
    for name, (_, shape) in named.items():
        if name not in outputs:
            findings.problems.add(place, f"the predictions' array {quoted(name)} is no output: {meant(name, outputs)}")
        elif samples is not None and not _is_reference(shape, outputs[name], samples.count, contract):
            message = f"the predictions of {quoted(name)} have the shape {list(shape)}"
            message = f"{message}, which is not {samples.count} samples of {spelled(outputs[name])}"
            findings.problems.add(place, f"{message}: write one row a sample, in order")
    if len(findings.problems) > before:
        return {}
    for name in outputs:
        if name not in named:
            why = "the predictions have no array of that name"
            findings.notice(f"agreement is not about {quoted(name)}: {why}", place)
    return arrays


def _is_reference(shape: tuple[int, ...], spec: TensorSpec, count: int, contract: Contract) -> bool:
    """Whether an array has one row a sample: on the output's own first axis, or, where it has no batch, before it."""
    rows: list[tuple[int | str, ...]] = [(count, *spec.shape[1:])] if spec.shape else []
    if contract.batch_dim not in spec.shape[:1]:
        rows.append((count, *spec.shape))
    sizes = {name: size for name, size in contract.dims.items() if name != contract.batch_dim}
    return any(fits(shape, row, sizes) for row in rows)


def _needs(contract: Contract, requirement: Requirement, findings: Findings) -> bool:
    """Whether what accuracy and agreement are computed from is there."""
    word = {"accuracy": "labels", "agreement": "predictions"}.get(requirement.block)
    if word is None:
        return False
    files = contract.validation
    if getattr(files, word) is None and contract.hides("validation", word):
        pass
    elif files.samples is None:
        message = f"`{requirement.id}` will not be measured: `validation` has no `samples`"
        findings.notice(message, requirement.place)
    elif getattr(files, word) is None:
        message = f"{quoted(requirement.metric)} needs {word}: write `{word}: FILE.npz` under `validation`"
        findings.problems.add(requirement.place, message)
    top = re.fullmatch(r"top-(\d+)", requirement.metric)
    classes = _classes(contract)
    if top and classes is not None and int(top[1]) >= classes:
        message = f"{quoted(requirement.metric)} of {classes} classes is always right: write a smaller k"
        findings.problems.add(requirement.place, message)
        return False
    return True


def _classes(contract: Contract) -> int | None:
    """How many classes the labelled output tells apart, where its last dimension is fixed."""
    spec = labelled(contract)
    if contract.hides("outputs") or contract.hides("state") or contract.hides("validation", "output"):
        return None
    last = spec.shape[-1] if spec is not None and len(spec.shape) > 1 else None
    return last if isinstance(last, int) and last > 1 else None
