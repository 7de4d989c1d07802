"""An npz archive that nobody vouches for: found harmless by its directory alone, before anything is unpacked."""

from __future__ import annotations

import struct
import zipfile
import zlib
from contextlib import contextmanager
from typing import IO, Iterator, List

MAX_MEMBERS = 1024
MAX_DIRECTORY_BYTES = 1 << 20
DEFLATE_RATIO = 1032
"""What deflate can reach at most; a member that claims more lies about its size."""
SMALL_BYTES, MOST_RATIO = 64 << 20, 200
"""An archive that unpacks to more than the first may unpack to so many times its own size.

Arrays of one value (masks) reach deflate's 1000, but beside real data the archive as a whole stays below 20: what is
above 200 as a whole is a bomb that would take memory in the name of the model.
"""
_END, _END64, _LOCATOR64 = b"PK\x05\x06", b"PK\x06\x06", b"PK\x06\x07"
_END_SIZE, _END64_SIZE, _LOCATOR64_SIZE = 22, 56, 20
BROKEN = (
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


@contextmanager
def harmless(file: IO[bytes], size: int, max_bytes: int) -> Iterator[zipfile.ZipFile]:
    """The archive, once its directory has been found harmless; ``zipfile``'s own errors as ValueError."""
    try:
        _check_directory_size(file, size)
        with zipfile.ZipFile(file) as archive:
            _check_members(archive.infolist(), max_bytes)
            _check_ratio(sum(info.file_size for info in archive.infolist()), size)
            yield archive
    except BROKEN as error:
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


def array_name(info: zipfile.ZipInfo) -> str:
    return info.filename[:-4]
