"""Which files a job needs on a board: each artifact with its companions in a folder of its own, under its own name."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bench.artifacts.facts import sha256_of
from bench.device.records import Job
from bench.errors import LaunchError

CHUNK_BYTES = 1 << 18
MOST_CODE_FILES = 2_000
MOST_CODE_BYTES = 64 << 20


@dataclass(frozen=True)
class Piece:
    """One file: where it is here, and there its ``name`` relative to ``folder``, which is named by all it holds."""

    path: Path
    folder: str
    name: str
    sha256: str
    size: int
    executable: bool = False
    """Whether it may be run there: of the user's code, what may be run here."""


class Bundles:
    """Bundles of files, each hashed once as long as it is not changed."""

    def __init__(self) -> None:
        self._hashes: dict[tuple[str, int, int], str] = {}

    def of(self, files: Sequence[Path], root: Path | None = None) -> tuple[Piece, ...]:
        """The files as one bundle, their names relative to ``root``, else to the folder that they share.

        Raises LaunchError where one cannot be read.
        """
        if root is None:
            root = Path(os.path.commonpath([file.parent for file in files]))
        told = [(file, file.relative_to(root).as_posix(), *self._hash(file)) for file in dict.fromkeys(files)]
        table = json.dumps([[name, sha256] for _, name, sha256, _ in told]).encode()
        folder = hashlib.sha256(table).hexdigest()
        return tuple(Piece(file, folder, name, sha256, size) for file, name, sha256, size in told)

    def _hash(self, file: Path) -> tuple[str, int]:
        """Its SHA-256 and its size."""
        try:
            stat = file.stat()
            key = (str(file), stat.st_mtime_ns, stat.st_size)
            if key not in self._hashes:
                self._hashes[key] = sha256_of(file)
        except OSError as error:
            raise LaunchError(f"cannot send {file}: {error.strerror}") from error
        return self._hashes[key], stat.st_size


@dataclass(frozen=True)
class Cargo:
    """All that a job names. ``main`` are the files whose paths the job holds; ``code`` the modules of the user's."""

    artifacts: dict[str, tuple[Piece, ...]]
    samples: tuple[Piece, ...]
    trace: tuple[Piece, ...]
    code: tuple[Piece, ...]

    @property
    def pieces(self) -> tuple[Piece, ...]:
        return (*(one for bundle in self.artifacts.values() for one in bundle), *self.samples, *self.trace, *self.code)


def cargo_of(job: Job, bundles: Bundles) -> Cargo:
    """What the job needs beside the agent; LaunchError where a file cannot be read."""
    artifacts = {}
    for kind, path in job.artifacts.items():
        files = [Path(path), *map(Path, job.companions.get(kind, ()))]
        artifacts[kind] = bundles.of(files)
    samples, trace = (bundles.of([Path(path)]) if path else () for path in (job.samples, job.trace))
    return Cargo(artifacts, samples, trace, _code(job, bundles) if job.code_dir else ())


def _code(job: Job, bundles: Bundles) -> tuple[Piece, ...]:
    """The user's modules, and the programs that options name."""
    folder = Path(str(job.code_dir))
    files = [*_modules(folder), *map(Path, job.programs)]
    return tuple(replace(one, executable=os.access(one.path, os.X_OK)) for one in bundles.of(files, folder))


def mapped(job: Job, cargo: Cargo, there: dict[Piece, str]) -> Job:
    """The job with the board's paths; ``there`` has the path of each piece."""

    def of(bundle: tuple[Piece, ...]) -> str | None:
        return there[bundle[0]] if bundle else None

    code_dir = None
    if cargo.code:
        code_dir = there[cargo.code[0]].removesuffix("/" + cargo.code[0].name)
    artifacts = {kind: there[bundle[0]] for kind, bundle in cargo.artifacts.items()}
    return replace(
        job, artifacts=artifacts, samples=of(cargo.samples), trace=of(cargo.trace), code_dir=code_dir, companions={},
        programs=[],
    )  # fmt: skip


def _modules(folder: Path) -> list[Path]:
    """The user's modules, of the folder and its packages; hidden folders and environments are none."""
    found: list[Path] = []
    for place, names, files in os.walk(folder):
        names[:] = [name for name in names if not name.startswith((".", "__")) and name not in ("venv", "node_modules")]
        found += [Path(place, name) for name in files if name.endswith(".py")]
        if len(found) > MOST_CODE_FILES:
            break
    if len(found) > MOST_CODE_FILES or sum(one.stat().st_size for one in found) > MOST_CODE_BYTES:
        raise LaunchError(f"{folder} has too much code to send to a host: put the model's modules in one of its own")
    return sorted(found)


class Stream:
    """A request, and after it the rest of each piece from where the board has it, read as they are sent."""

    def __init__(self, request: bytes, rest: Sequence[tuple[Piece, int]]) -> None:
        self._chunks = _chunks(request, rest)

    def read(self, size: int, /) -> bytes:
        """The next bytes, as many as they come; none at the end."""
        return next(self._chunks, b"")


def _chunks(request: bytes, rest: Sequence[tuple[Piece, int]]) -> Iterator[bytes]:
    """No piece gives more than it was announced with; one that gives less is noticed there."""
    yield request
    for piece, begin in rest:
        left = piece.size - begin
        with piece.path.open("rb") as file:
            file.seek(begin)
            while left and (data := file.read(min(CHUNK_BYTES, left))):
                left -= len(data)
                yield data
        if left:
            return
