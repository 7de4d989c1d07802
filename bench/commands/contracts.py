"""``benchpact check`` and ``benchpact init``."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from bench.commands.output import STDOUT, refuse_losing, refuse_unwritable, write
from bench.errors import ContractError


def check_contract(contract: Path, targets: Path | None) -> int:
    """``benchpact check``: every problem at once, then what a reader should know; 0, 2 or 3."""
    from bench.contract.check import check_reading
    from bench.contract.load import read
    from bench.report.text import clean, plural

    reading = read(contract, targets)
    loaded, checked = reading.contract, check_reading(reading)
    checked.refuse()
    for notice in checked.notices:
        print(f"note: {clean(notice)}")
    for problem in checked.missing:
        print(f"cannot run here: {clean(problem)}")
    count = sum(len(target.limits.requirements) for target in loaded.targets)
    print(
        f"{clean(contract)}: {plural(count, 'requirement')} on {plural(len(loaded.targets), 'target')}, nothing wrong"
    )
    return 3 if checked.missing else 0


def init_contract(
    model: Path, samples: Path | None, output: Path | None, dims: Sequence[str], no_measure: bool, force: bool
) -> int:
    """``benchpact init``: write a contract proposed from a model."""
    from bench.propose import propose
    from bench.propose.text import TO_DO
    from bench.report.text import clean, plural

    if output is not None:
        refuse_unwritable(output)
        refuse_losing([output], [model, *([samples] if samples else [])], "a file that the contract is made from")
        if output.exists() and not force:
            raise ContractError(f"{output}: is there already; say --force to write over it, or -o another name")
    folder = output.parent if output is not None and output != STDOUT else Path.cwd()
    name = output.name if output is not None and output != STDOUT else "contract.yaml"
    remarks: list[str] = []
    text = propose(
        model, samples=samples, dims=dims, measure=not no_measure, folder=folder, name=name, tell=remarks.append
    )
    write(text, output or STDOUT)
    for remark in remarks:
        print(f"to do: {clean(remark)}", file=sys.stderr)
    if output is not None and output != STDOUT:
        left = f", with {plural(count, 'TO DO')} in it" if (count := text.count(TO_DO)) else ""
        print(f"wrote {output}{left}: read it, then: benchpact run {output}", file=sys.stderr)
    return 0
