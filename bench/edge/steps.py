"""A smoke test's progress: one clear line a step, as it is done."""

from __future__ import annotations

from typing import TextIO

from bench.device import records
from bench.progress import Quiet, outcome_line
from bench.report.text import clean
from bench.report.values import measured
from bench.results import CaseResult, Figure, ProcessRun
from bench.units import show

TOLD = {
    records.START: "starting a worker there",
    records.LOAD: "loading the model",
    records.WARM_UP: "warming up",
    records.MEASURE: "measuring",
    records.SEARCH: "searching the highest rate",
    records.ACCURACY: "comparing outputs",
}
"""Phases that a line says have begun; the others are over at once."""
FIGURES = ("max abs difference", "label agreement", "latency p50", "throughput", "peak memory")


class Steps(Quiet):
    """Writes to ``stream``; ``names`` are the targets of the cases, by case."""

    def __init__(self, stream: TextIO, names: dict[str, str]) -> None:
        self._stream, self._names, self._name = stream, names, ""

    def say(self, name: str, line: str) -> None:
        """A step of the target ``name``."""
        print(clean(f"{name}: {line}"), file=self._stream, flush=True)

    def case_started(
        self, case_id: str, index: int, count: int, processes: int, budget_ns: int, least: int | None = None
    ) -> None:
        self._name = self._names.get(case_id, case_id)
        self.say(self._name, f"sending what it needs, for {case_id}")

    def phase(self, process_index: int, phase: str) -> None:
        if phase in TOLD:
            self.say(self._name, TOLD[phase])

    def note(self, text: str) -> None:
        self.say(self._name, text)

    def case_done(self, result: CaseResult) -> None:
        for one in result.process_runs[:1]:
            for line in _told(one, {figure.metric: figure for figure in result.figures}):
                self.say(self._name, line)
        self.say(self._name, f"{result.scenario}: {outcome_line(result)}")


def _told(run: ProcessRun, figures: dict[str, Figure]) -> list[str]:
    """What was found, of what there is."""
    phases = {phase.name: phase.duration_ns for phase in run.phases}
    lines = []
    if records.LOAD in phases:
        lines.append(f"loaded in {show(phases[records.LOAD], 'ns')}, {_backend(run)}")
    known = [name for name in FIGURES if name in figures and figures[name].value is not None]
    return [*lines, *(f"{name} {measured(figures[name])}" for name in known)]


def _backend(run: ProcessRun) -> str:
    return ", ".join(f"{name} {version}" for name, version in run.versions.items()) or "versions not told"
