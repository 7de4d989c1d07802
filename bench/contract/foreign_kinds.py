"""Kinds of artifact that only a backend knows: right where a backend that the contract names takes them."""

from __future__ import annotations

from collections.abc import Iterable

from bench import registry
from bench.artifacts import KINDS
from bench.contract.model import Contract
from bench.contract.problems import Problems, meant, quoted
from bench.errors import BackendNotFound


def check_kinds(contract: Contract, problems: Problems) -> None:
    """Note each kind that is neither read here nor taken by a backend of the targets.

    Only those backends are imported: what else is installed beside this program must not run for a
    contract that has nothing to do with it. Where one of them does not load, nothing is known of its kinds, nor
    where one runs a program of the user's own.
    """
    foreign = [artifact.kind for artifact in contract.artifacts if artifact.kind not in KINDS]
    if not foreign or _is_backend_unread(contract):
        return
    taken = _taken(dict.fromkeys(target.backend for target in contract.targets))
    for kind in foreign:
        if taken is not None and kind not in taken:
            hint = meant(kind, dict.fromkeys([*KINDS, *taken]))
            message = f"`artifacts`: {quoted(kind)} is not a kind of artifact that a target's backend takes: {hint}"
            problems.add(contract.place("artifacts", kind), message)


def _is_backend_unread(contract: Contract) -> bool:
    """Whether there is a target of which nobody knows what it takes."""
    read = [target.name for target in contract.targets]
    paths = [path for path in contract.faults.paths if path[0] == "targets"]
    return not read or any(len(path) > 1 and (path[1] not in read or path[2:] == ("backend",)) for path in paths)


def _taken(backends: Iterable[str]) -> list[str] | None:
    try:
        adapters = [registry.load(backend) for backend in backends]
    except BackendNotFound:
        return None
    if any(getattr(adapter, "code_options", ()) for adapter in adapters):
        return None
    return [kind for adapter in adapters for kind in adapter.artifact_kinds]
