"""Which wheels fit a board: its Python, machine and C library as the tags that wheels are named by. Pure.

Source of the tags: the packaging specifications, "Platform compatibility tags" (PEP 425, 599, 600, 656).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bench.errors import LaunchError

OLDEST_GLIBC = {"x86_64": 5, "i686": 5}
"""The least ``manylinux_2_X``: 17 where none is said."""
LEGACY = {5: "manylinux1", 12: "manylinux2010", 17: "manylinux2014"}
"""Names that were given before glibc's version was in them."""
OLDEST_PYTHON = (3, 8)
NEWEST_MUSL_MINOR = 5


@dataclass(frozen=True)
class BoardPython:
    """The interpreter that a model will run under."""

    machine: str
    """As wheels name it: ``aarch64``, ``armv7l``, ``x86_64``."""
    libc: str
    """``glibc`` or ``musl``."""
    libc_version: tuple[int, int]
    python: tuple[int, int]

    @property
    def python_version(self) -> str:
        """``3.11``."""
        return ".".join(map(str, self.python))

    def __str__(self) -> str:
        return f"Python {self.python_version}, {self.machine}, {self.libc} {'.'.join(map(str, self.libc_version))}"


def board_python(facts: Mapping[str, Any]) -> BoardPython:
    """What the board's facts (``device.hardware``) say of its interpreter; LaunchError where no wheel could fit it."""
    implementation = str(facts.get("implementation"))
    if implementation != "cpython":
        raise LaunchError(f"the board's Python is {implementation}: wheels are made for CPython; install that")
    python = _version(facts.get("python"))
    if python is None or python < OLDEST_PYTHON:
        raise LaunchError(f"the board's Python is {facts.get('python')}: at least 3.8 is needed")
    libc = facts.get("libc")
    kind, version = (libc.get("kind"), _version(libc.get("version"))) if isinstance(libc, dict) else (None, None)
    if kind not in ("glibc", "musl") or version is None:
        raise LaunchError("the board does not tell its C library: it must be glibc or musl for wheels to fit")
    return BoardPython(_machine(str(facts.get("machine")), facts.get("bits")), kind, version, python)


def platforms(board: BoardPython) -> list[str]:
    """Every platform tag whose wheels work there, the newest first."""
    major, minor = board.libc_version
    if board.libc == "musl":
        tags = [f"musllinux_{major}_{one}_{board.machine}" for one in range(min(minor, NEWEST_MUSL_MINOR), -1, -1)]
        return [*tags, f"linux_{board.machine}"]
    tags = []
    for one in range(minor, OLDEST_GLIBC.get(board.machine, 17) - 1, -1):
        tags.append(f"manylinux_{major}_{one}_{board.machine}")
        if one in LEGACY:
            tags.append(f"{LEGACY[one]}_{board.machine}")
    return [*tags, f"linux_{board.machine}"]


def libc_needed(wheel: str) -> tuple[str, int, int] | None:
    """The oldest C library that a wheel of this name works with, such as ``("glibc", 2, 28)``; None: it says none."""
    found = [("glibc", int(major), int(minor)) for major, minor in re.findall(r"manylinux_(\d+)_(\d+)_", wheel)]
    found += [("musl", int(major), int(minor)) for major, minor in re.findall(r"musllinux_(\d+)_(\d+)_", wheel)]
    found += [("glibc", 2, minor) for minor, name in LEGACY.items() if f"{name}_" in wheel]
    return min(found, default=None)


def _machine(machine: str, bits: object) -> str:
    """A 64-bit kernel often runs a 32-bit system, as Raspberry Pi OS does: what counts is the interpreter."""
    if bits == 32:
        return {"aarch64": "armv7l", "armv8l": "armv7l", "x86_64": "i686"}.get(machine, machine)
    return machine


def _version(text: object) -> tuple[int, int] | None:
    found = re.match(r"(\d{1,3})\.(\d{1,3})", str(text))
    return (int(found[1]), int(found[2])) if found else None
