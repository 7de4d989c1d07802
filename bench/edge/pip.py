"""This machine's own pip, asked for wheels that fit another."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bench.edge.tags import BoardPython, platforms
from bench.errors import LaunchError

DOWNLOAD_S, ASK_S = 3600.0, 60.0
"""Longest for all wheels to arrive; for one question."""
COMMON = ("--no-input", "--disable-pip-version-check", "--quiet", "--only-binary=:all:", "--implementation=cp")
NONE_FITS = re.compile(r"No matching distribution found for (\S+)")
SHOWN_LINES = 4


class NoneFits(Exception):
    """No wheel of ``requirement`` fits."""

    def __init__(self, requirement: str) -> None:
        self.requirement = requirement
        super().__init__(requirement)


def download(board: BoardPython, requirements: Sequence[str], folder: Path, wheelhouse: Path | None) -> None:
    """Put wheels of the requirements, and of all that these need, into ``folder``; NoneFits, or LaunchError."""
    words = ["download", f"--dest={folder}", *_where(board, wheelhouse), "--", *requirements]
    done = _pip(words, DOWNLOAD_S)
    if done.returncode:
        _complain(done)


def would_take(board: BoardPython, requirement: str, wheelhouse: Path | None) -> str | None:
    """The file name of the wheel that pip would take for it, nothing fetched that need not be; None: there is none."""
    with tempfile.TemporaryDirectory(prefix="benchpact-pip-") as folder:
        words = ["install", "--dry-run", "--ignore-installed", "--no-deps", f"--target={folder}", "--report=-"]
        done = _pip([*words, *_where(board, wheelhouse), "--", requirement], ASK_S)
    if done.returncode:
        return None
    try:
        return str(json.loads(done.stdout)["install"][0]["download_info"]["url"]).rpartition("/")[2]
    except (ValueError, KeyError, IndexError, TypeError):
        return None


def _where(board: BoardPython, wheelhouse: Path | None) -> list[str]:
    fitting = [*COMMON, f"--python-version={board.python_version}", *(f"--platform={one}" for one in platforms(board))]
    return fitting if wheelhouse is None else [*fitting, "--no-index", f"--find-links={wheelhouse.resolve()}"]


def _pip(words: Sequence[str], timeout_s: float) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pip", *words]
    try:
        return subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout_s, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise LaunchError(
            f"pip did not find the wheels within {timeout_s / 60:.0f} min: see `pip config list`"
        ) from error


def _complain(done: subprocess.CompletedProcess[str]) -> None:
    found = NONE_FITS.search(done.stderr)
    if found:
        raise NoneFits(found[1])
    if "No module named pip" in done.stderr:
        raise LaunchError(f"wheels are chosen by pip, and {sys.executable} has none: {sys.executable} -m ensurepip")
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    raise LaunchError("pip finds no wheels for the board: " + " / ".join(lines[-SHOWN_LINES:]))
