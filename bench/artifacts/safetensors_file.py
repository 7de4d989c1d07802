"""safetensors: a JSON header and plain bytes; only the header is read."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.artifacts.facts import (
    ArtifactError,
    ArtifactFacts,
    regular_size,
    shape_of,
    size_of,
)
from bench.artifacts.parameters import Saved, in_state

MAX_HEADER_BYTES = 100_000_000
"""The format's own bound."""
_DTYPES = {
    "BOOL": ("bool", 1),
    "U8": ("uint8", 1),
    "I8": ("int8", 1),
    "F8_E5M2": ("float8_e5m2", 1),
    "F8_E4M3": ("float8_e4m3", 1),
    "U16": ("uint16", 2),
    "I16": ("int16", 2),
    "F16": ("float16", 2),
    "BF16": ("bfloat16", 2),
    "U32": ("uint32", 4),
    "I32": ("int32", 4),
    "F32": ("float32", 4),
    "C64": ("complex64", 8),
    "U64": ("uint64", 8),
    "I64": ("int64", 8),
    "F64": ("float64", 8),
}
_COMPARED_BYTES = 4096
"""Tensors that begin alike so far may be one tensor saved twice."""
_PRODUCERS = {"pt": "pytorch", "tf": "tensorflow", "flax": "flax", "np": "numpy"}


def read(path: Path, companions: tuple[Path, ...]) -> ArtifactFacts:
    """The facts of a state file; it says nothing of inputs and outputs."""
    header, data_bytes = _header(path)
    metadata = header.pop("__metadata__", {})
    tensors = {name: _tensor(path, name, entry, data_bytes) for name, entry in header.items()}
    if sum(end - first for _, _, first, end in tensors.values()) != data_bytes:
        raise ArtifactError(f"{path}: is not a whole safetensors file: its tensors do not add up to its size")
    told = metadata.get("format") if isinstance(metadata, dict) else None
    return ArtifactFacts(
        kind="safetensors",
        inputs=None,
        outputs=None,
        parameters=in_state(_stored(path, tensors, data_bytes)),
        producer=_PRODUCERS.get(str(told)),
        producer_version=None,
        opset=None,
        size_bytes=size_of(path, companions),
    )


def _stored(path: Path, tensors: dict[str, tuple[str, tuple[int, ...], int, int]], data_bytes: int) -> Iterator[Saved]:
    """Each tensor, known by how its bytes begin."""
    begins = regular_size(path) - data_bytes
    with path.open("rb") as file:
        for name, (dtype, shape, first, end) in tensors.items():
            file.seek(begins + first)
            yield Saved(name, dtype, shape, (shape, file.read(min(_COMPARED_BYTES, end - first))))


def _header(path: Path) -> tuple[dict[str, Any], int]:
    """The header, and how many bytes of data follow it."""
    size = regular_size(path)
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if size < 8 or length > min(MAX_HEADER_BYTES, size - 8):
            raise ArtifactError(f"{path}: is not a whole safetensors file: its header does not fit in it")
        text = file.read(length)
    try:
        header = json.loads(text, object_pairs_hook=_without_repeats)
    except (ValueError, RecursionError) as error:
        raise ArtifactError(f"{path}: is not a whole safetensors file: its header is not readable") from error
    if not isinstance(header, dict):
        raise ArtifactError(f"{path}: is not a whole safetensors file: its header is no table of tensors")
    return header, size - 8 - length


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        raise ValueError("a name is there twice")
    return fields


def _tensor(path: Path, name: str, entry: Any, data_bytes: int) -> tuple[str, tuple[int, ...], int, int]:
    """One entry as (dtype, shape, where it begins, where it ends)."""
    try:
        dtype, itemsize = _DTYPES[entry["dtype"]]
        shape = shape_of(path, f"tensor `{name[:80]}`", list(entry["shape"]))
        first, end = entry["data_offsets"]
        fits = 0 <= first <= end <= data_bytes and end - first == math.prod(shape) * itemsize
    except (KeyError, TypeError, ValueError) as error:
        raise ArtifactError(f"{path}: tensor `{name[:80]}` is not described as it should be") from error
    if not fits:
        raise ArtifactError(f"{path}: tensor `{name[:80]}` does not lie where it is said to")
    return dtype, shape, first, end
