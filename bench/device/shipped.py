"""Files on a board: in the user's cache folder, each whole or not there under its name."""

from __future__ import annotations

import errno
import fcntl
import os
import re
import stat
import sys
from contextlib import suppress
from importlib.util import find_spec

from .place import cache_folder
from .turns import Busy, alone

TYPE_CHECKING = False
if TYPE_CHECKING:  # as in `board`: the agent imports little, no `pathlib` either
    from typing import Any, Dict, List

    from .turns import Place

CHUNK_BYTES = 1 << 20


class Refused(Exception):
    """What was asked for cannot be done; ``more`` goes into the answer beside the message."""

    def __init__(self, message: str, **more: Any) -> None:
        self.more = more
        super().__init__(message)


class Wanted:
    """A file that a worker will need: ``name`` is relative to a folder of its own, ``folder`` that folder's name.

    ``known``: in this run it was found whole, or came whole.
    """

    def __init__(
        self, folder: str, name: str, sha256: str, size: int, begin: int, known: bool = False, executable: bool = False
    ) -> None:
        self.folder, self.name, self.sha256 = folder, name, sha256
        self.size, self.begin, self.known = size, begin, known
        self.home = os.path.join(cache_folder(), "files", folder)
        self.path = os.path.join(self.home, name)
        self.part = os.path.join(cache_folder(), "parts", sha256)
        """Where it grows until it is whole."""
        self.mode = 0o700 if executable else 0o600
        """For its owner alone."""


def have(request: Dict[str, Any]) -> Dict[str, Any]:
    """Of each of the ``files`` its path, whether it is here whole, and how many of its bytes an earlier ``put`` left.

    What is not yet known is read to its end: cheap flash returns other bytes than it was given. What is damaged is
    removed, and comes again.
    """
    if request.get("measures", True) and find_spec("numpy") is None:
        version = "%d.%d" % sys.version_info[:2]
        raise Refused("its Python %s (%s) has no numpy" % (version, sys.executable), cure="prepare")
    found = []
    for one in _wanted(request):
        whole, part = _is_whole(one), _size(one.part)
        if whole:
            with suppress(OSError):
                os.utime(one.home)  # used now: what was used longest ago goes first
                os.chmod(one.path, one.mode)
        found.append({"path": one.path, "whole": whole, "bytes": part if 0 < part <= one.size else 0})
    return {"files": found}


def put(request: Dict[str, Any]) -> Dict[str, Any]:
    """Take the ``files`` whose bytes follow the request, each from its ``begin`` on.

    Room is made for them unless a worker is at work: then the next ``put`` makes it. Raises Refused where the disk is
    full, or what came is not what was announced.
    """
    from pathlib import Path  # here, and what needs it: seldom does anything come

    from .cache import QUOTA_BYTES, keep_within

    wanted, cache = _wanted(request), cache_folder()
    try:
        kept = [Path(path) for one in wanted for path in (one.home, one.part)]
        with suppress(Busy), alone(cache):  # a worker's files are not to go while it is at work
            keep_within(Path(cache), max(0, QUOTA_BYTES - sum(one.size for one in wanted)), kept)
        for one in wanted:
            _take(one)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            import shutil  # here: it takes long to import, and is seldom needed

            raise Refused("its disk is full (%d bytes are free)" % shutil.disk_usage(cache).free, cure="clean")
        raise Refused("it cannot write %s: %s" % (error.filename or cache, error.strerror))
    return {}


def _take(one: Wanted) -> None:
    for path in (one.path, one.part):
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
    number = os.open(one.part, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(number, "r+b", buffering=0) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Refused("somebody else is sending the same file to it")
        file.truncate(one.begin)
        told = _sha256()
        for data in iter(lambda: file.read(CHUNK_BYTES), b""):
            told.update(data)
        left = one.size - one.begin
        while left:
            data = os.read(0, min(left, CHUNK_BYTES))
            if not data:
                raise Refused("the file ended early")
            left -= _write(file.fileno(), data)
            told.update(data)
        if told.hexdigest() != one.sha256:
            os.unlink(one.part)
            raise Refused("a file came with other bytes than it was announced with", reason="other bytes")
        os.fchmod(file.fileno(), one.mode)
        os.fsync(file.fileno())
        os.replace(one.part, one.path)
    _sync(os.path.dirname(one.path))


def _write(number: int, data: bytes) -> int:
    view = memoryview(data)
    while view:
        view = view[os.write(number, view) :]
    return len(data)


def _sync(folder: str) -> None:
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def _is_whole(one: Wanted) -> bool:
    if _size(one.path) != one.size:
        return False
    if one.known:
        return True
    with suppress(OSError):
        if sha256_of(one.path) == one.sha256:
            return True
    with suppress(OSError):
        os.unlink(one.path)
    return False


def sha256_of(path: Place) -> str:
    """Of a file's bytes, a piece at a time. OSError."""
    digest = _sha256()
    with open(path, "rb", buffering=0) as file:
        for data in iter(lambda: file.read(CHUNK_BYTES), b""):
            digest.update(data)
    return str(digest.hexdigest())


def _sha256() -> Any:
    import hashlib  # here: it takes long to import, and an agent that only runs a worker needs none

    return hashlib.sha256()


def _size(path: str) -> int:
    """Bytes of a regular file; -1 where there is none."""
    try:
        found = os.lstat(path)
    except (OSError, ValueError):
        return -1
    return found.st_size if stat.S_ISREG(found.st_mode) else -1


def _wanted(request: Dict[str, Any]) -> List[Wanted]:
    """Refused where a name would lead out of its folder."""
    found = [Wanted(**one) for one in request["files"]]
    for one in found:
        parts = one.name.split("/")
        if not all(re.fullmatch("[0-9a-f]{64}", word) for word in (one.folder, one.sha256)):
            raise Refused("that is no SHA-256")
        if "\0" in one.name or not all(part not in ("", ".", "..") for part in parts):
            raise Refused("a file's name leads out of its folder")
        if not 0 <= one.begin <= one.size:
            raise Refused("a file begins behind its end")
    return found
