"""A stored sweep as text for a terminal: the table, the load curves, and the sentence that it was made for."""

from __future__ import annotations

from collections.abc import Sequence
from io import StringIO

from rich.console import Console
from rich.table import Table
from rich.text import Text

from bench.metrics import THROUGHPUT
from bench.report import curve as chart
from bench.report import values
from bench.report.overview import COLOURS, GAP
from bench.report.rows import is_narrowed
from bench.report.text import clean, plural, shortened
from bench.results import Outcome, StoredRun
from bench.sweep.axes import KINDS, shown
from bench.sweep.cheapest import WHOLE_REASON, cheapest, sentence
from bench.sweep.load import Curve, curves, saturation
from bench.sweep.rows import P50, P99, PEAK, Row, front_latency, rows

FRONT = "◆"
MEASURED = ((P50, "p50"), (P99, "p99"), (THROUGHPUT.name, "throughput"), (PEAK, "peak memory"))
OPEN = (Outcome.UNDECIDED, Outcome.NOT_MEASURED)
REASONS = 6
"""So many different reasons are told; with -v all are, beside each requirement."""


def render(run: StoredRun, *, width: int = 100, colour: bool = False, where: str | None = None) -> str:
    """The sweep as text of at most ``width`` columns; ``where`` is the folder that the results lie in."""
    out, found = StringIO(), rows(run)
    console = Console(
        file=out, width=max(width, 60), force_terminal=colour, no_color=not colour, legacy_windows=False,
        color_system="standard" if colour else None, markup=False, emoji=False, highlight=False,
    )  # fmt: skip
    info = run.info
    count = plural(len(found), "configuration")
    console.print(Text(clean(f"{info.model} {info.model_version}"), "bold"), Text(clean(f"· {info.contract_path}")))
    console.print(Text(f"{count} · {info.started}", "dim"))
    for notice in info.notices:
        console.print(Text(f"! {clean(notice)}", "yellow"))
    console.print()
    console.print(_table(found))
    console.print(Text(_legend(found), "dim"))
    for reason in _reasons(found):
        console.print(reason)
    for note in _notes(found):
        console.print(Text(note, "yellow"))
    for one in curves(found):
        _curve(console, one)
    console.print()
    best = cheapest(found)
    console.print(Text(sentence(found, narrowed=is_narrowed(run)), "bold" if best is None else "bold green"))
    console.print(Text(_next(run, where), "dim"), soft_wrap=True)
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines()) + "\n"


def _table(found: Sequence[Row]) -> Table:
    axes = [name for name in KINDS if any(name in row.configuration.values for row in found)]
    table = Table(box=None, padding=(0, GAP, 0, 0), header_style="dim", show_edge=False, pad_edge=False)
    table.add_column("", no_wrap=True)
    table.add_column("target", overflow="fold")
    for name in axes:
        table.add_column(name, justify="right", no_wrap=True)
    for _, head in MEASURED:
        table.add_column(head, justify="right", no_wrap=True)
    table.add_column("verdict", overflow="fold")
    before: str | None = None
    for row in found:
        own, target = row.configuration.values, row.configuration.target
        name = "" if target == before else clean(target)
        before = target
        table.add_row(
            Text(FRONT if row.on_front else "", "cyan"),
            Text(name, "bold"),
            *(Text(shown(axis, own[axis]) if axis in own else "") for axis in axes),
            *(Text(_value(row, metric)) for metric, _ in MEASURED),
            _verdict(row),
        )
    return table


def _value(row: Row, metric: str) -> str:
    figure = row.figures.get(metric)
    return values.NOTHING if figure is None or figure.value is None else values.shown(figure.value, figure.unit)


def _verdict(row: Row) -> Text:
    if row.outcome is None:
        return Text("not asked", "dim")
    failing = [values.name(one) for one in row.verdicts if one.outcome is row.outcome]
    names = "" if row.outcome is Outcome.MET else ": " + ", ".join(dict.fromkeys(failing))
    return Text(f"{values.SYMBOLS[row.outcome]} {row.outcome.value}{shortened(names, 60)}", COLOURS[row.outcome])


def _legend(found: Sequence[Row]) -> str:
    """What the mark means, and which scenario's numbers stand there."""
    by = {P50: "p50", P99: "p99"}[front_latency(found)]
    latency = sorted({row.latency_of for row in found if row.latency_of})
    rate = sorted({row.throughput_of for row in found if row.throughput_of})
    whole = " (of a whole batch)" if latency == ["offline"] else ""
    told = f"latency: {', '.join(latency)}{whole} · throughput: {', '.join(rate)} · " if latency else ""
    return f"{told}{FRONT} on the Pareto front: none is better in latency {by}, throughput and peak memory at once"


def _reasons(found: Sequence[Row]) -> list[Text]:
    """Why configurations are undecided or not measured, each reason once."""
    by_reason: dict[tuple[Outcome, str], list[tuple[str, str]]] = {}
    for row in found:
        for one in row.verdicts:
            if one.outcome in OPEN:
                key = (one.outcome, clean(one.reason or one.figure.why_not))
                by_reason.setdefault(key, []).append((values.name(one), row.name))
    told = []
    for (outcome, why), places in list(by_reason.items())[:REASONS]:
        metrics, names = (list(dict.fromkeys(words)) for words in zip(*places, strict=True))
        where = shortened(names[0], 60) + (f" and {len(names) - 1} more" if len(names) > 1 else "")
        text = f"{values.SYMBOLS[outcome]} {', '.join(metrics)} on {where}: {shortened(why, WHOLE_REASON)}"
        told.append(Text(text, COLOURS[outcome]))
    more = len(by_reason) - REASONS
    return [*told, Text(f"  and {plural(more, 'more reason')}: -v shows them", "dim")] if more > 0 else told


def _notes(found: Sequence[Row]) -> list[str]:
    """What processes noted, each sentence once, with the configurations that it is about."""
    by_note: dict[str, list[str]] = {}
    for row in found:
        for note in row.notes:
            by_note.setdefault(clean(note), []).append(row.name)
    told = [
        f"! {shortened(names[0], 60)}{f' and {len(names) - 1} more' if len(names) > 1 else ''}: {note}"
        for note, names in list(by_note.items())[:REASONS]
    ]
    more = len(by_note) - REASONS
    return [*told, f"  and {plural(more, 'more note')}: -v shows them"] if more > 0 else told


def _curve(console: Console, one: Curve) -> None:
    bars = [
        chart.Bar(shown("rate", at.rate), (at.p50_ns, at.p90_ns, at.p99_ns), "saturated" if at.saturated else "")
        for at in one.points
    ]
    console.print()
    console.print(Text.assemble((clean(one.name), "bold"), " under load: ", clean(saturation(one))))
    for line in chart.lines(bars, console.width):
        console.print(Text(line), no_wrap=True, overflow="crop")


def _next(run: StoredRun, where: str | None) -> str:
    """Where the results lie, and what is left to measure."""
    place = f"results: {clean(where)}" if where else f"run: {clean(run.info.run)}"
    if not run.missing:
        return place
    missing = plural(len(run.missing), "case")
    again = f"benchpact sweep {clean(run.info.contract_path)} --resume {clean(run.info.run)}"
    return f"{place}\n{missing} not measured: go on with {again}"
