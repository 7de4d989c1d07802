"""Paths that a contract names: inside its folder, and there."""

from __future__ import annotations

import stat
from pathlib import Path

from bench.contract.model import Place
from bench.contract.problems import Problems, meant, quoted


def inside(folder: Path, text: str, place: Place, problems: Problems) -> Path:
    """The path below ``folder``; a problem where a link in it leads out. The file need not exist."""
    path = folder / text
    try:
        real = path.resolve()
    except (OSError, RuntimeError, ValueError) as error:
        problems.add(place, f"{quoted(text)} is no usable path: {getattr(error, 'strerror', None) or error}")
        return path
    if not real.is_relative_to(folder.resolve()):
        problems.add(place, f"{quoted(text)} is a link that leaves the contract's folder: put the file itself inside")
    return path


def exists(path: Path, folder: Path, place: Place, problems: Problems) -> bool:
    """Whether the path is a regular file; a problem that names what is near where it is not."""
    shown = path.relative_to(folder) if path.is_relative_to(folder) else path
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        problems.add(place, f"{quoted(str(shown))}: there is no such file{_near(path, folder)}")
        return False
    except OSError as error:
        problems.add(place, f"{quoted(str(shown))}: cannot be read: {error.strerror or error}")
        return False
    if not stat.S_ISREG(mode):
        problems.add(place, f"{quoted(str(shown))} is not a file{_near(path, folder)}")
        return False
    return True


def _near(path: Path, folder: Path) -> str:
    """What the deepest folder of the path that exists holds, or of that the name that is near."""
    parent, name = path.parent, path.name
    while not parent.is_dir() and parent != folder and parent.parent != parent:
        parent, name = parent.parent, parent.name
    try:
        names = sorted(one.name for one in parent.iterdir() if not one.name.startswith("."))
    except OSError:
        return ""
    where = "" if parent == path.parent else f" and no folder {quoted(name)}"
    return f"{where}: {meant(name, [one for one in names if one != name])}"
