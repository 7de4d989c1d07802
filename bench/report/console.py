"""A stored run as a table for a terminal: what was asked, what was found, why, and what stands behind it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from io import StringIO

from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from bench.report import evidence, histogram, values
from bench.report.rows import Row, TargetSummary, rows, sentence, summary
from bench.report.text import clean, plural, shortened
from bench.results import CaseResult, Outcome, StoredRun

COLOURS = {
    Outcome.MET: "green",
    Outcome.MISSED: "bold red",
    Outcome.UNDECIDED: "yellow",
    Outcome.NOT_MEASURED: "magenta",
}
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
    """The report as text of at most ``width`` columns; escapes are in it only where ``colour`` is set.

    ``where`` is the folder the results lie in, named in the last lines. ``verbose`` adds every fact, the
    value of each process and, where ``timings`` gives the latencies, their histogram.
    """
    out = StringIO()
    console = Console(
        file=out, width=max(width, 60), force_terminal=colour, no_color=not colour, legacy_windows=False,
        color_system="standard" if colour else None, markup=False, emoji=False, highlight=False,
    )  # fmt: skip
    every, summaries = rows(run), summary(run)
    _head(console, run)
    for one in summaries:
        own = [row for row in every if row.target == one.target]
        cases = [case for case in run.cases if case.target == one.target]
        console.print()
        console.print(_title(one, cases))
        console.print(Padding(_table(own, every, verbose), (0, 0, 0, 2)))
        _reasons(console, own)
        for case in cases:
            _behind(console, case, verbose, timings)
    _foot(console, run, summaries, where, verbose)
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines()) + "\n"


def _head(console: Console, run: StoredRun) -> None:
    info = run.info
    console.print(Text(clean(f"{info.model} {info.model_version}"), "bold"), Text(clean(f"· {info.contract_path}")))
    machine = next((p.machine for case in run.cases for p in case.process_runs if p.machine), {})
    words = [machine.get("cpu_model"), f"{machine['cores']} cores" if machine.get("cores") else None, info.started]
    console.print(Text(" · ".join(clean(word) for word in words if word), "dim"))
    for notice in info.notices:
        _line(console, "! ", Text(clean(notice)), "yellow")


def _title(one: TargetSummary, cases: Sequence[CaseResult]) -> Text:
    where = f"  {cases[0].backend} on {cases[0].device}" if cases else ""
    symbol, colour = values.SYMBOLS[one.outcome], COLOURS[one.outcome]
    return Text.assemble((f"{symbol} ", colour), (clean(one.target), "bold"), (clean(where), "dim"))


def _table(own: Sequence[Row], every: Sequence[Row], verbose: bool) -> Table:
    """One target's requirements; the columns are as wide as the widest cell of all targets' tables."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim", show_edge=False)
    cells = [_cells(row) for row in every] or [("", "", "", "", "")]
    heads = ("requirement", "limit", "measured [interval]", "spread", "verdict")
    for index, head in enumerate(heads):
        widest = max(len(head), *(len(one[index]) for one in cells))
        fixed = head in ("spread", "verdict")
        table.add_column(head, min_width=min(widest, 24), max_width=widest, no_wrap=fixed, overflow="fold")
    block: str | None = None
    for row in own:
        if row.verdict.block != block:
            block = row.verdict.block
            table.add_row(Text(clean(block) or "artifact", "bold dim"))
        style = COLOURS[row.verdict.outcome]
        table.add_row(*(Text(cell) for cell in _cells(row)[:-1]), Text(_cells(row)[-1], style))
        if verbose and len(row.verdict.figure.processes) > 1:
            table.add_row("", "", Text(values.per_process(row.verdict.figure), "dim"))
    return table


def _cells(row: Row) -> tuple[str, str, str, str, str]:
    verdict = row.verdict
    answer = f"{values.SYMBOLS[verdict.outcome]} {verdict.outcome.value}"
    figure = verdict.figure
    return f"  {values.name(verdict)}", values.limit(verdict), values.measured(figure), values.spread(figure), answer


def _reasons(console: Console, own: Sequence[Row]) -> None:
    """Why each requirement that is not met is not; those with one reason stand together."""
    by_reason: dict[tuple[Outcome, str], list[str]] = {}
    for row in own:
        if row.verdict.outcome is not Outcome.MET:
            reason = clean(row.verdict.reason or row.verdict.figure.why_not) or row.verdict.outcome.value
            by_reason.setdefault((row.verdict.outcome, reason), []).append(values.name(row.verdict))
    for (outcome, reason), names in by_reason.items():
        _line(console, f"  {values.SYMBOLS[outcome]} ", Text(f"{', '.join(names)}: {reason}"), COLOURS[outcome])


def _behind(console: Console, case: CaseResult, verbose: bool, timings: Timings | None) -> None:
    facts = f"{clean(case.scenario)}: {evidence.how(case)}\n{evidence.ran(case, everything=verbose)}"
    _line(console, "  · ", Text(facts, "dim"), "dim")
    latencies = timings(case) if verbose and timings else None
    if latencies is not None and len(latencies):
        _line(console, "    ", Text(histogram.line(latencies, console.width - 34)), "dim")
    for warning in evidence.warnings(case):
        text = "".join([warning.text, *(f"\n│ {shortened(line, 200)}" for line in warning.lines)])
        _line(console, "  ! ", Text(text), "yellow")


def _foot(
    console: Console, run: StoredRun, summaries: Sequence[TargetSummary], where: str | None, verbose: bool
) -> None:
    console.print()
    for one in summaries if len(summaries) > 1 else ():
        counts = ", ".join(f"{one.counts[outcome]} {outcome.value}" for outcome in Outcome if one.counts[outcome])
        mark = Text(f"{values.SYMBOLS[one.outcome]} ", COLOURS[one.outcome])
        console.print(mark, Text(f"{clean(one.target)}: {counts or 'no requirement'}"), sep="")
    console.print(Text(sentence(summaries), "bold"))
    if run.missing:
        missing = f"{plural(len(run.missing), 'case')} not measured: {', '.join(map(clean, run.missing))}"
        _line(console, "! ", Text(missing), "yellow")
    if verbose:
        legend = "spread: highest less lowest process, in percent of their median; [ ]: confidence interval"
        console.print(Text(legend, "dim"))
    console.print(Text(_next(run, where), "dim"), soft_wrap=True)


def _next(run: StoredRun, where: str | None) -> str:
    """Where the results lie and the command that comes next; on one line, so that it can be copied."""
    place = f"results: {clean(where)}\n" if where else ""
    if run.missing:
        return f"{place}measure the rest: benchpact run {clean(run.info.contract_path)} --resume {clean(run.info.run)}"
    return f"{place}show it again: benchpact report {clean(run.info.run)}"


def _line(console: Console, mark: str, text: Text, style: str) -> None:
    """A marked line; where it wraps, it goes on under its own text and not under the mark."""
    grid = Table.grid()
    grid.add_column(width=len(mark))
    grid.add_column(overflow="fold")
    body: RenderableType = text
    grid.add_row(Text(mark, style), body)
    console.print(grid)
