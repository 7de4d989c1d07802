"""The agent: what travels to a board to measure there, as one archive, named by the SHA-256 of what it is made of.

It is made only where a board lacks it: that takes longer than to see whether it changed. It holds `bench.device`, the
adapters, and, where an adapter is a third party's, that package's own modules. Our own modules go without their
docstrings, for links are slow; each line keeps its number: a traceback from there fits.
"""

from __future__ import annotations

import ast
import hashlib
import io
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from importlib.util import find_spec
from pathlib import Path

import bench
from bench.errors import LaunchError

ROOT = Path(bench.__file__).parents[1]
MAIN = b"from bench.device.board import run\n\nrun()\n"
MOST_BYTES = 4 << 20
"""Of a third party's package, unpacked: code, and no data."""
LONG_AGO = (1980, 1, 1, 0, 0, 0)
COMPILED = (".so", ".pyd", ".dylib")


@dataclass(frozen=True)
class Agent:
    """The modules that it is made of, and their name: a SHA-256 of them and of how they are packed."""

    sha256: str
    sources: Mapping[str, bytes] = field(repr=False)

    @cached_property
    def data(self) -> bytes:
        """The archive, as it is sent; our own modules without their docstrings."""
        ours = ("bench/", "backends/")
        return _archive(
            {name: _without_words(data) if name.startswith(ours) else data for name, data in self.sources.items()}
        )


@cache
def agent_for(adapter: str) -> Agent:
    """The agent that can run the adapter ``module:Class``; the same code always gives the same one.

    Raises LaunchError where the adapter's module cannot be sent.
    """
    sources = {"__main__.py": MAIN, "bench/__init__.py": (ROOT / "bench" / "__init__.py").read_bytes()}
    for folder in ("bench/device", "backends"):
        sources.update(_tree(ROOT / folder, folder))
    top = adapter.partition(":")[0].partition(".")[0]
    if top not in ("bench", "backends"):
        sources.update(_foreign(top, adapter))
    return Agent(_name(sources), sources)


def _name(sources: Mapping[str, bytes]) -> str:
    told = hashlib.sha256(Path(__file__).read_bytes())
    for name in sorted(sources):
        told.update(b"%d %s %d\n" % (len(name), name.encode(), len(sources[name])))
        told.update(sources[name])
    return told.hexdigest()


def _tree(folder: Path, name: str) -> Iterator[tuple[str, bytes]]:
    for path in sorted(folder.rglob("*.py")):
        yield f"{name}/{path.relative_to(folder).as_posix()}", path.read_bytes()


def _without_words(source: bytes) -> bytes:
    """A module's source, empty lines in the place of docstrings, an attribute's too."""
    lines = source.decode().split("\n")
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            first, last = node.lineno - 1, (node.end_lineno or node.lineno) - 1
            alone = lines[first][: node.col_offset].isspace() or node.col_offset == 0
            if alone and lines[last][node.end_col_offset or 0 :].strip() == "":
                lines[first : last + 1] = [" " * node.col_offset + '""'] + [""] * (last - first)
    return "\n".join(lines).encode()


def _foreign(top: str, adapter: str) -> dict[str, bytes]:
    """A third party's top-level module or package, all of it."""
    head = f"the adapter {adapter} cannot be sent to another host"
    spec = find_spec(top)
    folders = [Path(one) for one in (spec.submodule_search_locations or ())] if spec is not None else []
    if spec is None or not (folders or (spec.origin or "").endswith(".py")):
        raise LaunchError(f"{head}: `{top}` is no module of Python source here")
    if not folders:
        return {f"{top}.py": Path(str(spec.origin)).read_bytes()}
    compiled = [path.name for folder in folders for path in folder.rglob("*") if path.suffix in COMPILED]
    if compiled:
        raise LaunchError(f"{head}: its package `{top}` has compiled code ({compiled[0]}); install it there by hand")
    files = {name: data for folder in folders for name, data in _tree(folder, top)}
    if sum(map(len, files.values())) > MOST_BYTES:
        raise LaunchError(f"{head}: its package `{top}` has more than {MOST_BYTES >> 20} MiB of source")
    return files


def _archive(files: dict[str, bytes]) -> bytes:
    """A zip whose bytes depend on nothing but the files: their order, times and rights are fixed."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, LONG_AGO)
            entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, 0o600 << 16
            archive.writestr(entry, files[name])
    return target.getvalue()
