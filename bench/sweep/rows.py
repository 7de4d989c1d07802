"""A stored sweep as rows, one a configuration: what it gave, whether it keeps the contract, whether it is on the front.

Pure functions of the stored run.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from bench.judge.serving import FULL, load, overload, own_overload
from bench.metrics import MEMORY, THROUGHPUT, TIMED
from bench.report import rows as report_rows
from bench.report.rows import TargetSummary
from bench.results import CaseResult, Figure, Outcome, ProcessRun, StoredRun, Verdict
from bench.sweep.axes import Number
from bench.sweep.configurations import Configuration, read
from bench.sweep.pareto import front, stepped

P50, P90, P99 = "latency p50", "latency p90", "latency p99"
PEAK = MEMORY[0].name


@dataclass(frozen=True)
class Row:
    """One configuration. A figure is missing where it was not measured."""

    configuration: Configuration
    verdicts: tuple[Verdict, ...]
    cases: tuple[CaseResult, ...]
    latency_of: str
    """The scenario whose latencies these are; "" where none was measured."""
    throughput_of: str
    figures: Mapping[str, Figure]
    threads: int
    saturated: str
    """Where the rate could not be kept: one sentence; else ""."""
    on_front: bool = False

    @property
    def name(self) -> str:
        """``ort-1 threads=2 batch=4``."""
        return self.configuration.name

    @property
    def rate(self) -> Number:
        """The swept rate; 0 where none was."""
        return self.configuration.values.get("rate", 0)

    @property
    def outcome(self) -> Outcome | None:
        """What the configuration is worth as a whole; None where nothing is required of it."""
        return TargetSummary(self.name, Counter(one.outcome for one in self.verdicts)).outcome

    @property
    def devices(self) -> tuple[str, ...]:
        """What it was measured on; several only where its cases differ."""
        return tuple(dict.fromkeys(case.device for case in self.cases))

    @property
    def notes(self) -> tuple[str, ...]:
        """What its processes noted, each once: what ran on the CPU, whose word a device is."""
        return tuple(dict.fromkeys(note for case in self.cases for one in case.process_runs for note in one.notes))

    def value(self, metric: str) -> float | None:
        """A figure's value; None where it was not measured."""
        figure = self.figures.get(metric)
        return None if figure is None else figure.value


def rows(run: StoredRun) -> tuple[Row, ...]:
    """Every configuration in the sweep's order, those on the front marked."""
    asked = report_rows.rows(run)
    found = []
    for one in read(run.info):
        verdicts = tuple(row.verdict for row in asked if row.target in one.parts)
        found.append(_row(one, verdicts, [case for case in run.cases if case.target in one.parts]))
    latency = front_latency(found)
    able = [row for row in found if any(row.value(metric) is not None for metric in (latency, THROUGHPUT.name))]
    best = front([_costs(row, latency) for row in able])
    marked = {row.name for index, row in enumerate(able) if index in best}
    return tuple(replace(row, on_front=row.name in marked) for row in found)


def front_latency(found: Sequence[Row]) -> str:
    """The latency that configurations are compared by: the p99, where every one that has a median has it too."""
    told = [row for row in found if row.value(P50) is not None]
    return P99 if all(row.value(P99) is not None for row in told) else P50


def _costs(row: Row, latency: str) -> tuple[float, float, float]:
    rate = stepped(row.value(THROUGHPUT.name), more_is_better=True)
    return stepped(row.value(latency)), rate, stepped(row.value(PEAK))


def _row(one: Configuration, verdicts: tuple[Verdict, ...], cases: Sequence[CaseResult]) -> Row:
    by_scenario = {case.scenario: case for case in cases}
    timed = [name for name in TIMED if name in by_scenario]
    latency_of = _first(timed, ["server"] * ("rate" in one.values) + ["offline"] * ("batch" in one.values))
    throughput_of = _first(timed, ["server"] * ("rate" in one.values) + ["offline"])
    figures = _figures(by_scenario.get(latency_of), (P50, P90, P99))
    figures.update(_figures(by_scenario.get(throughput_of), (THROUGHPUT.name,)))
    figures.update(_most_memory(cases))
    threads = next((case.settings.get("threads") for case in cases), 0)
    server = by_scenario.get("server")
    return Row(
        one,
        verdicts,
        tuple(cases),
        latency_of,
        throughput_of,
        figures,
        threads if isinstance(threads, int) else 0,
        _saturation(server.process_runs) if server else "",
    )


def _saturation(runs: Sequence[ProcessRun]) -> str:
    """Why the rate could not be kept: the queue grew, or it was bounded and dropped what was too much."""
    dropped = sum(run.serving.crew.dropped for run in runs if run.serving is not None and (load(run) or 0.0) >= FULL)
    return (
        overload(runs)
        or own_overload(runs)
        or (f"{dropped:,} queries came to a full queue and were dropped" if dropped else "")
    )


def _first(there: Sequence[str], wanted: Sequence[str]) -> str:
    """The first wanted scenario that is there, else the first there is: what a caller feels comes before capacity."""
    return next((name for name in [*wanted, *there] if name in there), "")


def _figures(case: CaseResult | None, metrics: Sequence[str]) -> dict[str, Figure]:
    """Those of the case that were measured; an offline query is a whole batch."""
    own = () if case is None else case.figures
    return {one.metric: one for one in own if one.metric in metrics and one.value is not None}


def _most_memory(cases: Sequence[CaseResult]) -> dict[str, Figure]:
    """The most that any of the configuration's cases held: the machine must have it."""
    held = [one for case in cases for one in case.figures if one.metric == PEAK and one.value is not None]
    return {PEAK: max(held, key=lambda one: one.value or 0.0)} if held else {}
