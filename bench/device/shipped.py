"""Files on a board: in the user's cache folder, each whole or not there under its name."""

from __future__ import annotations

import errno
import fcntl
import os
import re
import sys
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Dict, List, NamedTuple

from .cache import QUOTA_BYTES, keep_within
from .cache import cache_folder as cache
from .turns import Busy, alone

CHUNK_BYTES = 1 << 20


class Refused(Exception):
    """What was asked for cannot be done; ``more`` goes into the answer beside the message."""

    def __init__(self, message: str, **more: Any) -> None:
        self.more = more
        super().__init__(message)


class Wanted(NamedTuple):
    """A file that a worker will need: ``name`` is relative to a folder of its own, ``folder`` that folder's name.

    ``known``: in this run it was found whole, or came whole.
    """

    folder: str
    name: str
    sha256: str
    size: int
    begin: int
    known: bool = False
    executable: bool = False

    @property
    def path(self) -> Path:
        return cache() / "files" / self.folder / self.name

    @property
    def part(self) -> Path:
        """Where it grows until it is whole."""
        return cache() / "parts" / self.sha256

    @property
    def mode(self) -> int:
        """For its owner alone."""
        return 0o700 if self.executable else 0o600


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
                os.utime(str(cache() / "files" / one.folder))  # used now: what was used longest ago goes first
                os.chmod(str(one.path), one.mode)
        found.append({"path": str(one.path), "whole": whole, "bytes": part if 0 < part <= one.size else 0})
    return {"files": found}


def put(request: Dict[str, Any]) -> Dict[str, Any]:
    """Take the ``files`` whose bytes follow the request, each from its ``begin`` on.

    Room is made for them unless a worker is at work: then the next ``put`` makes it. Raises Refused where the disk is
    full, or what came is not what was announced.
    """
    wanted = _wanted(request)
    try:
        kept = [path for one in wanted for path in (cache() / "files" / one.folder, one.part)]
        with suppress(Busy), alone(cache()):  # a worker's files are not to go while it is at work
            keep_within(cache(), max(0, QUOTA_BYTES - sum(one.size for one in wanted)), kept)
        for one in wanted:
            _take(one)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            import shutil  # here: it takes long to import, and is seldom needed

            raise Refused("its disk is full (%d bytes are free)" % shutil.disk_usage(str(cache())).free, cure="clean")
        raise Refused("it cannot write %s: %s" % (error.filename or cache(), error.strerror))
    return {}


def _take(one: Wanted) -> None:
    one.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    one.part.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    number = os.open(str(one.part), os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
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
            os.unlink(str(one.part))
            raise Refused("a file came with other bytes than it was announced with", reason="other bytes")
        os.fchmod(file.fileno(), one.mode)
        os.fsync(file.fileno())
        os.replace(str(one.part), str(one.path))
    _sync(one.path.parent)


def _write(number: int, data: bytes) -> int:
    view = memoryview(data)
    while view:
        view = view[os.write(number, view) :]
    return len(data)


def _sync(folder: Path) -> None:
    number = os.open(str(folder), os.O_RDONLY)
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
        os.unlink(str(one.path))
    return False


def sha256_of(path: Path) -> str:
    """Of a file's bytes, a piece at a time. OSError."""
    digest = _sha256()
    with open(str(path), "rb", buffering=0) as file:
        for data in iter(lambda: file.read(CHUNK_BYTES), b""):
            digest.update(data)
    return str(digest.hexdigest())


def _sha256() -> Any:
    import hashlib  # here: it takes long to import, and an agent that only runs a worker needs none

    return hashlib.sha256()


def _size(path: Path) -> int:
    """Bytes of a regular file; -1 where there is none."""
    try:
        return path.lstat().st_size if path.is_file() and not path.is_symlink() else -1
    except OSError:
        return -1


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
