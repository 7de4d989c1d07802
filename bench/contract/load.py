"""Contract file -> Contract, or every problem at once."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path

from bench.contract.build import build, site_of
from bench.contract.fault_finding import faults_of, with_rules
from bench.contract.foreign_kinds import check_kinds
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


@dataclass(frozen=True)
class Reading:
    """A contract as far as it could be read: where there are ``problems``, ``contract.faults`` says what it lacks."""

    contract: Contract
    problems: Problems


def read(path: Path, targets: Path | None = None, on: Collection[str] = ()) -> Reading:
    """The contract in the file, without the parts that are at fault: ``check`` looks at the others all the same.

    Of the names ``on``, those that are targets of the site's and not of the contract come after the contract's own,
    and owe what it asks of all targets. Raises ContractProblems for a file that holds no contract at all.
    """
    return read_data(read_file(path), path, targets, on)


def parse(data: bytes, path: Path, targets: Path | None = None) -> Contract:
    """The contract in ``data`` as if it stood in the file ``path``, which need not exist; raises as ``load`` does."""
    reading = read_data(data, path, targets)
    reading.problems.raise_if_any()
    return reading.contract


def read_data(data: bytes, path: Path, targets: Path | None = None, on: Collection[str] = ()) -> Reading:
    """As ``read`` does, of ``data`` as if it stood in the file ``path``."""
    problems = Problems()
    root = compose(data, str(path), problems)
    if not isinstance(root, Pairs):
        problems.add(root.place, "this is no contract: it begins with `benchpact: 1` and says what `model` is")
        problems.raise_if_any()
    found = CONTRACT.read(root, "contract", problems)
    assert found is not None
    site = site_of(path, found, targets, on, problems)
    contract = build(path, found, site, on, problems)
    roots = [root] if site.root is None else [root, site.root]
    faults = faults_of(contract, roots, problems.all())
    contract = replace(contract, faults=faults)
    between = Problems()
    check_rules(contract, between)
    check_kinds(contract, between)
    problems.extend(between.all())
    return Reading(replace(contract, faults=with_rules(faults, root, between.all())), problems)


def load_targets(targets: Path | None = None) -> tuple[Target, ...]:
    """Every target of the site's file, without limits; looked for in the current directory where none is named.

    Raises ContractProblems.
    """
    return site_targets(targets)
