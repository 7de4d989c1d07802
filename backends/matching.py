"""Comparing the tensors a contract names with those an artifact has."""

from __future__ import annotations

from typing import Any, Mapping, NamedTuple, Optional, Sequence, Tuple

from bench.device.adapter import UNTOLD, ModelRejected, TensorSpec


class Found(NamedTuple):
    """A tensor as the framework sees it: free dimensions are anything but an integer; None is any shape."""

    dtype: str
    shape: Optional[Sequence[Any]]


def match_inputs(specs: Tuple[TensorSpec, ...], found: Mapping[str, Found]) -> None:
    """ModelRejected unless the contract names each input of the artifact and all fit."""
    _match(specs, found, "input")
    unnamed = sorted(set(found) - {spec.name for spec in specs})
    if unnamed:
        raise ModelRejected("the artifact also takes input `%s`, which the contract does not name" % unnamed[0])


def match_outputs(specs: Tuple[TensorSpec, ...], found: Mapping[str, Found]) -> None:
    """ModelRejected unless the artifact has each output of the contract and all fit."""
    _match(specs, found, "output")


def _match(specs: Tuple[TensorSpec, ...], found: Mapping[str, Found], what: str) -> None:
    missing = [spec.name for spec in specs if spec.name not in found]
    if missing:
        raise ModelRejected("the artifact has no %s `%s`; it has %s" % (what, missing[0], ", ".join(found)))
    for spec in specs:
        dtype, shape = found[spec.name]
        if dtype != spec.dtype:
            raise ModelRejected("%s `%s` is %s in the artifact, not %s" % (what, spec.name, dtype, spec.dtype))
        if shape is not None and not _fits(spec, shape):
            shapes = (what, spec.name, _words(shape), _words(spec.shape))
            raise ModelRejected("%s `%s` has shape %s in the artifact, not %s" % shapes)


def _fits(spec: TensorSpec, shape: Sequence[Any]) -> bool:
    if spec.shape == UNTOLD:
        return True
    return len(shape) == len(spec.shape) and all(
        ours == theirs for ours, theirs in zip(spec.shape, shape) if isinstance(ours, int) and isinstance(theirs, int)
    )


def _words(shape: Sequence[Any]) -> str:
    return "[%s]" % ", ".join("?" if size is None else str(size) for size in shape)
