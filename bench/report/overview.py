"""The last part of the console report: every requirement on every target, so that one can be chosen."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from bench.report import matrix, values
from bench.report.rows import Row, TargetSummary
from bench.report.text import clean
from bench.results import Outcome

COLOURS = {
    Outcome.MET: "green",
    Outcome.MISSED: "bold red",
    Outcome.UNDECIDED: "yellow",
    Outcome.NOT_MEASURED: "magenta",
}
GAP = 2
WIDEST = 10_000


def _mark(outcome: Outcome | None) -> tuple[str, str]:
    return (values.SYMBOLS[outcome], COLOURS[outcome]) if outcome else ("·", "dim")


def title(one: TargetSummary) -> Text:
    """``✓ ort-1: 6 met``."""
    symbol, colour = _mark(one.outcome)
    return Text.assemble((f"{symbol} ", colour), (clean(one.target), "bold"), ": ", (one.words, colour))


def show(console: Console, every: Sequence[Row], summaries: Sequence[TargetSummary]) -> None:
    """Every requirement on every target, or a line a target where they do not stand side by side."""
    lines = matrix.lines(every, [one.target for one in summaries])
    table = _matrix(lines, summaries)
    if console.measure(table, options=console.options.update(width=WIDEST)).maximum <= console.width:
        console.print(table)
        if any(cell is not None and cell.best for line in lines for cell in line.cells):
            console.print(Text(matrix.LEGEND, "dim"))
    else:
        for one in summaries:
            console.print(title(one))
    console.print()


def _matrix(lines: Sequence[matrix.Line], summaries: Sequence[TargetSummary]) -> Table:
    table = Table(box=None, padding=(0, GAP, 0, 0), show_edge=False, pad_edge=False)
    table.add_column("", no_wrap=True)
    table.add_column(Text("limit", "dim"), no_wrap=True)
    for one in summaries:
        table.add_column(Text(clean(one.target), "bold"), no_wrap=True)
    block: str | None = None
    for line in lines:
        if line.block != block:
            block = line.block
            table.add_row(Text(clean(block) or "artifact", "bold dim"))
        table.add_row(f"  {line.metric}", line.limit, *map(_cell, line.cells))
    answers = [_answer(one) for one in summaries]
    table.add_row(Text("verdict", "bold"), "", *answers)
    return table


def _answer(one: TargetSummary) -> Text:
    symbol, colour = _mark(one.outcome)
    return Text(f"{symbol} {one.outcome.value if one.outcome else 'not asked'}", colour)


def _cell(cell: matrix.Cell | None) -> Text:
    if cell is None:
        return Text()
    text = f"{cell.text}{'*' if cell.best else ''}"
    style = "bold" if cell.best else ""
    return Text.assemble((f"{values.SYMBOLS[cell.outcome]} ", COLOURS[cell.outcome]), (text, style))
