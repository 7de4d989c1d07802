"""``benchpact check`` and ``benchpact init``."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from bench.commands.output import STDOUT, refuse_unwritable, write
from bench.errors import ContractError


def check_contract(contract: Path, targets: Path | None) -> int:
    """``benchpact check``: every problem at once, then what a reader should know; 0, 2 or 3."""
    from bench.contract.check import check
    from bench.contract.load import load
    from bench.report.text import clean, plural

    loaded = load(contract, targets)
    checked = check(loaded)
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

    if output is not None:
        refuse_unwritable(output)
        if output.exists() and not force:
            raise ContractError(f"{output}: is there already; say --force to write over it, or -o another name")
    folder = output.parent if output is not None and output != STDOUT else Path.cwd()
    text = propose(model, samples=samples, dims=dims, measure=not no_measure, folder=folder)
    write(text, output or STDOUT)
    if output is not None and output != STDOUT:
        print(f"wrote {output}: read it, then: benchpact run {output}", file=sys.stderr)
    return 0
