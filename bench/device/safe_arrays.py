"""Arrays from files that nobody vouches for: nothing is unpickled, nothing grows beyond what was allowed.

Only what ``numpy.savez`` and ``numpy.save`` write of plain numbers is taken. Messages name the member
but not the file: whoever asked knows it.
"""

from __future__ import annotations

import os
import stat
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Dict, Iterator, Tuple

from .npy_format import Header, read_data, read_header
from .npz_archive import array_name, harmless

if TYPE_CHECKING:
    import numpy as np


def read_npz(path: Path, max_bytes: int) -> Dict[str, "np.ndarray[Any, Any]"]:
    """Every array of an ``.npz`` by name, in the machine's byte order, of ``max_bytes`` in all at most.

    Raises ValueError for anything but a whole archive of plain numeric arrays, OSError where the file
    cannot be read.
    """
    with _opened(path) as (file, size), harmless(file, size, max_bytes) as archive:
        arrays = {}
        for info in archive.infolist():
            with _named(array_name(info)), archive.open(info) as member:
                plan = read_header(member, info.file_size, max_bytes)
                arrays[array_name(info)] = read_data(member, plan)
        return arrays


def npz_headers(path: Path, max_bytes: int) -> Dict[str, Header]:
    """Dtype and shape of every array that ``read_npz`` would give, without reading the arrays."""
    with _opened(path) as (file, size), harmless(file, size, max_bytes) as archive:
        headers = {}
        for info in archive.infolist():
            with _named(array_name(info)), archive.open(info) as member:
                headers[array_name(info)] = read_header(member, info.file_size, max_bytes).header
        return headers


def read_npy(path: Path, max_bytes: int) -> "np.ndarray[Any, Any]":
    """The array of an ``.npy``, in the machine's byte order; raises as ``read_npz`` does."""
    with _opened(path) as (file, size):
        array: "np.ndarray[Any, Any]" = read_data(file, read_header(file, size, max_bytes))
        return array


def npy_header(path: Path, max_bytes: int) -> Header:
    """Dtype and shape of the array that ``read_npy`` would give, without reading it."""
    with _opened(path) as (file, size):
        return read_header(file, size, max_bytes).header


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
