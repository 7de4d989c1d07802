"""Who is at work on a board, and with what: the board's lock, and entries of the cache that a process holds.

Both are ``flock``s: whatever ends a process ends them too.
"""

from __future__ import annotations

import fcntl
import os
from contextlib import contextmanager, suppress

TYPE_CHECKING = False
if TYPE_CHECKING:  # dear to import, as `pathlib` is: an agent that only runs a worker needs neither
    from typing import Iterator, Optional, Union

    Place = Union[str, os.PathLike[str]]

WHO_BYTES = 400


class Busy(Exception):
    """A worker is at work on the board."""


def open_lock(cache: Place) -> int:
    """The descriptor of the board's lock, which is not taken yet."""
    os.makedirs(cache, mode=0o700, exist_ok=True)
    return os.open(os.path.join(cache, "lock"), os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)


def take(lock: int) -> Optional[str]:
    """None once the lock is this process's, until it closes the descriptor or ends; else who has it."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return os.pread(lock, WHO_BYTES, 0).decode("utf-8", "replace").strip() or "somebody"
    return None


@contextmanager
def alone(cache: Place) -> Iterator[None]:
    """Holds the board's lock; Busy, with who has it, where a worker is at work."""
    lock = open_lock(cache)
    try:
        who = take(lock)
        if who is not None:
            raise Busy("a worker is at work there, of %s: wait until it is done" % who)
        yield
    finally:
        with suppress(OSError):
            os.close(lock)


def hold(path: Place) -> None:
    """Keep an entry of the cache from being removed to make room, as long as this process lives; it is used now."""
    with suppress(OSError):
        fcntl.flock(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC), fcntl.LOCK_SH)
        os.utime(path)


def is_held(path: Place) -> bool:
    """Whether a process works with the entry: an agent that runs, a file that is being sent."""
    try:
        number = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(number)
    return False
