"""``benchpact sweep``."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bench.commands.output import STDOUT, is_coloured, write
from bench.commands.report import as_table
from bench.commands.run import Asked, Chosen, as_before, go_through
from bench.errors import ContractError

if TYPE_CHECKING:
    from bench.contract.model import Contract
    from bench.results import StoredRun


def sweep_contract(asked: Asked, over: Sequence[str]) -> int:
    """``benchpact sweep``: measure every configuration, show them, name the cheapest that keeps the contract."""
    from bench.sweep.axes import parse
    from bench.sweep.cheapest import exit_code
    from bench.sweep.configurations import written
    from bench.sweep.grid import grid
    from bench.sweep.rows import rows

    asked.refuse()
    if asked.resume is not None:
        over = over or _over_before(asked.resume, asked.results)
        if not (asked.on or asked.only or asked.targets):
            asked, _ = as_before(asked, asked.resume)
    axes = parse(over)

    def choose(contract: Contract) -> Chosen:
        planned = grid(contract, axes, asked.on, asked.only)
        targets = {one.target for one in planned.configurations}
        return Chosen(planned.plan, targets, planned.notices, sweep=written(axes, planned.configurations))

    def finish(stored: StoredRun) -> int:
        _show(stored, asked.results, asked.files, verbose=asked.verbose, quiet=asked.quiet)
        return exit_code(rows(stored))

    return go_through("sweep", asked, choose, finish)


def sorted_out(words: Sequence[str], over: Sequence[str]) -> tuple[Path, tuple[str, ...]]:
    """The contract and all axes: ``--over threads=1,2 batch=1..64`` leaves the second among the arguments."""
    from bench.sweep.axes import is_axis

    others = [word for word in words if not is_axis(word)]
    axes = (*over, *(word for word in words if is_axis(word)))
    if len(others) != 1:
        wrong = f"`{others[1]}` is one too many" if others else "there is none"
        raise ContractError(f"a sweep is of one contract: {wrong}; axes are written like batch=1..64")
    return Path(others[0]), axes


def _over_before(resume: str, results: Path) -> tuple[str, ...]:
    """What the sweep that is to be resumed was over."""
    from bench.store import open_run
    from bench.sweep import configurations

    info = open_run(resume, results).info
    if not configurations.is_sweep(info):
        raise ContractError(f"--resume {resume}: it is no sweep: go on with `benchpact run … --resume {resume}`")
    return configurations.over(info)


def _show(stored: StoredRun, results: Path, files: Mapping[str, Path], *, verbose: bool, quiet: bool) -> None:
    """Write the asked files, then the table, or one sentence if ``quiet``; to stderr where a file takes stdout."""
    from bench.report.rows import is_narrowed
    from bench.sweep.cheapest import sentence
    from bench.sweep.document import as_csv, as_json
    from bench.sweep.rows import rows

    forms = {"json": as_json, "csv": as_csv}
    for name, path in files.items():
        write(forms[name](stored), path)
    stream = sys.stderr if STDOUT in files.values() else sys.stdout
    if quiet:
        print(sentence(rows(stored), narrowed=is_narrowed(stored)), file=stream)
    else:
        print(as_table(stored, results / stored.info.run, is_coloured(stream), verbose), end="", file=stream)
