"""One array in npy format, from a file that nobody vouches for: its header, and its data where that fits."""

from __future__ import annotations

import ast
import re
import struct
import warnings
from typing import IO, Any, Tuple

import numpy as np

Array = Any  # np.ndarray[Any, np.dtype[Any]]; spelled out it cannot be subscripted on Python 3.8
Header = Tuple["np.dtype[Any]", Tuple[int, ...]]
"""An array's dtype, in the machine's byte order, and its shape."""
MAX_HEADER_BYTES = 4096
MAX_DIMENSIONS = 32
CHUNK_BYTES = 1 << 20
_MAGIC = b"\x93NUMPY"
_NUMBERS = re.compile(r"[<>=|]?[biufc]\d{1,2}")


class Plan:
    """One array in a file: what its header says."""

    def __init__(self, dtype: "np.dtype[Any]", fortran: bool, shape: Tuple[int, ...], header_bytes: int):
        self.dtype = dtype
        self.fortran = fortran
        self.shape = shape
        self.header_bytes = header_bytes

    @property
    def data_bytes(self) -> int:
        count = 1
        for size in self.shape:
            count *= size
        return count * self.dtype.itemsize

    @property
    def header(self) -> Header:
        return self.dtype.newbyteorder("="), self.shape


def read_header(file: IO[bytes], size: int, max_bytes: int) -> Plan:
    """Read the head of an ``.npy`` of ``size`` bytes in all; the file then stands at its data."""
    head = file.read(len(_MAGIC) + 2)
    if len(head) < len(_MAGIC) + 2 or head[: len(_MAGIC)] != _MAGIC:
        raise ValueError("it is not in npy format")
    if head[-2:] not in (b"\x01\x00", b"\x02\x00", b"\x03\x00"):
        raise ValueError("npy format %d.%d is not known" % (head[-2], head[-1]))
    length_format = "<H" if head[-2] == 1 else "<L"
    length_bytes = file.read(struct.calcsize(length_format))
    if len(length_bytes) < struct.calcsize(length_format):
        raise ValueError("its header is cut off")
    length = struct.unpack(length_format, length_bytes)[0]
    if length > MAX_HEADER_BYTES:
        raise ValueError("its header has %d bytes; at most %d are read" % (length, MAX_HEADER_BYTES))
    text = file.read(length)
    if len(text) < length:
        raise ValueError("its header is cut off")
    dtype, fortran, shape = _parse_header(text)
    plan = Plan(dtype, fortran, shape, len(head) + len(length_bytes) + length)
    _check_size(plan, size, max_bytes)
    return plan


def _parse_header(text: bytes) -> Tuple["np.dtype[Any]", bool, Tuple[int, ...]]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the parser, about what is refused below in any case
            fields = ast.literal_eval(text.decode("utf-8").strip())
    except (SyntaxError, ValueError, TypeError, MemoryError, RecursionError):
        raise ValueError("its header is not readable")
    if not isinstance(fields, dict) or set(map(str, fields)) != {"descr", "fortran_order", "shape"}:
        raise ValueError("its header is not readable")
    descr, fortran, shape = fields["descr"], fields["fortran_order"], fields["shape"]
    if not isinstance(descr, str) or not _NUMBERS.fullmatch(descr):
        raise ValueError("its dtype %s is not plain numbers" % repr(descr)[:80])
    try:
        dtype = np.dtype(descr)
    except TypeError:
        raise ValueError("its dtype %r is not known" % descr)
    if not isinstance(fortran, bool) or not isinstance(shape, tuple) or len(shape) > MAX_DIMENSIONS:
        raise ValueError("its header is not readable")
    if not all(type(size) is int and size >= 0 for size in shape):
        raise ValueError("its shape %s is not a shape" % repr(shape)[:80])
    return dtype, fortran, shape


def _check_size(plan: Plan, size: int, max_bytes: int) -> None:
    least = plan.dtype.itemsize
    for length in plan.shape:
        least *= max(1, length)
    if least > max_bytes:
        raise ValueError("its shape %s is more than the %d bytes that may be read" % (str(plan.shape)[:80], max_bytes))
    if plan.header_bytes + plan.data_bytes != size:
        raise ValueError(
            "its shape %s needs %d bytes of data, not the %d that are there"
            % (plan.shape, plan.data_bytes, size - plan.header_bytes)
        )


def read_data(file: IO[bytes], plan: Plan) -> Array:
    """The array's data, piece by piece, so that nothing is ever held twice."""
    raw = np.empty(plan.data_bytes, np.uint8)
    at = 0
    while at < plan.data_bytes:
        piece = file.read(min(CHUNK_BYTES, plan.data_bytes - at))
        if not piece:
            raise ValueError("its data is cut off")
        raw[at : at + len(piece)] = np.frombuffer(piece, np.uint8)
        at += len(piece)
    if file.read(1):
        raise ValueError("something stands behind its data")
    array = raw != 0 if plan.dtype.kind == "b" else raw.view(plan.dtype)
    array = array.reshape(plan.shape[::-1]).transpose() if plan.fortran else array.reshape(plan.shape)
    return array.astype(plan.header[0], copy=False)
