"""The files of the user's own code: the modules that a contract names, and what of its folder they import.

They are parsed and never run. What code reads or imports by names that it makes up cannot be told.
"""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path

from bench.contract.check_code import MOST_BYTES


def code_files(folder: Path, entries: Iterable[str]) -> list[Path]:
    """The files in the contract's folder that ``module:function`` entries run, each once, those there are."""
    found: dict[Path, None] = {}
    waiting = [entry.partition(":")[0] for entry in entries]
    while waiting:
        for file in _of_module(folder, waiting.pop()):
            if file not in found:
                found[file] = None
                waiting += _imported(file, folder)
    return list(found)


def _of_module(folder: Path, name: str) -> Iterator[Path]:
    """The module's file and those of the packages that it lies in."""
    parts = [part for part in name.split(".") if part]
    for size in range(1, len(parts) + 1):
        module = folder.joinpath(*parts[:size])
        files = (module / "__init__.py", module.with_name(f"{module.name}.py"))  # in the order that Python looks
        yield from [file for file in files if file.is_file()][:1]


def _imported(file: Path, folder: Path) -> Iterator[str]:
    """Names of modules that it may import; a name taken out of a module may be one too."""
    package = file.parent.relative_to(folder).parts
    for node in ast.walk(_tree(file)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            base = ".".join([*above, *([node.module] if node.module else [])])
            yield from (f"{base}.{alias.name}" for alias in node.names)


def _tree(file: Path) -> ast.Module:
    """Empty for what is no Python: whoever runs it says so."""
    try:
        with file.open("rb") as opened, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(opened.read(MOST_BYTES))
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
        return ast.Module([], [])
