"""Raw timings on disk: a ``.npy`` of one row of uint64, ns, written as they come and read memory-mapped."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.errors import ResultFileError
from bench.store.regular_file import open_to_read
from bench.store.whole_file import cannot_write, close_and_remove, open_temporary, sync_folder

if TYPE_CHECKING:
    import numpy as np

HEADER_BYTES = 128
MAX_BYTES = 8 << 30
"""More than a thousand million timings: days of measuring."""


class TimingsWriter:
    """A column of timings on its way to disk, in bounded memory. ``close`` or ``discard`` ends it."""

    def __init__(self, path: Path, safe: str) -> None:
        self._path = path
        self._safe = safe
        self._bytes = 0
        try:
            self._temporary, self._file = open_temporary(path, buffering=1 << 18)
            self._file.write(_npy_header(0))
        except OSError as error:
            raise cannot_write(path, error, safe) from error

    def append(self, payload: bytes) -> None:
        """Add little-endian uint64 latencies, ns."""
        if len(payload) % 8:
            raise ValueError(f"{len(payload)} bytes are no row of uint64")
        try:
            self._file.write(payload)
        except OSError as error:
            self.discard()
            raise cannot_write(self._path, error, self._safe) from error
        self._bytes += len(payload)

    def close(self) -> tuple[str, int]:
        """Finish the file under its final name; that name and the count of timings."""
        try:
            self._file.seek(0)
            self._file.write(_npy_header(self._bytes // 8))
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
            self._temporary.replace(self._path)
            sync_folder(self._path.parent)
        except OSError as error:
            self.discard()
            raise cannot_write(self._path, error, self._safe) from error
        return self._path.name, self._bytes // 8

    def discard(self) -> None:
        """Leave nothing behind; harmless after ``close``."""
        close_and_remove(self._file, self._temporary)


def _npy_header(count: int) -> bytes:
    """The head of a ``.npy`` file (format 1.0) of one row of uint64, always as long."""
    text = f"{{'descr': '<u8', 'fortran_order': False, 'shape': ({count},), }}"
    return b"\x93NUMPY\x01\x00" + (HEADER_BYTES - 10).to_bytes(2, "little") + text.ljust(117).encode() + b"\n"


def load(path: Path) -> np.ndarray[Any, np.dtype[np.uint64]]:
    """A process run's latencies (ns) in order of issue, memory-mapped and read-only."""
    import numpy as np

    with open_to_read(path) as file:
        size = os.fstat(file.fileno()).st_size
        if size > MAX_BYTES:
            raise ResultFileError(f"{path}: it has {size} bytes; at most {MAX_BYTES} are read")
        count, rest = divmod(size - HEADER_BYTES, 8)
        if count < 0 or rest or file.read(HEADER_BYTES) != _npy_header(count):
            raise ResultFileError(f"{path}: these are no timings: one whole row of uint64 is needed")
        try:
            return np.memmap(file, np.dtype("<u8"), "r", HEADER_BYTES, (count,))
        except (OSError, ValueError) as error:
            raise ResultFileError(f"{path}: the timings cannot be read: {error}") from error
