"""One writer a run: a lock that the kernel takes back when its process ends, however it ends."""

from __future__ import annotations

import fcntl
import os
import weakref
from pathlib import Path

from bench.errors import ResultFileError
from bench.store.regular_file import open_to_write

NAME = "lock"


class RunLock:
    """Held from its making until ``release``, or the end of the process.

    Raises ResultFileError, with the other process's number, where the run is held already.
    """

    def __init__(self, run: Path) -> None:
        path = run / NAME
        descriptor = open_to_write(path)
        self._finalizer = weakref.finalize(self, os.close, descriptor)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        except BlockingIOError as error:
            holder = os.pread(descriptor, 20, 0).decode("ascii", "replace").strip()
            self.release()
            raise ResultFileError(
                f"{run} is in use by process {holder or 'unknown'}: wait until it ends, or begin a new run"
            ) from error
        except OSError as error:
            self.release()
            raise ResultFileError(f"cannot lock {path}: {error.strerror}") from error

    def release(self) -> None:
        """Let others have the run."""
        self._finalizer()
