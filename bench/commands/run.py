"""``benchpact run``."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from bench.commands.output import RESULTS, refuse_unwritable
from bench.commands.report import show
from bench.errors import INTERRUPTED, ContractError


def run_contract(
    contract: Path,
    targets: Path | None,
    on: Sequence[str],
    only: Sequence[str],
    results: Path,
    resume: str | None,
    time_budget: str | None,
    timeout: str | None,
    allow_code: bool,
    verbose: bool,
    quiet: bool,
    files: Mapping[str, Path],
) -> int:
    """``benchpact run``: check, measure, judge, render; the exit code."""
    from bench import progress
    from bench.contract.check import check
    from bench.contract.load import load
    from bench.judge.verdict import exit_code
    from bench.plan import plan
    from bench.report.rows import verdicts
    from bench.run import Interrupted, RunOptions, execute

    if quiet and verbose:
        raise ContractError("-q and -v: choose one of them")
    for path in files.values():
        refuse_unwritable(path)
    budget_ns, timeout_ns = _duration_ns("--time-budget", time_budget), _duration_ns("--timeout", timeout)
    if resume is not None and not (on or only or targets):
        on, only, targets = _asked_before(resume, results)
    loaded = load(contract, targets)
    chosen = plan(loaded, on, only)
    checked = check(loaded, {case.target.name for case in chosen.cases})
    checked.refuse()
    options = RunOptions(results, targets, tuple(on), tuple(only), budget_ns, timeout_ns, allow_code, resume)
    display = progress.choose(sys.stderr, quiet=quiet, verbose=verbose)
    try:
        stored = execute(loaded, chosen, options, display, checked.notices)
    except Interrupted as interrupted:
        return _interrupted(contract, results, interrupted.run)
    show(stored, results, files, verbose=verbose, quiet=quiet)
    return exit_code(verdicts(stored))


def _duration_ns(option: str, text: str | None) -> int | None:
    from bench.units import parse

    try:
        return None if text is None else int(parse(text, "ns"))
    except ValueError as error:
        raise ContractError(f"{option} {text}: {error}") from error


def _asked_before(resume: str, results: Path) -> tuple[Sequence[str], Sequence[str], Path | None]:
    """The --on, --only and --targets of the run that is to be resumed: nobody should have to say them again."""
    from bench.store import open_run

    options = open_run(resume, results).info.options
    on, only, targets = options.get("on"), options.get("only"), options.get("targets")
    return (
        [str(name) for name in on] if isinstance(on, list) else [],
        [str(word) for word in only] if isinstance(only, list) else [],
        Path(str(targets)) if targets else None,
    )


def _interrupted(contract: Path, results: Path, run: str) -> int:
    """What is stored already, and the command that goes on with it."""
    from bench.report.text import plural
    from bench.store import open_run

    stored = open_run(run, results)
    done, whole = len(stored.cases), len(stored.info.cases)
    print(
        f"\nbenchpact: interrupted: {done} of {plural(whole, 'case')} stored in {results / stored.info.run}\n"
        f"go on with the rest: benchpact run {contract} --resume {_shortest(stored.info.run, results)}",
        file=sys.stderr,
    )
    return INTERRUPTED


def _shortest(run: str, results: Path) -> str:
    """What names the run on a command line: its id where it lies in the default folder, else its path."""
    return run if results == RESULTS else str(results / run)
