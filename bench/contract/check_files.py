"""An artifact's files: there, whole, and the same that were handed over."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from bench import units
from bench.artifacts import KINDS, ArtifactError, ArtifactFacts, companions_of, read
from bench.artifacts.facts import sha256_of
from bench.contract.findings import Findings
from bench.contract.model import Artifact, Contract, Place
from bench.contract.paths import exists
from bench.contract.problems import quoted

MOST_BYTES = 64 << 30
"""Most of one file that is read to compare its SHA-256: about a minute from a fast disk."""
QUICKLY_READ = 1 << 30
"""Up to here a file is hashed though it is no whole artifact: another SHA-256 says more than what is damaged."""


class _File(NamedTuple):
    """A file as the contract names it, with the places of its path and of its SHA-256."""

    path: Path
    sha256: str | None
    place: Place
    sha256_place: Place


def facts_of(contract: Contract, artifact: Artifact, findings: Findings) -> ArtifactFacts | None:
    """What the artifact says of itself; None, with what is wrong noted, where its files are not what they should be.

    The artifact's own words come before its hash: they are a small part of a file that may be huge.
    """
    files = _files(contract, artifact)
    readable = [_is_readable(contract, file.path, file.place, findings) for file in files]
    if not all(readable):
        return None
    found = _read(artifact)
    if isinstance(found, ArtifactError) and _bytes(artifact.path) > QUICKLY_READ:
        findings.problems.add(artifact.place, _without_folder(str(found), contract.folder))
        return None
    sound = not contract.faults.within("artifacts", artifact.kind)  # else a hash may be there that could not be read
    owner = artifact if artifact.sha256 is not None and sound else None
    whole = [_is_same(contract, file, owner, findings) for file in files]
    if not all(whole):
        return None
    if isinstance(found, ArtifactError):
        findings.problems.add(artifact.place, _without_folder(str(found), contract.folder))
        return None
    if found is None:
        message = f"`{artifact.kind}` artifacts are not read here: what the contract says of it is not compared"
        findings.notice(message, artifact.place)
        return None
    if sound:
        _listed(contract, artifact, findings)
    return found


def _files(contract: Contract, artifact: Artifact) -> list[_File]:
    """The artifact's own file first."""
    keys = ("artifacts", artifact.kind)
    files = [_File(artifact.path, artifact.sha256, artifact.place, contract.place(*keys, "sha256"))]
    for index, (path, sha256) in enumerate(artifact.companions):
        file = (*keys, "files", str(index))
        files.append(_File(path, sha256, contract.place(*file), contract.place(*file, "sha256")))
    return files


def _read(artifact: Artifact) -> ArtifactFacts | ArtifactError | None:
    """None for a kind that only a backend knows."""
    if artifact.kind not in KINDS:
        return None
    try:
        return read(artifact.kind, artifact.path, tuple(path for path, _ in artifact.companions))
    except ArtifactError as error:
        return error


def _listed(contract: Contract, artifact: Artifact, findings: Findings) -> None:
    """Every file that the artifact asks for is in the contract: who holds one file to its hash means all of them."""
    listed = {path.resolve() for path, _ in artifact.companions}
    try:
        needed = companions_of(artifact.kind, artifact.path)
    except ArtifactError as error:
        findings.problems.add(artifact.place, _without_folder(str(error), contract.folder))
        return
    for file in needed:
        if file.resolve() in listed:
            continue
        belongs = f"{_name(contract, file)} belongs to {artifact.path.name} and has no sha256 in the contract"
        if artifact.sha256 is None:
            findings.notice(f"{belongs}: list it under `files`", artifact.place)
        elif _is_readable(contract, file, artifact.place, findings):
            line = f"{{path: {_name(contract, file)}, sha256: {sha256_of(file)}}}"
            more = f"add {line} to its `files`" if artifact.companions else f"add `files: [{line}]` beside its sha256"
            findings.problems.add(artifact.place, f"{belongs}, so it could be any file: {more}")


def _is_readable(contract: Contract, path: Path, place: Place, findings: Findings) -> bool:
    """Whether it is there, and not more than anybody waits for."""
    if not exists(path, contract.folder, place, findings.problems):
        return False
    size = _bytes(path)
    if size > MOST_BYTES:
        told = f"has {units.show(size, 'bytes')}; at most {units.show(MOST_BYTES, 'bytes')} are read of one file"
        findings.problems.add(place, f"{quoted(_name(contract, path))} {told}: is it the right one?")
    return size <= MOST_BYTES


def _is_same(contract: Contract, file: _File, owner: Artifact | None, findings: Findings) -> bool:
    """Whether the file has its SHA-256; one that says none is a problem where its ``owner``, the artifact, has one."""
    name, place = _name(contract, file.path), file.place
    try:
        found = sha256_of(file.path)
    except OSError as error:
        findings.problems.add(place, f"{quoted(name)}: cannot be read: {error.strerror or error}")
        return False
    if file.sha256 is None and owner is not None:
        message = f"{quoted(name)} has no sha256, but {owner.path.name}, which it belongs to, has one"
        findings.problems.add(place, f"{message}: write `{{path: {name}, sha256: {found}}}`")
    elif file.sha256 is None:
        findings.notice(f"{name} has no sha256 in the contract: add `sha256: {found}`", place)
    elif found != file.sha256:
        message = f"{quoted(name)} is not the file that was handed over: its SHA-256 is {found}"
        findings.problems.add(file.sha256_place, f"{message}, the contract says {file.sha256}")
        return False
    return True


def _name(contract: Contract, path: Path) -> str:
    return str(path.relative_to(contract.folder) if path.is_relative_to(contract.folder) else path)


def _without_folder(message: str, folder: Path) -> str:
    return message.replace(f"{folder}/", "", 1)


def _bytes(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0  # whoever opens it says why it cannot be read
