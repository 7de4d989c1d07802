"""What an ONNX file's weights are made of, read from the file's own bytes.

The ``onnx`` package is not needed where a model only runs. Only the heads of the initialisers are read:
https://github.com/onnx/onnx/blob/main/onnx/onnx.proto (ModelProto.graph = 7, GraphProto.initializer = 5,
TensorProto.dims = 1, data_type = 2 and external_data = 13, whose entries have key = 1 and value = 2).
"""

from __future__ import annotations

import mmap
from collections import Counter
from math import prod
from pathlib import Path
from typing import Dict, Iterator, Set, Tuple, Union

GRAPH, INITIALIZER, DIMS, DATA_TYPE, EXTERNAL_DATA = 7, 5, 1, 2, 13
KEY, VALUE = 1, 2
DTYPES = {
    1: "float32",
    2: "uint8",
    3: "int8",
    4: "uint16",
    5: "int16",
    6: "int32",
    7: "int64",
    9: "bool",
    10: "float16",
    11: "float64",
    12: "uint32",
    13: "uint64",
    16: "bfloat16",
    21: "uint4",
    22: "int4",
}

Span = Tuple[int, int]


def weight_dtypes(path: Path) -> Dict[str, int]:
    """Number of weights by dtype, over the initialisers of the main graph; empty for what is no ONNX file."""
    counts: Dict[str, int] = Counter()
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        try:
            for graph in messages(data, (0, len(data)), GRAPH):
                for tensor in messages(data, graph, INITIALIZER):
                    dtype, size = head(data, tensor)
                    counts[dtype] += size
        except (IndexError, ValueError):
            return {}
    return dict(counts)


def external_files(path: Path) -> Set[Path]:
    """The files beside it that hold initialisers of the main graph; none for what is no ONNX file."""
    found: Set[Path] = set()
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        try:
            for graph in messages(data, (0, len(data)), GRAPH):
                for tensor in messages(data, graph, INITIALIZER):
                    for entry in messages(data, tensor, EXTERNAL_DATA):
                        words = {field: data[slice(*at)] for field, at in fields(data, entry) if isinstance(at, tuple)}
                        if words.get(KEY) == b"location":
                            found.add(path.parent / words.get(VALUE, b"").decode(errors="replace"))
        except (IndexError, ValueError):
            return set()
    return found


def messages(data: mmap.mmap, span: Span, wanted: int) -> Iterator[Span]:
    """Where the messages of one repeated field lie."""
    for field, value in fields(data, span):
        if field == wanted and isinstance(value, tuple):
            yield value


def head(data: mmap.mmap, span: Span) -> Tuple[str, int]:
    """A tensor's dtype and number of elements."""
    dims, dtype = [], 0
    for field, value in fields(data, span):
        if field == DIMS and isinstance(value, int):
            dims.append(value)
        elif field == DIMS and isinstance(value, tuple):  # packed
            at, end = value
            while at < end:
                size, at = _varint(data, at)
                dims.append(size)
        elif field == DATA_TYPE and isinstance(value, int):
            dtype = value
    return DTYPES.get(dtype, "type %d" % dtype), prod(dims)


def fields(data: mmap.mmap, span: Span) -> Iterator[Tuple[int, Union[int, Span]]]:
    """The fields of one message: a number, or where its bytes lie."""
    at, end = span
    while at < end:
        key, at = _varint(data, at)
        kind = key & 7
        if kind == 0:
            value, at = _varint(data, at)
            yield key >> 3, value
        elif kind == 2:
            size, at = _varint(data, at)
            if at + size > end:
                raise ValueError("a field that is longer than its message")
            yield key >> 3, (at, at + size)
            at += size
        elif kind in (1, 5):
            at += 8 if kind == 1 else 4
        else:
            raise ValueError("wire type %d" % kind)


def _varint(data: mmap.mmap, at: int) -> Tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at
        if shift > 63:
            raise ValueError("a number of more than 64 bits")
