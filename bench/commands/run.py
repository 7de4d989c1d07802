"""``benchpact run``."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from bench.commands.output import RESULTS, refuse_losing, refuse_unwritable
from bench.commands.report import show
from bench.errors import INTERRUPTED, ContractError

if TYPE_CHECKING:
    from bench.contract.model import Contract
    from bench.plan import Plan
    from bench.results import Json, StoredRun

READ = "a file that the contract names, or the contract itself"


@dataclass(frozen=True)
class Asked:
    """What ``run`` and ``sweep`` are both asked, as it stands on the command line; ``files`` is of forms to write."""

    contract: Path
    targets: Path | None
    on: Sequence[str]
    only: Sequence[str]
    results: Path
    resume: str | None
    time_budget: str | None
    timeout: str | None
    allow_code: bool
    verbose: bool
    quiet: bool
    files: Mapping[str, Path]

    def refuse(self) -> None:
        """ContractError for what is wrong of itself, before any file is read or a result opened."""
        if self.quiet and self.verbose:
            raise ContractError("-q and -v: choose one of them")
        refuse_unwritable(*self.files.values())
        refuse_losing(self.files.values(), [self.contract, *([self.targets] if self.targets else [])], READ)
        duration_ns("--time-budget", self.time_budget)
        if duration_ns("--timeout", self.timeout) == 0:
            raise ContractError(f"--timeout {self.timeout}: no process would end in time; leave it out, or say 30s")


@dataclass(frozen=True)
class Chosen:
    """What is measured of a contract: the cases, the names of their targets, and what is stored beside them."""

    plan: Plan
    targets: set[str]
    notices: Sequence[str] = ()
    without_disturbed: bool = False
    sweep: Json = None


def run_contract(asked: Asked, without_disturbed: bool) -> int:
    """``benchpact run``: check, measure, judge, render; the exit code."""
    from bench.judge.verdict import exit_code
    from bench.plan import left_out, plan
    from bench.plan import without_disturbed as cut
    from bench.report.rows import verdicts

    asked.refuse()
    if asked.resume is not None and not (asked.on or asked.only or asked.targets):
        asked, cut_before = as_before(asked, asked.resume)
        without_disturbed = without_disturbed or cut_before

    def choose(contract: Contract) -> Chosen:
        whole = plan(contract, asked.on, asked.only)
        chosen = cut(whole) if without_disturbed else whole
        targets = {case.target.name for case in chosen.cases}
        return Chosen(chosen, targets, left_out(contract, chosen, asked.only), without_disturbed=without_disturbed)

    def finish(stored: StoredRun) -> int:
        show(stored, asked.results, asked.files, verbose=asked.verbose, quiet=asked.quiet)
        return exit_code(verdicts(stored))

    return go_through("run", asked, choose, finish)


def go_through(
    command: str, asked: Asked, choose: Callable[[Contract], Chosen], finish: Callable[[StoredRun], int]
) -> int:
    """Read, check, measure; then ``finish`` shows what is stored and says the exit code. On Ctrl-C: how to go on."""
    from bench import progress
    from bench.commands.inputs import files_of
    from bench.contract.check import check, read_whole
    from bench.run import Interrupted, RunOptions, execute

    loaded = read_whole(asked.contract, asked.targets, asked.on)
    if asked.files:
        refuse_losing(asked.files.values(), files_of(loaded, asked.targets), READ)
    chosen = choose(loaded)
    checked = check(loaded, chosen.targets)
    checked.refuse()
    options = RunOptions(
        results=asked.results,
        targets=asked.targets,
        on=tuple(asked.on),
        only=tuple(asked.only),
        time_budget_ns=duration_ns("--time-budget", asked.time_budget),
        timeout_ns=duration_ns("--timeout", asked.timeout),
        allow_code=asked.allow_code,
        resume=asked.resume,
        without_disturbed=chosen.without_disturbed,
        sweep=chosen.sweep,
    )
    display = progress.choose(sys.stderr, quiet=asked.quiet, verbose=asked.verbose)
    try:
        stored = execute(loaded, chosen.plan, options, display, [*checked.notices, *chosen.notices])
    except Interrupted as interrupted:
        return say_interrupted(command, asked.contract, asked.results, interrupted.run)
    return finish(stored)


def duration_ns(option: str, text: str | None) -> int | None:
    """An option that is a time, in ns; ContractError names the option."""
    from bench.units import parse

    try:
        return None if text is None else int(parse(text, "ns"))
    except ValueError as error:
        raise ContractError(f"{option} {text}: {error}") from error


def as_before(asked: Asked, resume: str) -> tuple[Asked, bool]:
    """What the run that is to be resumed was asked, and whether without disturbed blocks.

    Nobody should have to say --on, --only and --targets again. Those of another contract are none of this one's.
    """
    from bench.contract.nodes import read_file
    from bench.store import open_run

    info = open_run(resume, asked.results).info
    if info.contract_sha256 != hashlib.sha256(read_file(asked.contract)).hexdigest():
        return asked, False
    options = info.options
    on, only, targets = options.get("on"), options.get("only"), options.get("targets")
    before = replace(
        asked,
        on=[str(name) for name in on] if isinstance(on, list) else [],
        only=[str(word) for word in only] if isinstance(only, list) else [],
        targets=Path(str(targets)) if targets else None,
    )
    return before, options.get("without_disturbed") is True


def say_interrupted(command: str, contract: Path, results: Path, run: str) -> int:
    """What is stored already, and the command that goes on with it."""
    from bench.report.text import plural
    from bench.store import open_run

    stored = open_run(run, results)
    done, whole = len(stored.cases), len(stored.info.cases)
    print(
        f"\nbenchpact: interrupted: {done} of {plural(whole, 'case')} stored in {results / stored.info.run}\n"
        f"go on with the rest: benchpact {command} {contract} --resume {_shortest(stored.info.run, results)}",
        file=sys.stderr,
    )
    if done == whole:  # a soak is stored as far as it came
        print(f"see what was measured: benchpact report {_shortest(stored.info.run, results)}", file=sys.stderr)
    return INTERRUPTED


def _shortest(run: str, results: Path) -> str:
    """What names the run on a command line: its id where it lies in the default folder, else its path."""
    return run if results == RESULTS else str(results / run)
