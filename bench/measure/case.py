"""One case measured: its fresh processes one after the other, each heard out, saved and counted."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.device.records import CALLS_PER_TIMING
from bench.judge.ballot import Ballot
from bench.judge.case import judge_case
from bench.judge.readings import Timings
from bench.judge.reservations import BUDGET_SPENT
from bench.judge.user_metric import TIMEOUT_S
from bench.measure.conditions import Conditions
from bench.measure.process import process_run
from bench.measure.record import failure_of, notes_of, settings_of
from bench.plan import Case
from bench.results import REFUSALS, UNREACHED, CaseResult, ProcessRun
from bench.store import RunStore, load_timings

HOPELESS = (*REFUSALS, "WorkerTimeout")
"""Failures that the next process of the same case would only repeat."""
AWAY = (*UNREACHED, "LaunchError")


def measure_case(case: Case, conditions: Conditions) -> CaseResult:
    """Measure and judge one case; what went wrong in a worker is part of the result.

    Raises KeyboardInterrupt, ContractError and ResultFileError; the case is then not stored, but for a soak that
    Ctrl-C ended.
    """
    started, begin = datetime.now(timezone.utc), time.monotonic_ns()
    process_runs: list[ProcessRun] = []
    outputs: Mapping[str, NDArray[Any]] | None = None
    timings = _timings_of(conditions.store)
    ballot, expected, interrupted = Ballot(case), case.scenario.expected_processes, False
    for index in range(case.scenario.processes):
        if index >= expected:
            conditions.budget.expect(1)
        one, found, interrupted = process_run(case, index, _settled(case, process_runs), conditions, ballot)
        process_runs.append(one)
        outputs = found or outputs
        decided = _is_settled(ballot, one, timings)
        if decided or interrupted or conditions.cancel.is_set() or _is_hopeless(one):
            conditions.budget.skip(max(0, expected - index - 1))
            break
    if conditions.cancel.is_set():
        raise KeyboardInterrupt
    figures, verdicts = judge_case(
        case,
        conditions.contract,
        process_runs,
        timings,
        outputs,
        conditions.allow_code,
        ballot,
        conditions.code_s(TIMEOUT_S),
    )
    result = CaseResult(
        case=case.id,
        target=case.target.name,
        backend=case.target.backend,
        device=case.target.device,
        scenario=case.scenario.scenario,
        settings=settings_of(case),
        defaults=case.target.defaults,
        process_runs=tuple(process_runs),
        figures=figures,
        verdicts=verdicts,
        notes=notes_of(case, process_runs, verdicts, timings),
        failure=failure_of(case, process_runs),
        started=started.isoformat(timespec="seconds").replace("+00:00", "Z"),
        duration_ns=time.monotonic_ns() - begin,
    )
    conditions.store.save(result)
    if interrupted:
        raise KeyboardInterrupt
    return result


def _is_hopeless(one: ProcessRun) -> bool:
    """A host that was out of reach before anything began will be so again; a link that died may be back."""
    failure = one.failure
    return failure is not None and (failure.error in HOPELESS or (failure.phase is None and failure.error in AWAY))


def _is_settled(ballot: Ballot, one: ProcessRun, timings: Timings) -> bool:
    """Whether an adaptive case needs no further process; a fixed one takes all that it asked for."""
    if not ballot.scenario.adaptive or (one.failure is not None and one.failure.error == BUDGET_SPENT):
        return False
    ballot.add(one, timings(one))
    return ballot.closed


def _settled(case: Case, before: list[ProcessRun]) -> tuple[int, int]:
    """The batch size and the calls a timing of the next process: what is to be found, the first process settles.

    Processes that each chose their own would not be measurements of one thing.
    """
    batches = [one.batch for one in before if one.batches_tried]
    calls = [one.calls_per_timing for one in before if CALLS_PER_TIMING in one.facts]
    return case.scenario.batch or next(iter(batches), 0), case.scenario.calls_per_timing or next(iter(calls), 0)


def _timings_of(store: RunStore) -> Timings:
    def timings(process: ProcessRun) -> NDArray[np.uint64] | None:
        return None if process.timings is None else load_timings(store.path, process.timings)

    return timings
