"""An environment of our own on a board, made of wheels without pip, without internet and without the ``venv`` module.

``CACHE/env/KEY/`` holds ``bin/python`` (a link to the board's interpreter), ``pyvenv.cfg``, which is all that makes a
folder a virtual environment (PEP 405), and the wheels' files; ``CACHE/env/current`` is a link to the one in use. The
system's Python is never written to. An environment is made under a name ending in ``.part`` and renamed when it is
whole.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
import os
import re
import shutil
import stat
import subprocess
import sys
import zipfile
from contextlib import suppress
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence, Tuple

from .cache import MANIFEST, NoRoom, OutsideCache, own_folder, refuse_full, size_of
from .shipped import sha256_of

CURRENT = "current"
KEY = re.compile(r"[0-9a-f]{8,64}")
MOST_FILES = 200_000
MOST_BYTES = 8 << 30
"""Of one wheel, unpacked: what claims more is no wheel."""
CHUNK = 1 << 20
RECORD = re.compile(r"[^/]+\.dist-info/RECORD")
UNLISTED = ("RECORD", "RECORD.jws", "RECORD.p7s")
"""Files of ``.dist-info`` that need no hash (PEP 427)."""
HASHES = ("sha256", "sha384", "sha512")
SCHEMES = {"purelib": "", "platlib": "", "scripts": "bin", "data": ".", "headers": "include"}
"""Where each folder of a wheel's ``.data`` goes: "" is site-packages, others are below the environment."""


class BadWheel(Exception):
    """A wheel that is not what it says of itself; nothing of it may be used."""


def key_of(hashes: Sequence[str], python: str) -> str:
    """The environment's name: these wheels (SHA-256) for this Python (``3.11``)."""
    text = json.dumps([sorted(hashes), python])
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def install(wheels: Sequence[Path], cache: Path, key: str, manifest: Dict[str, Any]) -> Path:
    """Make ``CACHE/env/KEY`` of the wheels, if it is not there yet, and let ``current`` lead to it; its path.

    Raises BadWheel, ``cache.NoRoom``, OSError; what stood under ``current`` is then as it was.
    """
    if not KEY.fullmatch(key):
        raise ValueError("not an environment's name: %r" % key)
    home = own_folder(cache, "env")
    place = home / key
    if not is_whole(place):
        part = home / (key + ".part")
        remove(part)
        refuse_full(home, sum(map(unpacked_bytes, wheels)))
        try:
            _make(part, place, wheels, manifest)
            remove(place)
            os.rename(str(part), str(place))
        except OSError as error:
            remove(part)
            if error.errno == 28:  # ENOSPC
                raise NoRoom("the disk is full: %s" % home)
            raise
        except BaseException:
            remove(part)
            raise
    point(home, key)
    return place


def is_whole(place: Path) -> bool:
    """Whether this is an environment that was made to its end: the manifest is written last, before the rename."""
    return not place.is_symlink() and (place / MANIFEST).is_file()


def point(home: Path, key: str) -> None:
    """Let ``current`` lead to the environment, in one step; it counts as used now."""
    new = home / (CURRENT + ".part")
    with suppress(FileNotFoundError):
        os.unlink(str(new))
    os.symlink(key, str(new))
    os.replace(str(new), str(home / CURRENT))
    os.utime(str(home / key))


def current(cache: Path) -> Optional[Dict[str, Any]]:
    """The manifest of the environment in use, with its ``key``; None where there is none."""
    home = cache / "env"
    try:
        key = os.readlink(str(home / CURRENT))
        text = (home / key / MANIFEST).read_text(encoding="utf-8") if KEY.fullmatch(key) else "null"
        found = json.loads(text)
    except (OSError, ValueError):
        return None
    return dict(found, key=key) if isinstance(found, dict) else None


def remove(place: Path) -> None:
    """Remove a folder of ours if it is there; where it is a link, the link and not what it leads to."""
    if place.is_symlink() or place.is_file():
        place.unlink()
    elif place.exists():
        shutil.rmtree(str(place))


def unpacked_bytes(wheel: Path) -> int:
    """What the wheel's files take; BadWheel where it is no wheel, or claims absurd sizes."""
    try:
        with zipfile.ZipFile(str(wheel)) as archive:
            infos = archive.infolist()
    except (OSError, zipfile.BadZipFile) as error:
        raise BadWheel("%s is no wheel: %s" % (wheel.name, error))
    size = sum(info.file_size for info in infos)
    if size > MOST_BYTES or len(infos) > MOST_FILES:
        raise BadWheel("%s claims %d files of %d bytes" % (wheel.name, len(infos), size))
    return size


def _make(part: Path, place: Path, wheels: Sequence[Path], manifest: Dict[str, Any]) -> None:
    site = part / "lib" / ("python%d.%d" % sys.version_info[:2]) / "site-packages"
    site.mkdir(parents=True)
    (part / "bin").mkdir()
    interpreter = os.path.realpath(sys.executable)
    for name in ("python", "python3"):
        os.symlink(interpreter, str(part / "bin" / name))
    version = ".".join(map(str, sys.version_info[:3]))
    config = "home = %s\ninclude-system-site-packages = false\nversion = %s\n" % (os.path.dirname(interpreter), version)
    (part / "pyvenv.cfg").write_text(config, encoding="utf-8")
    for wheel in wheels:
        unpack(wheel, site, part, place)
    _try_out(part)
    text = json.dumps(dict(manifest, bytes=size_of(part)))
    with open(str(part / MANIFEST), "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _try_out(part: Path) -> None:
    """OSError where the environment's interpreter does not start, or is not in it."""
    program = "import sys; print(sys.prefix)"
    done = subprocess.run(
        [str(part / "bin" / "python"), "-I", "-c", program],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120,
    )  # fmt: skip
    told = done.stdout.decode(errors="replace").strip()
    if done.returncode or os.path.realpath(told) != os.path.realpath(str(part)):
        why = done.stderr.decode(errors="replace").strip()[-300:] or "it takes %r for its place" % told
        raise OSError("the interpreter %s does not work from an environment: %s" % (sys.executable, why))


def unpack(wheel: Path, site: Path, prefix: Path, place: Path) -> None:
    """Every file of the wheel, its hash checked, into ``site`` or ``prefix``; BadWheel for what is wrong with it.

    ``place`` is where ``prefix`` will stand in the end: what scripts name as their interpreter.
    """
    try:
        with zipfile.ZipFile(str(wheel)) as archive:
            hashes = _record(archive, wheel.name)
            for info in archive.infolist():
                if not info.filename.endswith("/"):
                    _unpack_one(archive, info, hashes, wheel.name, (site, prefix, place))
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, UnicodeDecodeError) as error:
        raise BadWheel("%s is damaged: %s" % (wheel.name, error))


def _record(archive: zipfile.ZipFile, wheel: str) -> Dict[str, str]:
    names = [name for name in archive.namelist() if RECORD.fullmatch(name)]
    if len(names) != 1 or archive.getinfo(names[0]).file_size > 64 << 20:
        raise BadWheel("%s has no RECORD of its files" % wheel)
    rows = csv.reader(io.StringIO(archive.read(names[0]).decode("utf-8")))
    return {row[0]: row[1] for row in rows if len(row) >= 2}


def _unpack_one(
    archive: zipfile.ZipFile, info: zipfile.ZipInfo, hashes: Dict[str, str], wheel: str, places: Tuple[Path, Path, Path]
) -> None:
    name = info.filename
    target, script = _target(name, wheel, places[0], places[1])
    told = hashes.get(name, "")
    listed = not (name.count("/") == 1 and ".dist-info/" in name and name.rpartition("/")[2] in UNLISTED)
    algorithm, _, wanted = told.partition("=")
    if listed and algorithm not in HASHES:
        raise BadWheel("%s: RECORD has no hash of %s" % (wheel, name))
    target.parent.mkdir(parents=True, exist_ok=True)
    digest = hashlib.new(algorithm) if listed else None
    with archive.open(info) as source, open(str(target), "wb") as file:
        first = source.readline(256) if script else b""
        if digest is not None:
            digest.update(first)
        if first.startswith(b"#!python"):
            first = b"#!" + os.fsencode(str(places[2] / "bin" / "python")) + b"\n"
        file.write(first)
        for chunk in iter(lambda: source.read(CHUNK), b""):
            if digest is not None:
                digest.update(chunk)
            file.write(chunk)
    found = "" if digest is None else base64.urlsafe_b64encode(digest.digest()).rstrip(b"=").decode()
    if found != wanted and listed:
        raise BadWheel("%s: %s is not what RECORD says: its hash differs" % (wheel, name))
    if script or (info.external_attr >> 16) & stat.S_IXUSR:
        target.chmod(0o755)


def _target(name: str, wheel: str, site: Path, prefix: Path) -> Tuple[Path, bool]:
    """Where a file of a wheel goes, and whether it is a script; BadWheel for a path that leads out of the wheel."""
    parts = name.split("/")
    if any(part in ("", ".", "..") for part in parts) or "\\" in name or "\0" in name:
        raise BadWheel("%s: the path %r leads out of it" % (wheel, name))
    if len(parts) < 2 or not parts[0].endswith(".data"):
        return site.joinpath(*parts), False
    where = SCHEMES.get(parts[1])
    if where is None or len(parts) < 3:
        raise BadWheel("%s: %s is nothing that a wheel may hold" % (wheel, name))
    return (prefix / where if where else site).joinpath(*parts[2:]), parts[1] == "scripts"


def answer(request: Dict[str, Any], cache: Path) -> Dict[str, Any]:
    """What the board does for ``prepare``: ``wheels`` are paths below the cache, each with its SHA-256."""
    wheels: List[Path] = []
    for told, name in request["wheels"]:
        path = cache / "files" / str(told) / str(name)
        if not path.is_file() or sha256_of(path) != told:
            return {"error": "the wheel %s did not arrive whole" % name}
        wheels.append(path)
    try:
        place = install(wheels, cache, str(request["key"]), dict(request["manifest"]))
    except (BadWheel, NoRoom, OutsideCache, OSError) as error:
        return {"error": str(error) or type(error).__name__}
    return {"place": str(place)}
