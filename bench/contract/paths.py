"""Paths that a contract names: inside its folder, or refused."""

from __future__ import annotations

from pathlib import Path

from bench.contract.model import Place
from bench.contract.problems import Problems, quoted


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
