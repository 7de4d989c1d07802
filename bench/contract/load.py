"""Contract file -> Contract, or every problem at once."""

from __future__ import annotations

from pathlib import Path

from bench.contract.build import build
from bench.contract.grammar import CONTRACT
from bench.contract.model import Contract, Target
from bench.contract.nodes import Pairs, compose, read_file
from bench.contract.problems import Problems
from bench.contract.rules import check_rules
from bench.contract.targets import site_targets


def load(path: Path, targets: Path | None = None) -> Contract:
    """The contract in the file, checked as far as its text goes; ``check`` looks at the files it names.

    A target that the contract does not describe is looked up in the file ``targets``; where none is
    named, in ``configs/targets.yaml`` or ``targets.yaml`` beside the contract, else in
    ``configs/targets.yaml`` of the current directory. Raises ContractProblems, one line a problem,
    whatever the file holds.
    """
    path = Path(path)
    return parse(read_file(path), path, targets)


def parse(data: bytes, path: Path, targets: Path | None = None) -> Contract:
    """The contract in ``data`` as if it stood in the file ``path``, which need not exist; raises as ``load`` does."""
    root = compose(data, str(path))
    problems = Problems()
    if not isinstance(root, Pairs):
        problems.add(root.place, "this is no contract: it begins with `benchpact: 1` and says what `model` is")
        problems.raise_if_any()
    found = CONTRACT.read(root, "contract", problems)
    assert found is not None
    contract = build(path, found, targets, problems)
    check_rules(contract, problems)
    problems.raise_if_any()
    return contract


def load_targets(targets: Path | None = None) -> tuple[Target, ...]:
    """Every target of the site's file, without limits; looked for in the current directory where none is named.

    Raises ContractProblems.
    """
    return site_targets(targets)
