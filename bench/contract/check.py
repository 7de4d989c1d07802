"""What can be told of a contract without measuring: its files, its arrays, its backends. Imports no framework."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from bench.contract import check_arrays, check_artifacts, check_backends, check_code
from bench.contract.findings import Findings
from bench.contract.load import Reading, read
from bench.contract.model import Contract, Problem
from bench.contract.problems import ContractProblems, Problems


@dataclass(frozen=True)
class Checked:
    """What a check found: what is wrong, what is good to know, and what cannot run on this machine."""

    problems: tuple[Problem, ...] = ()
    notices: tuple[str, ...] = ()
    missing: tuple[Problem, ...] = ()

    def refuse(self) -> None:
        """ContractProblems with every problem, if there is one; what is only missing here is none."""
        if self.problems:
            raise ContractProblems(self.problems)


def read_whole(path: Path, targets: Path | None, on: Collection[str] = ()) -> Contract:
    """The contract, once nothing of it is at fault.

    A target of the site's that it does not name is one of it where ``on`` names it. Raises ContractProblems with all
    that is wrong with it, with what its sound parts name, and with its targets ``on`` (all where empty).
    """
    reading = read(path, targets, on)
    if reading.problems:
        check_reading(reading, set(on) or None).refuse()
    return reading.contract


def check_reading(reading: Reading, targets: Collection[str] | None = None) -> Checked:
    """The problems that reading it found, and all that ``check`` finds of what could be read."""
    return check(reading.contract, targets, reading.problems)


def check(contract: Contract, targets: Collection[str] | None = None, known: Problems | None = None) -> Checked:
    """Look at everything the contract names, for these targets (all where None); never raises for what is wrong.

    ``known`` are problems that were found before. Nothing follows from what the contract lacks by its ``faults``.
    """
    findings = Findings()
    findings.problems.extend(known.all() if known is not None else ())
    chosen = [target for target in contract.targets if targets is None or target.name in targets]
    whole = check_artifacts.check(contract, findings)
    check_arrays.check(contract, chosen, findings)
    check_backends.check(contract, chosen, whole, findings)
    check_code.check(contract, chosen, findings)
    notices = (*contract.notices, *findings.notices)
    return Checked(findings.problems.sorted(), notices, findings.missing.sorted())
