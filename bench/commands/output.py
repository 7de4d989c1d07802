"""Where commands write to: standard output, or a file that was looked at before anything was measured."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TextIO

from bench.errors import ContractError, ResultFileError

STDOUT = Path("-")
RESULTS = Path("results")
"""The folder that runs are kept in where no other is asked for."""


def is_coloured(stream: TextIO) -> bool:
    """Whether a person looks at it who has not asked for plain text."""
    return stream.isatty() and "NO_COLOR" not in os.environ


def width() -> int:
    """Columns of the terminal; 100 where there is none."""
    return shutil.get_terminal_size((100, 24)).columns


def refuse_unwritable(path: Path) -> None:
    """Refuse, before anything is measured, a file that could not be written afterwards."""
    if path != STDOUT and (path.is_dir() or not path.parent.is_dir()):
        raise ContractError(f"{path}: cannot be written: its folder {path.parent} does not exist or it is a folder")


def write(text: str, path: Path) -> None:
    """Write a whole text; ResultFileError where the file cannot be written."""
    if path == STDOUT:
        print(text, end="")
        return
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ResultFileError(
            f"{path}: cannot be written: {error.strerror}; the results are stored all the same"
        ) from error
