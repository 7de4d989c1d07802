"""The cases of a run, one at a time on each host: those here first, and alone, then the hosts side by side.

What is measured here shares the cores with nothing of ours, not even with listening to a board.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from dataclasses import replace

from bench.budget import Budget
from bench.measure import Conditions, measure_case
from bench.plan import Case
from bench.progress import Progress
from bench.results import CaseResult

Numbered = tuple[int, Case]
"""A case, and its place in the plan."""


def measure_all(cases: Sequence[Case], conditions: Conditions, time_budget_ns: int | None) -> None:
    """Measure every case. What one of them raises, Ctrl-C too, ends them all.

    Where the hosts are fewer than two, everything goes in the plan's order.
    """
    groups: dict[str | None, list[Numbered]] = {}
    for numbered in enumerate(cases):
        groups.setdefault(numbered[1].target.host, []).append(numbered)
    here = groups.pop(None, [])
    if len(groups) < 2:
        whole = replace(conditions, budget=Budget(time_budget_ns, _processes(cases)))
        _one_by_one(list(enumerate(cases)), len(cases), whole)
        return
    longest = max(_processes([case for _, case in group]) for group in groups.values())
    budget = Budget(time_budget_ns, _processes([case for _, case in here]) + longest)
    _one_by_one(here, len(cases), replace(conditions, budget=budget))
    _side_by_side(groups, len(cases), replace(conditions, budget=budget))


def _processes(cases: Sequence[Case]) -> int:
    return sum(case.scenario.expected_processes for case in cases)


def _one_by_one(cases: Sequence[Numbered], count: int, conditions: Conditions) -> None:
    for index, case in cases:
        scenario = case.scenario
        least = scenario.expected_processes if scenario.adaptive else None
        conditions.progress.case_started(case.id, index, count, scenario.processes, scenario.process_ns, least)
        conditions.progress.case_done(measure_case(case, conditions))


def _side_by_side(groups: Mapping[str | None, Sequence[Numbered]], count: int, conditions: Conditions) -> None:
    """A thread a host; each has what is left of the time for its own cases."""
    floor, left_ns = _Floor(), conditions.budget.left_ns()
    with ThreadPoolExecutor(len(groups)) as threads:
        running: list[Future[None]] = []
        for group in groups.values():
            own = replace(
                conditions,
                progress=_InTurn(conditions.progress, floor),
                budget=Budget(left_ns, _processes([case for _, case in group])),
            )
            running.append(threads.submit(_one_by_one, group, count, own))
        try:
            done, _ = wait(running, return_when=FIRST_EXCEPTION)
            for one in done:
                one.result()
        except BaseException:
            conditions.cancel.set()
            conditions.launchers.abort()
            raise


class _Floor:
    """Who may show what it is doing on the one display: whoever last entered a phase."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.holder: _InTurn | None = None


class _InTurn:
    """A host's progress, on a display that shows one case at a time: never two at once, each under its own name."""

    def __init__(self, progress: Progress, floor: _Floor) -> None:
        self._progress, self._floor = progress, floor
        self._begin: Callable[[], None] = lambda: None

    def _take(self) -> None:
        if self._floor.holder is not self:
            self._floor.holder = self
            self._begin()

    def run_started(self, run_id: str, cases: Sequence[str]) -> None:
        """Said before the hosts begin."""

    def run_done(self) -> None:
        """Said once all hosts are done."""

    def case_started(
        self, case_id: str, index: int, count: int, processes: int, budget_ns: int, least: int | None = None
    ) -> None:
        with self._floor.lock:
            self._begin = lambda: self._progress.case_started(case_id, index, count, processes, budget_ns, least)
            self._floor.holder = None
            self._take()

    def phase(self, process_index: int, phase: str) -> None:
        with self._floor.lock:
            self._take()
            self._progress.phase(process_index, phase)

    def measured(self, queries: int, elapsed_ns: int) -> None:
        with self._floor.lock:
            if self._floor.holder is self:
                self._progress.measured(queries, elapsed_ns)

    def case_done(self, result: CaseResult) -> None:
        with self._floor.lock:
            self._take()
            self._progress.case_done(result)

    def note(self, text: str) -> None:
        with self._floor.lock:
            self._progress.note(text)
