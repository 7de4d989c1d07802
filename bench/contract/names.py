"""What a contract names, as far as it can be read: for shell completion, which helps while it is still written.

Nothing here raises for what a file holds; what is wrong with it, ``load`` says.
"""

from __future__ import annotations

from pathlib import Path

from bench.contract.grammar import CONTRACT, LIMITS, TARGETS
from bench.contract.merge import limits_of, merged
from bench.contract.nodes import compose, read_file
from bench.contract.problems import ContractProblems, Problems
from bench.contract.tables import Found
from bench.contract.targets import read_site


def target_names(contract: Path | None, targets: Path | None) -> list[str]:
    """The contract's targets, described anywhere or not; those of the site where no contract is named."""
    if contract is None:
        return list(read_site(targets, Path(), Problems()).targets)
    found = _read(contract)
    return [entry.name for entry in (found.get(TARGETS) if found else None) or ()]


def requirement_ids(contract: Path, targets: Path | None) -> list[str]:
    """The ids of all that any target of the contract owes, each once."""
    found = _read(contract)
    if found is None:
        return []
    site = read_site(targets, contract.resolve().parent, Problems())
    owed = [found.get(LIMITS) or {}]
    for entry in found.get(TARGETS) or ():
        described = (entry.value, site.targets.get(entry.name))
        owed += [layer.get(LIMITS) or {} for layer in described if layer is not None]
    return [requirement.id for requirement in limits_of(merged(owed), Problems()).requirements]


def _read(contract: Path) -> Found | None:
    try:
        return CONTRACT.read(compose(read_file(contract), str(contract)), "contract", Problems())
    except ContractProblems:
        return None
