"""The folder on a board that everything of ours lies in: where it is, what it holds, what is removed from it.

``$XDG_CACHE_HOME/benchpact`` or ``~/.cache/benchpact``. Nothing outside it is ever written or removed: no link in it is
followed. It is kept within ``QUOTA_BYTES``: what was used longest ago goes first.
"""

from __future__ import annotations

import json
import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import Iterator, List, NamedTuple, Optional, Sequence

from . import place
from .turns import is_held

QUOTA_BYTES = 2 << 30
SPARE_BYTES = 32 << 20
"""Left free on the board's disk."""
MANIFEST = "benchpact.json"
"""What an environment says of itself, in its folder."""
ROOMS = ("files", "parts", "env", "frameworks", "agent")
"""Folders of the cache whose entries can be made or shipped again."""


class NoRoom(Exception):
    """The board's disk cannot take it."""


class OutsideCache(Exception):
    """A link where a folder of ours should be: what it leads to is not ours."""


class Entry(NamedTuple):
    """One thing in the cache: its place, what it takes, when it was last used (ns since the epoch)."""

    path: Path
    bytes: int
    used_ns: int


def cache_folder() -> Path:
    """The cache's place, which need not be there."""
    return Path(place.cache_folder())


def own_folder(cache: Path, name: str) -> Path:
    """``CACHE/name``, made if need be, readable by its owner alone; OutsideCache where it is a link."""
    cache.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder = cache / name
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    if folder.is_symlink() or not folder.is_dir():
        raise OutsideCache("%s is no folder of ours: remove it, then try again" % folder)
    return folder


def size_of(path: Path) -> int:
    """Bytes of a file, or of all that is below a folder; links count nothing and are not followed."""
    try:
        found = os.lstat(str(path))
    except OSError:
        return 0
    if not stat.S_ISDIR(found.st_mode):
        return found.st_size if stat.S_ISREG(found.st_mode) else 0
    total = 0
    for folder, _, names in os.walk(str(path)):
        for name in names:
            with suppress(OSError):
                one = os.lstat(os.path.join(folder, name))
                total += one.st_size if stat.S_ISREG(one.st_mode) else 0
    return total


def held_bytes(cache: Path) -> int:
    """What all of the cache takes. An environment's thousands of files are not looked at again: it says it itself."""
    return sum(one.bytes for one in entries(cache))


def entries(cache: Path) -> Iterator[Entry]:
    """Every entry of every room; a room that is a link is none."""
    for room in ROOMS:
        folder = cache / room
        if folder.is_symlink() or not folder.is_dir():
            continue
        for path in sorted(folder.iterdir()):
            if not path.is_symlink():
                with suppress(OSError):
                    told = _told_bytes(path) if room == "env" else None
                    size = size_of(path) if told is None else told
                    yield Entry(path, size, os.lstat(str(path)).st_mtime_ns)


def _told_bytes(place: Path) -> Optional[int]:
    """What an environment says that it takes (``install``)."""
    try:
        told = json.loads((place / MANIFEST).read_text(encoding="utf-8"))["bytes"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return told if isinstance(told, int) and told >= 0 else None


def keep_within(cache: Path, most_bytes: int = QUOTA_BYTES, keep: Sequence[Path] = ()) -> List[Path]:
    """Remove what was used longest ago until all entries together take at most ``most_bytes``; what was removed.

    The environment in use, what a process holds (``turns.hold``) and ``keep`` stay, whatever they take.
    """
    found = sorted(entries(cache), key=lambda one: one.used_ns)
    with suppress(OSError):
        keep = [*keep, cache / "env" / os.path.basename(os.readlink(str(cache / "env" / "current")))]
    total, removed = sum(one.bytes for one in found), []
    for one in found:
        if total <= most_bytes:
            break
        if one.path not in keep and not is_held(one.path):
            _drop(one.path)
            total -= one.bytes
            removed.append(one.path)
    return removed


def clean(cache: Path) -> int:
    """Remove the cache whole; how many bytes it took. What a link in it leads to stays as it is."""
    freed = size_of(cache)
    if cache.is_symlink():
        raise OutsideCache("%s is a link: remove by hand what it leads to" % cache)
    if cache.is_dir():
        import shutil  # here, as below: it takes long to import, and an agent that only runs a worker needs none

        shutil.rmtree(str(cache))
    return freed


def refuse_full(folder: Path, needed_bytes: int) -> None:
    """NoRoom where the disk that ``folder`` is on has less room than that and a little to spare."""
    import shutil

    free = shutil.disk_usage(str(folder)).free
    if free < needed_bytes + SPARE_BYTES:
        raise NoRoom(
            "the board's disk has %d MiB free at %s, and %d MiB are needed: free some; "
            "`benchpact device clean` removes all that is ours"
            % (free >> 20, folder, (needed_bytes + SPARE_BYTES) >> 20)
        )


def _drop(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        import shutil

        shutil.rmtree(str(path), ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink()
