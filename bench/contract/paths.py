"""Paths that a contract names: inside its folder, and there."""

from __future__ import annotations

import stat
from pathlib import Path

from bench.contract.kinds import Text
from bench.contract.model import Place
from bench.contract.nodes import Scalar
from bench.contract.problems import Problems, meant, quoted

_PATH = r"(?![\/~])(?!.:)(?!(?:[^\x00]*\/)?\.\.(?:\/|$))[^\x00-\x1f\x7f\\]+"


class FilePath(Text):
    """A path inside the contract's folder, as text; whether it is inside is looked at where the folder is known."""

    def __init__(self, example: str) -> None:
        super().__init__("a path inside the contract's folder", example, _PATH, 400)

    def value(self, node: Scalar) -> str:
        text = node.text
        if text.startswith(("/", "~")) or text[1:2] == ":":
            raise ValueError(f"`{text[:60]}` is an absolute path: write one relative to the contract's folder")
        if ".." in text.split("/"):
            raise ValueError(f"`{text[:60]}` leaves the contract's folder: put the file inside and write its path")
        if "\\" in text:
            raise ValueError(f"`{text[:60]}` has a backslash: write / between folders")
        return super().value(node)


def inside(folder: Path, text: str, place: Place, problems: Problems) -> Path | None:
    """The path below ``folder``; None, with a problem, where a link in it leads out. The file need not exist."""
    path = folder / text
    try:
        real = path.resolve()
    except (OSError, RuntimeError, ValueError) as error:
        problems.add(place, f"{quoted(text)} is no usable path: {getattr(error, 'strerror', None) or error}")
        return None
    if not real.is_relative_to(folder.resolve()):
        problems.add(place, f"{quoted(text)} is a link that leaves the contract's folder: put the file itself inside")
        return None
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
    others = [one for one in names if one != name]
    return f"{where}: {meant(name, others)}" if others else f"{where}, nor any other there"
