"""What every kind of artifact is read into, and what all of their readers hold to."""

from __future__ import annotations

import hashlib
import stat
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench.artifacts.parameters import Count
from bench.artifacts.told import Told
from bench.device.adapter import TensorSpec
from bench.errors import ContractError

MAX_DIMENSION = 1 << 53


class ArtifactError(ContractError):
    """An artifact is not what it should be; the message is one sentence that begins with the file."""


@dataclass(frozen=True)
class ArtifactFacts:
    """What an artifact says of itself; None where its kind does not tell.

    A tensor whose shape alone is not told has the
    shape ``UNTOLD``. ``parameters`` are those of the framework's own model. ``size_bytes`` counts the
    files it consists of. ``told`` is what its maker wrote into it.
    """

    kind: str
    inputs: tuple[TensorSpec, ...] | None
    outputs: tuple[TensorSpec, ...] | None
    parameters: Count | None
    producer: str | None
    producer_version: str | None
    opset: int | None
    size_bytes: int
    told: Told = field(default_factory=Told)


def free_dimension(tensor: str, axis: int) -> str:
    """The name of a dimension that the artifact leaves free without naming it: ``image:0``."""
    return f"{tensor}:{axis}"


def regular_size(path: Path) -> int:
    """The file's bytes; ArtifactError for what is no regular file, OSError where it is not there."""
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise ArtifactError(f"{path}: is not a regular file")
    return status.st_size


def size_of(path: Path, others: Iterable[Path]) -> int:
    """Bytes of the artifact and its further files, each file counted once."""
    return sum(regular_size(one) for one in {path.resolve(), *(other.resolve() for other in others)})


def shape_of(path: Path, what: str, sizes: Sequence[object]) -> tuple[int, ...]:
    """The fixed shape of a stored tensor; ArtifactError where a size is none."""
    if not all(type(size) is int and 0 <= size < MAX_DIMENSION for size in sizes) or len(sizes) > 64:
        raise ArtifactError(
            f"{path}: {what} has the shape {str(list(sizes))[:80]}, which is none; is the file damaged?"
        )
    return tuple(size for size in sizes if isinstance(size, int))


def sha256_of(path: Path) -> str:
    """The file's SHA-256 in hexadecimal, read piece by piece; OSError where it cannot be read."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()
