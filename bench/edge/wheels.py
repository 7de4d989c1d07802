"""The wheels that a board needs, chosen on this machine: by pip, from its index or from an air-gapped wheelhouse."""

from __future__ import annotations

import email.parser
import zipfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename

from bench.artifacts.facts import sha256_of
from bench.edge import pip
from bench.edge.tags import BoardPython, libc_needed
from bench.errors import LaunchError

ALWAYS = ("numpy",)
"""What the worker itself needs."""
ROUNDS = 5
"""Times that pip is asked again for what it left out: each adds at least one package."""
PYTHONS = tuple((3, minor) for minor in range(8, 15))
NEWEST_GLIBC = (2, 60)
AT_ONCE = 4
MOST_METADATA_BYTES = 16 << 20


@dataclass(frozen=True)
class Wheel:
    """One wheel to be shipped."""

    path: Path
    sha256: str
    bytes: int


def choose(
    board: BoardPython, packages: Sequence[str], folder: Path, wheelhouse: Path | None = None
) -> tuple[Wheel, ...]:
    """Put the wheels that ``packages`` and the worker need on that board into ``folder``, which is empty.

    LaunchError where there is none that fits: it says which package, and what would do.
    """
    wanted = list(dict.fromkeys([*packages, *ALWAYS]))
    for _ in range(ROUNDS):
        try:
            pip.download(board, wanted, folder, wheelhouse)
        except pip.NoneFits as error:
            raise LaunchError(why_none(board, error.requirement, wheelhouse)) from error
        missing = _left_out(board, folder)
        if not missing:
            break
        wanted += missing
    found = sorted(folder.glob("*.whl"))
    return tuple(Wheel(path, sha256_of(path), path.stat().st_size) for path in found)


def why_none(board: BoardPython, requirement: str, wheelhouse: Path | None) -> str:
    """Which package has no wheel for that board, and which Python or C library would do."""
    said = f"no wheel of {requirement} fits the board ({board})"
    pythons = _pythons_that_do(board, requirement, wheelhouse)
    if pythons:
        listed = " or ".join(".".join(map(str, one)) for one in pythons)
        return f"{said}: with Python {listed} there is one; install that on the board, and name it in `python:`"
    newer = pip.would_take(replace(board, libc_version=NEWEST_GLIBC), requirement, wheelhouse)
    needed = libc_needed(newer) if newer and board.libc == "glibc" else None
    if needed:
        kind, major, minor = needed
        return f"{said}: it needs {kind} {major}.{minor} or newer, which comes with a newer system on the board"
    if wheelhouse is None:
        return f"{said}, nor any Python from 3.8 on: build one there, or choose another backend"
    held = ", ".join(_held(wheelhouse, requirement)) or "none of it"
    return f"{said}; {wheelhouse} has {held}: `benchpact device wheels` fills it on a machine with internet"


def _pythons_that_do(board: BoardPython, requirement: str, wheelhouse: Path | None) -> list[tuple[int, int]]:
    others = [one for one in PYTHONS if one != board.python]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        found = pool.map(lambda one: pip.would_take(replace(board, python=one), requirement, wheelhouse), others)
        return [one for one, wheel in zip(others, found, strict=True) if wheel]


def _left_out(board: BoardPython, folder: Path) -> list[str]:
    """What the wheels need on that board and pip did not fetch: it reads markers for this machine's Python."""
    paths = sorted(folder.glob("*.whl"))
    held = {_project(path) for path in paths}
    missing: dict[str, None] = {}
    for path in paths:
        for one in _requires(path):
            applies = one.marker is None or one.marker.evaluate(_environment(board))
            if applies and canonicalize_name(one.name) not in held:
                missing[f"{one.name}{one.specifier}"] = None
    return list(missing)


def _environment(board: BoardPython) -> dict[str, str]:
    return {
        "python_version": board.python_version,
        "python_full_version": f"{board.python_version}.0",
        "implementation_name": "cpython",
        "implementation_version": f"{board.python_version}.0",
        "platform_python_implementation": "CPython",
        "platform_machine": board.machine,
        "platform_system": "Linux",
        "sys_platform": "linux",
        "os_name": "posix",
        "extra": "",
    }


def _requires(wheel: Path) -> Iterator[Requirement]:
    try:
        with zipfile.ZipFile(wheel) as archive:
            names = [one for one in archive.namelist() if one.endswith(".dist-info/METADATA") and one.count("/") == 1]
            if len(names) != 1 or archive.getinfo(names[0]).file_size > MOST_METADATA_BYTES:
                raise LaunchError(f"{wheel.name} does not describe itself as a wheel should")
            text = archive.read(names[0]).decode(errors="replace")
    except (zipfile.BadZipFile, OSError) as error:
        raise LaunchError(f"{wheel.name} is no wheel: {error}") from error
    for line in email.parser.HeaderParser().parsestr(text).get_all("Requires-Dist") or ():
        with suppress(InvalidRequirement):
            yield Requirement(line)


def _project(wheel: Path) -> str:
    try:
        return parse_wheel_filename(wheel.name)[0]
    except InvalidWheelFilename:
        return ""


def _held(wheelhouse: Path, requirement: str) -> list[str]:
    try:
        wanted = canonicalize_name(Requirement(requirement).name)
    except InvalidRequirement:
        return []
    return [path.name for path in sorted(wheelhouse.glob("*.whl")) if _project(path) == wanted]
