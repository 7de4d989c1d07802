"""Files that are whole or not there: written to a temporary name beside the final one, synced, renamed."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import IO

from bench.errors import ResultFileError

TEMPORARY = ".tmp"
NAME_CHARACTERS = 200
"""Of a final name, in its temporary one: names of files have an end at 255."""


def write_whole(path: Path, write: Callable[[IO[bytes]], object], safe: str) -> None:
    """Write a file so that it is whole on disk before it has its name.

    Raises ResultFileError, ending with ``safe``, where that fails; nothing is left behind then.
    """
    try:
        temporary, file = open_temporary(path)
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


def open_temporary(path: Path, buffering: int = -1) -> tuple[Path, IO[bytes]]:
    """A new file beside ``path`` and its name, which nobody could foresee: nothing that is there is written to."""
    temporary = path.with_name(f"{path.name[:NAME_CHARACTERS]}.{secrets.token_hex(4)}{TEMPORARY}")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    return temporary, os.fdopen(os.open(temporary, flags, 0o666), "wb", buffering)


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
