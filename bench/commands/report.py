"""``benchpact report``, and what ``benchpact run`` shows at its end: a stored run, rendered."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bench.commands.output import STDOUT, is_coloured, refuse_losing, refuse_unwritable, width, write

if TYPE_CHECKING:
    from bench.report.console import Timings
    from bench.results import StoredRun


def report_run(run: str, results: Path, form: str, output: Path | None, verbose: bool) -> int:
    """``benchpact report``: a stored run in any format; 0 whatever its verdicts are."""
    from bench.report import FORMATS
    from bench.store import find, open_run

    if output is not None:
        refuse_unwritable(output)
    stored, folder = open_run(run, results), find(run, results)
    if output is not None:
        refuse_losing([output], folder.rglob("*"), "a file of the run")
        refuse_losing([output], [Path(stored.info.contract_path)], "the run's contract")
    if form == "console":
        colour = output is None and is_coloured(sys.stdout)
        text = as_table(stored, folder, colour, verbose)
    else:
        text = FORMATS[form](stored)
    write(text, output or STDOUT)
    return 0


def show(stored: StoredRun, results: Path, files: Mapping[str, Path], *, verbose: bool, quiet: bool) -> None:
    """Write the asked files, then the table, or one sentence if ``quiet``; to stderr where a file takes stdout."""
    from bench.report import FORMATS
    from bench.report.rows import sentence

    for name, path in files.items():
        write(FORMATS[name](stored), path)
    stream = sys.stderr if STDOUT in files.values() else sys.stdout
    if quiet:
        print(sentence(stored), file=stream)
    else:
        print(as_table(stored, results / stored.info.run, is_coloured(stream), verbose), end="", file=stream)


def as_table(stored: StoredRun, folder: Path, colour: bool, verbose: bool) -> str:
    """The run for a terminal. Of a sweep, one line a configuration; ``verbose`` puts each one's evidence before it."""
    from bench.report.console import render
    from bench.sweep import configurations, console

    columns, where = width() if sys.stdout.isatty() else 100, str(folder)
    is_sweep = configurations.is_sweep(stored.info)
    whole, text = verbose or not is_sweep, ""
    if whole:
        text = render(stored, width=columns, colour=colour, verbose=verbose, timings=_timings(folder), where=where)
    if is_sweep:
        text += "\n" * whole + console.render(stored, width=columns, colour=colour, where=where)
    return text


def _timings(folder: Path) -> Timings:
    """A case's raw latencies, all its processes together, from the run's folder."""
    import numpy as np

    from bench.results import CaseResult
    from bench.store import load_timings

    def timings(case: CaseResult) -> Sequence[int] | None:
        names = [one.timings for one in case.process_runs if one.timings is not None]
        return np.concatenate([load_timings(folder, name) for name in names]) if names else None  # type: ignore[return-value]

    return timings
