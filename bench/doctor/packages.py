"""Packages that write over each other: two wheels that bring the same import name."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping
from importlib.metadata import PackageNotFoundError, distribution, packages_distributions

from packaging.utils import canonicalize_name

from bench.doctor.diagnosis import Backend, Finding, Severity

WHY = "they share one import name: which one runs is chance, and removing either breaks the other"


def conflicts(backends: Iterable[Backend]) -> tuple[Finding, ...]:
    """One finding for each import name of a backend's that more than one installed package brings.

    Nothing is said twice: a backend whose own reason names the packages already is left at that.
    """
    owners, found = packages_distributions(), {}
    for one in backends:
        for module in _modules(one, owners):
            both = _owners(module, owners)
            if len(both) > 1 and not all(name in one.reason for name in both):
                found[module] = both
    return tuple(_finding(module, found[module]) for module in sorted(found))


def _modules(backend: Backend, owners: Mapping[str, list[str]]) -> set[str]:
    """The import names of the backend's packages, installed or not."""
    names = {canonicalize_name(package) for package in backend.packages}
    brought = {module for module, found in owners.items() if names & {canonicalize_name(one) for one in found}}
    return brought | {name.replace("-", "_") for name in names}


def _owners(module: str, owners: Mapping[str, list[str]]) -> tuple[str, ...]:
    """The packages that each hold the module's ``__init__.py``; a namespace that several fill is no conflict."""
    found = {canonicalize_name(name) for name in owners.get(module, ())}
    return tuple(sorted(name for name in found if len(found) > 1 and _holds(name, f"{module}/__init__.py")))


def _holds(name: str, file: str) -> bool:
    try:
        return any(str(one) == file for one in distribution(name).files or ())
    except PackageNotFoundError:
        return False


def _finding(module: str, both: tuple[str, ...]) -> Finding:
    remedy = f"pip uninstall -y {shlex.join(both)}  then install the one you want: pip install {shlex.quote(both[-1])}"
    return Finding(f"import {module}", Severity.WARN, " and ".join(both), WHY, remedy)
