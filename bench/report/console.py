"""A stored run as a table for a terminal: what was asked, what was found, why, and what stands behind it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from io import StringIO
from pathlib import Path

from rich.cells import cell_len
from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from bench.report import disturbance, evidence, histogram, overview, sparkline, values
from bench.report.overview import COLOURS, GAP
from bench.report.rows import Row, TargetSummary, rows, sentence, summary
from bench.report.text import clean, plural, shortened
from bench.results import UNREACHED, CaseResult, Outcome, StoredRun

MIN_WIDTH = 60
SPREAD = "spread"
HEADS = ("", "requirement", "limit", "measured [interval]", SPREAD, "verdict")
STYLED = ("", "verdict")
NARROWEST = {"requirement": 14, "measured [interval]": 12, "limit": 8}
"""The columns that may be narrowed, in that order, and how far."""
INTERVAL_LEGEND = "[ ]: the interval that the verdict comes from"
OF_CALLS = "; of percentiles promised of calls 95 % of all timings, beside the bets that decide"
SPREAD_LEGEND = "spread: highest less lowest process, in percent of their median"
Timings = Callable[[CaseResult], Sequence[int] | None]
"""A case's raw latencies in ns, where the caller has them."""


def render(
    run: StoredRun,
    *,
    width: int = 100,
    colour: bool = False,
    verbose: bool = False,
    timings: Timings | None = None,
    where: str | None = None,
) -> str:
    """The report as text of at most ``width`` columns (60 or more); escapes are in it only if ``colour`` is set.

    ``where`` is the folder the results lie in, named in the last lines. ``verbose`` adds every fact, the
    value of each process and, where ``timings`` gives the latencies, their histogram. Commands to copy
    stand on one line, however long.
    """
    out = StringIO()
    console = Console(
        file=out, width=max(width, MIN_WIDTH), force_terminal=colour, no_color=not colour, legacy_windows=False,
        color_system="standard" if colour else None, markup=False, emoji=False, highlight=False,
    )  # fmt: skip
    every, summaries = rows(run), summary(run)
    _head(console, run)
    for one in summaries:
        own = [row for row in every if row.target == one.target]
        cases = [case for case in run.cases if case.target == one.target]
        console.print()
        console.print(overview.title(one))
        ran = evidence.ran(cases, everything=verbose)
        if ran:
            console.print(Padding(Text(ran, "dim"), (0, 0, 0, 2)))
        if own:
            console.print(_table(own, every, console.width))
        _reasons(console, own)
        for case in cases:
            _behind(console, case, cases, verbose, timings)
    _foot(console, run, every, summaries, where)
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines()) + "\n"


def _head(console: Console, run: StoredRun) -> None:
    info = run.info
    console.print(Text(clean(f"{info.model} {info.model_version}"), "bold"), Text(clean(f"· {info.contract_path}")))
    machine = next((p.machine for case in run.cases for p in case.process_runs if p.machine), {})
    words = [machine.get("cpu_model"), f"{machine['cores']} cores" if machine.get("cores") else None, info.started]
    console.print(Text(" · ".join(clean(word) for word in words if word), "dim"))
    for notice in info.notices:
        _line(console, "! ", Text(clean(notice)), "yellow")


def _legend(console: Console, run: StoredRun, every: Sequence[Row]) -> None:
    """What the tables' signs mean: only those that are there."""
    cells, wide = [_cells(row) for row in every], console.width
    of_calls = any(case.settings.get(word) for case in run.cases for word in ("pooled", "counts_calls"))
    told = (
        [INTERVAL_LEGEND + (OF_CALLS if of_calls else "")]
        if any("[" in cell[HEADS.index("measured [interval]")] for cell in cells)
        else []
    )
    if any("%" in cell[HEADS.index(SPREAD)] for cell in cells) and SPREAD in _widths(cells, wide):
        told.append(SPREAD_LEGEND)
    for line in told:
        console.print(Text(line, "dim"))


def _table(own: Sequence[Row], every: Sequence[Row], width: int) -> Table:
    """One target's requirements, in columns that are as wide in all targets' tables."""
    heads = [("", clean(row.verdict.block), "", "", "", "") for row in every]
    widths = _widths([*(_cells(row) for row in every), *heads], width)
    table = Table(box=None, padding=(0, GAP, 0, 0), header_style="dim", show_edge=False, pad_edge=False)
    for head, wide in widths.items():
        table.add_column(_broken(head, wide), width=wide, overflow="fold")
    block: str | None = None
    for row in own:
        if row.verdict.block != block:
            block = row.verdict.block
            table.add_row("", Text(clean(block) or "artifact", "bold dim"))
        cells, style = dict(zip(HEADS, _cells(row), strict=True)), COLOURS[row.verdict.outcome]
        table.add_row(
            *(Text(_broken(cells[head], wide), style if head in STYLED else "") for head, wide in widths.items())
        )
    return table


def _widths(cells: Sequence[Sequence[str]], width: int) -> dict[str, int]:
    """Each column's width: where there is little room the spread goes first, then the two widest are narrowed."""
    widths = {head: max(len(head), *(cell_len(one[at]) for one in cells)) for at, head in enumerate(HEADS)}
    over = sum(widths.values()) + GAP * (len(widths) - 1) - width
    if over > 0:
        over -= widths.pop(SPREAD) + GAP
    for head, least in NARROWEST.items():
        taken = max(0, min(over, widths[head] - least))
        widths[head] -= taken
        over -= taken
    return widths


def _broken(cell: str, width: int) -> str:
    """A cell too long for its column, broken where it reads well: before an interval, after a module's name."""
    return cell.replace(" [", "\n[").replace(":", ":\n") if cell_len(cell) > width else cell


def _cells(row: Row) -> tuple[str, str, str, str, str, str]:
    verdict = row.verdict
    return (
        f"  {values.SYMBOLS[verdict.outcome]}",
        values.name(verdict),
        values.limit(verdict),
        values.measured(verdict.figure),
        values.spread(verdict.figure),
        values.outcome(verdict),
    )


def _reasons(console: Console, own: Sequence[Row]) -> None:
    """Why each requirement that is not met is not; those with one reason stand together."""
    by_reason: dict[tuple[Outcome, str], list[str]] = {}
    for row in own:
        if row.verdict.outcome is not Outcome.MET:
            reason = clean(row.verdict.reason or row.verdict.figure.why_not) or row.verdict.outcome.value
            by_reason.setdefault((row.verdict.outcome, reason), []).append(values.name(row.verdict))
    for (outcome, reason), names in by_reason.items():
        _line(console, f"  {values.SYMBOLS[outcome]} ", Text(f"{', '.join(names)}: {reason}"), COLOURS[outcome])


def _behind(
    console: Console, case: CaseResult, cases: Sequence[CaseResult], verbose: bool, timings: Timings | None
) -> None:
    how = f"{clean(case.scenario)}: {evidence.how(case)}"
    others = evidence.ran_otherwise(case, cases, everything=verbose)
    _line(console, "  · ", Text(f"{how}\n{others}" if others else how, "dim"), "dim")
    rules = evidence.preset(case) if verbose else ""
    if rules:
        _line(console, "    ", Text(rules, "dim"), "dim")
    for plotted in filter(None, map(sparkline.memory, case.process_runs)):
        _line(console, "    ", Text(f"memory {plotted}"), "dim")
    tried = evidence.batches_tried(case) if verbose else ""
    if tried:
        _line(console, "    ", Text(f"batch sizes tried: {tried}", "dim"), "dim")
    for figure in case.figures if verbose else ():
        if len(figure.processes) > 1:
            each = f"{clean(figure.metric)} by process: {values.per_process(figure)}"
            _line(console, "    ", Text(each, "dim"), "dim")
    beside = disturbance.undisturbed(case) if verbose else [disturbance.beside(case)]
    for line in filter(None, beside):
        _line(console, "    ", Text(line, "dim"), "dim")
    latencies = timings(case) if verbose and timings else None
    if latencies is not None and len(latencies):
        _line(console, "    ", Text(histogram.line(latencies, console.width - 34)), "dim")
    for warning in evidence.warnings(case, everything=verbose):
        text = "".join([warning.text, *(f"\n│ {shortened(line, 200)}" for line in warning.lines)])
        _line(console, "  ! ", Text(text), "yellow")


def _foot(
    console: Console, run: StoredRun, every: Sequence[Row], summaries: Sequence[TargetSummary], where: str | None
) -> None:
    console.print()
    if len(summaries) > 1:
        overview.show(console, every, summaries)
    console.print(Text(sentence(run), "bold"))
    if run.missing:
        missing = f"{plural(len(run.missing), 'case')} not measured: {', '.join(map(clean, run.missing))}"
        _line(console, "! ", Text(missing), "yellow")
    _legend(console, run, every)
    console.print(Text(_next(run, where), "dim"), soft_wrap=True)


def _next(run: StoredRun, where: str | None) -> str:
    """Where the results lie and the command that comes next; on one line, so that it can be copied."""
    place = f"results: {clean(where)}\n" if where else ""
    by_id = where is None or Path(where).parent == Path("results")  # else only the path finds it
    name = clean(run.info.run if by_id else where)
    command = "sweep" if "sweep" in run.info.options else "run"
    if run.missing:
        return f"{place}measure the rest: benchpact {command} {clean(run.info.contract_path)} --resume {name}"
    if _lost_a_host(run) and "smoke" not in run.info.options:
        again = f"benchpact {command} {clean(run.info.contract_path)} --resume {name}"
        return f"{place}measure what no host answered for, once it does: {again}"
    return f"{place}show it again: benchpact report {name}"


def _lost_a_host(run: StoredRun) -> bool:
    failures = [one.failure for case in run.cases for one in case.process_runs]
    return any(failure is not None and failure.error in UNREACHED for failure in failures)


def _line(console: Console, mark: str, text: Text, style: str) -> None:
    """A marked line; where it wraps, it goes on under its own text and not under the mark."""
    grid = Table.grid()
    grid.add_column(width=len(mark))
    grid.add_column(overflow="fold")
    body: RenderableType = text
    grid.add_row(Text(mark, style), body)
    console.print(grid)
