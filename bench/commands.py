"""What each command of the command line does; imported by it when it is called."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bench.errors import ContractError, ResultFileError

if TYPE_CHECKING:
    from bench.contract.model import Target
    from bench.report.console import Timings
    from bench.results import StoredRun

STDOUT = Path("-")
RESULTS = Path("results")
"""The folder that runs are kept in where no other is asked for."""


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
    from bench.run import RunOptions, execute

    if quiet and verbose:
        raise ContractError("-q and -v: choose one of them")
    for path in files.values():
        _writable(path)
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
    except KeyboardInterrupt:
        return _interrupted(contract, results, resume)
    _show(stored, results, files, verbose=verbose, quiet=quiet)
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


def _interrupted(contract: Path, results: Path, resume: str | None) -> int:
    """What is stored already, and the command that goes on with it."""
    from bench.errors import INTERRUPTED
    from bench.report.text import plural
    from bench.store import open_run

    stored = open_run(resume or "latest", results)
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


def _show(stored: StoredRun, results: Path, files: Mapping[str, Path], *, verbose: bool, quiet: bool) -> None:
    from bench.report import FORMATS
    from bench.report.rows import sentence, summary

    for name, path in files.items():
        _write(FORMATS[name](stored), path)
    stream = sys.stderr if STDOUT in files.values() else sys.stdout
    if quiet:
        print(sentence(summary(stored)), file=stream)
    else:
        print(_console(stored, results / stored.info.run, stream.isatty(), verbose), end="", file=stream)


def _console(stored: StoredRun, folder: Path, colour: bool, verbose: bool) -> str:
    from bench.report.console import render

    width = shutil.get_terminal_size((100, 24)).columns if colour else 100
    colour = colour and "NO_COLOR" not in os.environ
    return render(
        stored, width=width, colour=colour, verbose=verbose, timings=_timings(folder), where=str(folder)
    )  # fmt: skip


def _timings(folder: Path) -> Timings:
    """A case's raw latencies, all its processes together, from the run's folder."""
    import numpy as np

    from bench.results import CaseResult
    from bench.store import load_timings

    def timings(case: CaseResult) -> Sequence[int] | None:
        names = [one.timings for one in case.process_runs if one.timings is not None]
        return np.concatenate([load_timings(folder, name) for name in names]) if names else None  # type: ignore[return-value]

    return timings


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
        _writable(output)
        if output.exists() and not force:
            raise ContractError(f"{output}: is there already; say --force to write over it, or -o another name")
    folder = output.parent if output is not None and output != STDOUT else Path.cwd()
    text = propose(model, samples=samples, dims=dims, measure=not no_measure, folder=folder)
    _write(text, output or STDOUT)
    if output is not None and output != STDOUT:
        print(f"wrote {output}: read it, then: benchpact run {output}", file=sys.stderr)
    return 0


def report_run(run: str, results: Path, form: str, output: Path | None, verbose: bool) -> int:
    """``benchpact report``: a stored run in any format; 0 whatever its verdicts are."""
    from bench.report import FORMATS
    from bench.store import find, open_run

    if output is not None:
        _writable(output)
    stored, folder = open_run(run, results), find(run, results)
    if form == "console":
        colour = output is None and sys.stdout.isatty()
        text = _console(stored, folder, colour, verbose)
    else:
        text = FORMATS[form](stored)
    _write(text, output or STDOUT)
    return 0


def show_doctor(json_file: Path | None) -> int:
    """``benchpact doctor``: 0 where at least one real backend works, else 3."""
    from bench import doctor

    if json_file is not None:
        _writable(json_file)
    diagnosis = doctor.examine()
    if json_file is not None:
        _write(doctor.as_json(diagnosis), json_file)
    if json_file != STDOUT:
        colour = sys.stdout.isatty() and "NO_COLOR" not in os.environ
        width = shutil.get_terminal_size((100, 24)).columns
        print(doctor.render(diagnosis, colour=colour, width=width), end="")
    return doctor.exit_code(diagnosis)


def list_targets(contract: Path | None, targets: Path | None) -> int:
    """``benchpact targets``: name, backend, device, threads, precision of each."""
    found = _targets(contract, targets)
    rows = [(one.name, one.backend, one.device, str(one.threads), one.precision) for one in found]
    _table(("target", "backend", "device", "threads", "precision"), rows)
    return 0


def _targets(contract: Path | None, targets: Path | None) -> tuple[Target, ...]:
    from bench.contract.load import load, load_targets

    return load(contract, targets).targets if contract is not None else load_targets(targets)


def target_names(contract: Path | None, targets: Path | None) -> list[str]:
    """For shell completion: names only, and none where the files cannot be read."""
    from bench.errors import BenchError

    try:
        return [one.name for one in _targets(Path(contract) if contract else None, targets)]
    except BenchError:
        return []


def list_backends() -> int:
    """``benchpact backends``: name, whether it works here, versions and devices, or why not and what to do."""
    from bench.doctor import probe_all

    rows = []
    for name, found in probe_all().items():
        versions = ", ".join(f"{package} {version}" for package, version in found.versions.items())
        told = ", ".join(found.devices) if found.usable else ". ".join(filter(None, (found.reason, found.remedy)))
        rows.append((name, "works" if found.usable else "does not work", versions or "-", told))
    _table(("backend", "here", "versions", "devices, or why not"), rows)
    return 0


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    from rich.console import Console
    from rich.table import Table as RichTable
    from rich.text import Text

    from bench.report.text import clean

    console = Console(width=shutil.get_terminal_size((100, 24)).columns, no_color="NO_COLOR" in os.environ)
    table = RichTable(box=None, padding=(0, 2, 0, 0), header_style="bold", show_edge=False)
    for name in head[:-1]:
        table.add_column(name, overflow="fold")
    table.add_column(head[-1], overflow="fold", ratio=1)
    for row in rows:
        table.add_row(*(Text(clean(cell)) for cell in row))
    console.print(table)


def _writable(path: Path) -> None:
    """Refuse, before anything is measured, a file that could not be written afterwards."""
    if path != STDOUT and (path.is_dir() or not path.parent.is_dir()):
        raise ContractError(f"{path}: cannot be written: its folder {path.parent} does not exist or it is a folder")


def _write(text: str, path: Path) -> None:
    if path == STDOUT:
        print(text, end="")
        return
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ResultFileError(
            f"{path}: cannot be written: {error.strerror}; the results are stored all the same"
        ) from error
