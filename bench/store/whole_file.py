"""Files that are whole or not there: written to a temporary name beside the final one, synced, renamed."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import IO

from bench.errors import ResultFileError

TEMPORARY = ".tmp"


def write_whole(path: Path, write: Callable[[IO[bytes]], object], safe: str) -> None:
    """Write a file so that it is whole on disk before it has its name.

    Raises ResultFileError, ending with ``safe``, where that fails; nothing is left behind then.
    """
    temporary = path.with_name(path.name + TEMPORARY)
    try:
        file = temporary.open("wb")
        try:
            write(file)
            file.flush()
            os.fsync(file.fileno())
            file.close()
            temporary.replace(path)
        except BaseException:
            close_and_remove(file, temporary)
            raise
        sync_folder(path.parent)
    except OSError as error:
        raise cannot_write(path, error, safe) from error


def close_and_remove(file: IO[bytes], path: Path) -> None:
    """Close and unlink, also where the last bytes cannot be written: a full disk must not hide its own error."""
    with contextlib.suppress(OSError):
        file.close()
    path.unlink(missing_ok=True)


def sync_folder(path: Path) -> None:
    """Make what was renamed or made in a folder last through a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def cannot_write(path: Path, error: OSError, safe: str) -> ResultFileError:
    """What a person is told: which file, the system's reason, and what is ``safe``."""
    return ResultFileError(f"cannot write {path}: {error.strerror or error}; {safe}")
