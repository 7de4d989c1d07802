"""Where commands write to: standard output, or a file that was looked at before anything was measured."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import TextIO

from bench.errors import ContractError

STDOUT = Path("-")
RESULTS = Path("results")
"""The folder that runs are kept in where no other is asked for."""


def is_coloured(stream: TextIO) -> bool:
    """Whether a person looks at it who has not asked for plain text."""
    return stream.isatty() and "NO_COLOR" not in os.environ


def width() -> int:
    """Columns of the terminal; 100 where there is none."""
    return shutil.get_terminal_size((100, 24)).columns


def refuse_unwritable(*paths: Path) -> None:
    """Refuse, before anything is measured, files that could not be written afterwards, or not all of them."""
    seen: list[Path] = []
    for path in paths:
        if any(_is_same(path, other) for other in seen):
            raise ContractError(f"{path}: two reports cannot be written to one place: name another for one of them")
        seen.append(path)
        why = None if path == STDOUT else _why_unwritable(path)
        if why:
            raise ContractError(f"{path}: cannot be written: {why}")


def _why_unwritable(path: Path) -> str | None:
    try:
        found = path.stat()
    except OSError:
        found = None  # it will be made, if its folder can be written to
    if found is not None and _is_stdout(found):
        return "it is standard output itself: say - for that"
    if found is not None and not stat.S_ISREG(found.st_mode):
        return "it is there already, and no regular file: name another file, or say - for standard output"
    folder = path.resolve().parent
    if not folder.is_dir():
        return f"its folder {path.parent} does not exist"
    if not os.access(folder, os.W_OK | os.X_OK) or (found is not None and not os.access(path, os.W_OK)):
        return "writing there is not permitted"
    return None


def _is_stdout(found: os.stat_result) -> bool:
    try:
        return os.path.samestat(found, os.fstat(1))
    except OSError:
        return False


def refuse_losing(outputs: Iterable[Path], precious: Iterable[Path], what: str) -> None:
    """Refuse an output under the name of one of the files that are read: it would be lost."""
    kept = list(precious)
    for path in outputs:
        if path != STDOUT and any(_is_same(path, other) for other in kept):
            raise ContractError(f"{path}: it is {what}, and would be lost: name another file to write to")


def _is_same(one: Path, other: Path) -> bool:
    """Whether both name one file, by whatever way, also where it is not there yet."""
    if STDOUT in (one, other):
        return one == other
    try:
        return one.samefile(other)
    except OSError:
        return one.resolve() == other.resolve()


def write(text: str, path: Path) -> None:
    """Write a whole text, or nothing; ResultFileError where the file cannot be written."""
    if path == STDOUT:
        print(text, end="")
        return
    from bench.store.whole_file import write_whole

    refuse_unwritable(path)  # again: it may have changed while something was measured
    # A link is the user's own: what it leads to is written, and it stays.
    write_whole(path.resolve(), lambda file: file.write(text.encode()), "what stood there before is as it was")
