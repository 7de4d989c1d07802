"""Arrays from files that nobody vouches for: nothing is unpickled, nothing grows beyond what was allowed.

Only what ``numpy.savez`` and ``numpy.save`` write of plain numbers is taken. Messages name the member
but not the file: whoever asked knows it.
"""

from __future__ import annotations

import ast
import os
import re
import stat
import struct
import warnings
import zipfile
import zlib
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Dict, Iterator, List, Tuple

import numpy as np

Array = Any  # np.ndarray[Any, np.dtype[Any]]; spelled out it cannot be subscripted on Python 3.8
Header = Tuple["np.dtype[Any]", Tuple[int, ...]]
"""An array's dtype, in the machine's byte order, and its shape."""

MAX_MEMBERS = 1024
MAX_DIRECTORY_BYTES = 1 << 20
MAX_HEADER_BYTES = 4096
MAX_DIMENSIONS = 32
DEFLATE_RATIO = 1032
"""What deflate can reach at most; a member that claims more lies about its size."""
SMALL_BYTES, MOST_RATIO = 64 << 20, 200
"""An archive that unpacks to more than the first may unpack to so many times its own size.

Arrays of one value (masks) reach deflate's 1000, but beside real data the archive as a whole stays below 20: what is
above 200 as a whole is a bomb that would take memory in the name of the model.
"""
CHUNK_BYTES = 1 << 20

_MAGIC = b"\x93NUMPY"
_NUMBERS = re.compile(r"[<>=|]?[biufc]\d{1,2}")
_END, _END64, _LOCATOR64 = b"PK\x05\x06", b"PK\x06\x06", b"PK\x06\x07"
_END_SIZE, _END64_SIZE, _LOCATOR64_SIZE = 22, 56, 20
_BROKEN = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    IndexError,
    NotImplementedError,
    OSError,
    OverflowError,
    RuntimeError,
    UnicodeDecodeError,
)
"""What ``zipfile`` raises on a file that is not as it should be; OSError where it seeks to before the beginning."""


class _Plan:
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


def read_npz(path: Path, max_bytes: int) -> Dict[str, "np.ndarray[Any, Any]"]:
    """Every array of an ``.npz`` by name, in the machine's byte order, of ``max_bytes`` in all at most.

    Raises ValueError for anything but a whole archive of plain numeric arrays, OSError where the file
    cannot be read.
    """
    with _opened(path) as (file, size), _archive(file, size, max_bytes) as archive:
        arrays = {}
        for info in archive.infolist():
            with _named(_array_name(info)), archive.open(info) as member:
                plan = _read_header(member, info.file_size, max_bytes)
                arrays[_array_name(info)] = _read_data(member, plan)
        return arrays


def npz_headers(path: Path, max_bytes: int) -> Dict[str, Header]:
    """Dtype and shape of every array that ``read_npz`` would give, without reading the arrays."""
    with _opened(path) as (file, size), _archive(file, size, max_bytes) as archive:
        headers = {}
        for info in archive.infolist():
            with _named(_array_name(info)), archive.open(info) as member:
                headers[_array_name(info)] = _read_header(member, info.file_size, max_bytes).header
        return headers


def read_npy(path: Path, max_bytes: int) -> "np.ndarray[Any, Any]":
    """The array of an ``.npy``, in the machine's byte order; raises as ``read_npz`` does."""
    with _opened(path) as (file, size):
        array: "np.ndarray[Any, Any]" = _read_data(file, _read_header(file, size, max_bytes))
        return array


def npy_header(path: Path, max_bytes: int) -> Header:
    """Dtype and shape of the array that ``read_npy`` would give, without reading it."""
    with _opened(path) as (file, size):
        return _read_header(file, size, max_bytes).header


@contextmanager
def _opened(path: Path) -> Iterator[Tuple[IO[bytes], int]]:
    """The file and its size; only a regular file, so that a pipe or a device cannot hold the reader."""
    if not stat.S_ISREG(os.stat(str(path)).st_mode):
        raise ValueError("it is not a regular file")
    # Not to wait for a writer either, where a pipe has taken the file's place since.
    descriptor = os.open(str(path), os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode):
        os.close(descriptor)
        raise ValueError("it is not a regular file")
    with os.fdopen(descriptor, "rb") as file:
        yield file, found.st_size


@contextmanager
def _named(name: str) -> Iterator[None]:
    """Problems inside, as problems of the array ``name``."""
    try:
        yield
    except ValueError as error:
        raise ValueError("array `%s`: %s" % (name, error))


@contextmanager
def _archive(file: IO[bytes], size: int, max_bytes: int) -> Iterator[zipfile.ZipFile]:
    """The archive, once its directory has been found harmless; ``zipfile``'s own errors as ValueError."""
    try:
        _check_directory_size(file, size)
        with zipfile.ZipFile(file) as archive:
            _check_members(archive.infolist(), max_bytes)
            _check_ratio(sum(info.file_size for info in archive.infolist()), size)
            yield archive
    except _BROKEN as error:
        raise ValueError("it is not a whole npz file: %s" % (error or type(error).__name__))


def _check_directory_size(file: IO[bytes], size: int) -> None:
    """Refuse a directory too large to be parsed, and anything before or behind the archive.

    ``zipfile`` takes the whole directory into memory before it can be asked how large it is.
    """
    if file.read(4) not in (b"PK\x03\x04", _END):
        raise ValueError("it is not an npz file: it does not begin like one")
    file.seek(max(0, size - _END_SIZE - _LOCATOR64_SIZE))
    tail = file.read()
    locator, end = tail[:-_END_SIZE], tail[-_END_SIZE:]
    if len(end) < _END_SIZE or end[:4] != _END or end[-2:] != b"\0\0":
        raise ValueError("it is not a whole npz file: cut off, or something stands behind its end")
    count, directory_bytes = struct.unpack("<HL", end[10:16])
    if locator[:4] == _LOCATOR64:
        file.seek(max(0, size - _END_SIZE - _LOCATOR64_SIZE - _END64_SIZE))
        end64 = file.read(_END64_SIZE)
        if end64[:4] != _END64:
            raise ValueError("it is not a whole npz file: its directory is not where it should be")
        count, directory_bytes = struct.unpack("<QQ", end64[32:48])
    if count > MAX_MEMBERS or directory_bytes > MAX_DIRECTORY_BYTES:
        raise ValueError("it holds %d members; at most %d are read" % (count, MAX_MEMBERS))
    file.seek(0)


def _check_members(members: List[zipfile.ZipInfo], max_bytes: int) -> None:
    """Refuse what is no array, what is there twice, and a bomb, all by the directory alone."""
    if len(members) > MAX_MEMBERS:
        raise ValueError("it holds %d members; at most %d are read" % (len(members), MAX_MEMBERS))
    names = set()
    for info in members:
        name = info.filename
        if not name.endswith(".npy") or ".." in name.split("/") or "\\" in name or not name.isprintable():
            raise ValueError("member %r is not an array" % name[:80])
        if name in names:
            raise ValueError("array `%s` is there twice" % name[:-4])
        names.add(name)
        if info.flag_bits & 0x1:
            raise ValueError("array `%s` is encrypted" % name[:-4])
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise ValueError("array `%s` is compressed in a way that numpy does not write" % name[:-4])
        ratio = DEFLATE_RATIO if info.compress_type == zipfile.ZIP_DEFLATED else 1
        if info.file_size > ratio * info.compress_size:
            raise ValueError("array `%s` claims to be larger than its bytes can be" % name[:-4])
    total = sum(info.file_size for info in members)
    if total > max_bytes:
        raise ValueError("it unpacks to %d bytes; at most %d are read" % (total, max_bytes))


def _check_ratio(total: int, size: int) -> None:
    if total > SMALL_BYTES and total > MOST_RATIO * size:
        raise ValueError(
            "it unpacks to %d bytes, %d times its own %d; at most %d times are read: "
            "if the arrays are right, save them with numpy.savez, uncompressed"
            % (total, total // max(1, size), size, MOST_RATIO)
        )


def _array_name(info: zipfile.ZipInfo) -> str:
    return info.filename[:-4]


def _read_header(file: IO[bytes], size: int, max_bytes: int) -> _Plan:
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
    plan = _Plan(dtype, fortran, shape, len(head) + len(length_bytes) + length)
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


def _check_size(plan: _Plan, size: int, max_bytes: int) -> None:
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


def _read_data(file: IO[bytes], plan: _Plan) -> Array:
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
