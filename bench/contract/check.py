"""What can be told of a contract without measuring: its files, its arrays, its backends. Imports no framework."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from bench.contract import check_arrays, check_artifacts, check_backends
from bench.contract.findings import Findings
from bench.contract.model import Contract, Problem
from bench.contract.problems import ContractProblems


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


def check(contract: Contract, targets: Collection[str] | None = None) -> Checked:
    """Look at everything the contract names, for these targets (all where None); never raises for what is wrong."""
    findings = Findings()
    chosen = [target for target in contract.targets if targets is None or target.name in targets]
    check_artifacts.check(contract, findings)
    check_arrays.check(contract, chosen, findings)
    check_backends.check(contract, chosen, findings)
    notices = (*contract.notices, *findings.notices)
    return Checked(findings.problems.sorted(), notices, findings.missing.sorted())
