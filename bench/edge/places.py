"""What a person means by HOST: a target of the site's, or a host as `ssh` names it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench import registry
from bench.contract.host_words import fault_of
from bench.contract.load import load_targets
from bench.errors import ContractError


@dataclass(frozen=True)
class Place:
    """A host, and the backends that it is wanted for."""

    host: str
    backends: tuple[str, ...]
    own_python: str | None = None
    """The interpreter that its target names; None: it names none."""


def place_of(name: str, targets: Path | None, backends: Sequence[str] = ()) -> Place:
    """The host, with ``backends``, or those of the targets on it. ContractError for what is no host."""
    for backend in backends:
        registry.resolve(backend)
    site = load_targets(targets)
    target = next((one for one in site if one.name == name), None)
    host = name if target is None else target.host
    if host is None:
        raise ContractError(f"the target `{name}` has no `host`: it runs on this machine; see `benchpact doctor`")
    fault = fault_of(host)
    if fault is not None:
        raise ContractError(f"{host:.80}: {fault}")
    there = [one.backend for one in site if one.host == host]
    return Place(host, tuple(dict.fromkeys(backends or there)), target.python if target else None)


def packages_of(backends: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Backend -> the distributions that it runs on."""
    return {name: tuple(registry.load(name).packages) for name in backends}
