"""Files of a run as they may be opened: regular files in real folders, whatever somebody put there instead.

A pipe or a device would hold its reader for ever; a link would lead a reader, or a writer, elsewhere.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import IO

from bench.errors import ResultFileError

IRREGULAR = "it is not a regular file but a link, a folder, a pipe, a socket or a device; remove it"
_MEANS_IRREGULAR = (errno.ELOOP, errno.ENXIO, errno.EISDIR, errno.EMLINK)
"""What opening says of a link (EMLINK: on BSD), of a socket, and of a folder that would be written to."""


def open_to_read(path: Path) -> IO[bytes]:
    """The file, opened without waiting and without following a link; ResultFileError where that cannot be."""
    return os.fdopen(_opened(path, os.O_RDONLY), "rb")


def open_to_write(path: Path, mode: int = 0o644) -> int:
    """A descriptor of the file, made where there is none, to read and to write; else as ``open_to_read``."""
    return _opened(path, os.O_RDWR | os.O_CREAT, mode)


def _opened(path: Path, flags: int, mode: int = 0) -> int:
    try:
        descriptor = os.open(path, flags | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
    except OSError as error:
        why = IRREGULAR if error.errno in _MEANS_IRREGULAR else error.strerror
        raise ResultFileError(f"cannot open {path}: {why}") from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise ResultFileError(f"cannot open {path}: {IRREGULAR}")
    return descriptor


def is_regular(path: Path) -> bool:
    """Whether the name is a regular file's own, not a link's."""
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except OSError:
        return False


def refuse_links(*folders: Path) -> None:
    """Refuse a run one of whose folders is none of its own: what is written, or removed, there lies elsewhere."""
    for folder in folders:
        if folder.is_symlink():
            raise ResultFileError(f"{folder} is a link and leads elsewhere; a run's own folders are no links")
