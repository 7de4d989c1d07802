"""One case measured: its fresh processes one after the other, each heard out, saved and counted."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.budget import Budget
from bench.contract.model import Contract
from bench.errors import LaunchError
from bench.jobs import job_for, settings_for
from bench.judge.case import judge_case
from bench.judge.serving import overload
from bench.judge.stop import StopRule
from bench.launch.conversation import Conversation
from bench.launch.local import run_worker
from bench.plan import Case
from bench.progress import Progress
from bench.results import Block, CaseResult, Failure, Json, ProcessRun
from bench.store import RunStore, TimingsWriter, load_timings

NS_PER_S = 1_000_000_000
TOLD_EVERY_NS = NS_PER_S // 10
START_UP_S = 240.0
"""Longest a worker may take for everything but warming up and measuring: import, load, outputs."""
MANY_SWITCHES_PER_S = 100
"""More involuntary context switches than this in a second of measuring are told to the reader."""
HOPELESS = (
    "ModelRejected",
    "DeviceUnavailable",
    "SamplesRejected",
    "OutputsRejected",
    "AdapterError",
    "WorkerTimeout",
    "BudgetSpent",
)
"""Failures that the next process of the same case would only repeat."""


@dataclass(frozen=True)
class Conditions:
    """What holds for every case of a run."""

    contract: Contract
    store: RunStore
    progress: Progress
    budget: Budget
    allow_code: bool
    timeout_ns: int | None = None


class _Ear:
    """Hears a process run's blocks: keeps the timings, shows progress, asks the worker to stop."""

    def __init__(self, index: int, progress: Progress, writer: TimingsWriter, rule: StopRule) -> None:
        self._index, self._progress, self._writer, self._rule = index, progress, writer, rule
        self._queries, self._measured_ns, self._told_ns = 0, 0, 0
        self.seen = False

    def phase(self, name: str) -> None:
        self._progress.phase(self._index, name)

    def block(self, block: Block, payload: bytes) -> bool:
        self.seen = True
        self._writer.append(payload)
        self._queries += block.count
        self._measured_ns += block.wall_ns
        if self._measured_ns - self._told_ns >= TOLD_EVERY_NS:
            self._told_ns = self._measured_ns
            self._progress.measured(self._queries, self._measured_ns)
        return self._rule.block(block, np.frombuffer(payload, "<u8"))


def measure_case(case: Case, conditions: Conditions) -> CaseResult:
    """Measure and judge one case; what went wrong in a worker is part of the result.

    Raises KeyboardInterrupt, ContractError and ResultFileError; the case is then not stored.
    """
    started, begin = datetime.now(timezone.utc), time.monotonic_ns()
    process_runs: list[ProcessRun] = []
    outputs: Mapping[str, NDArray[Any]] | None = None
    for index in range(case.scenario.processes):
        one, found = _process_run(case, index, _batch(case, process_runs), conditions)
        process_runs.append(one)
        outputs = found or outputs
        if one.failure is not None and one.failure.error in HOPELESS:
            conditions.budget.skip(case.scenario.processes - index - 1)
            break
    timings = _timings(conditions.store)
    figures, verdicts = judge_case(case, conditions.contract, process_runs, timings, outputs, conditions.allow_code)
    result = CaseResult(
        case=case.id,
        target=case.target.name,
        backend=case.target.backend,
        device=case.target.device,
        scenario=case.scenario.scenario,
        settings=_settings(case),
        defaults=case.target.defaults,
        process_runs=tuple(process_runs),
        figures=figures,
        verdicts=verdicts,
        notes=_notes(process_runs),
        failure=_case_failure(process_runs),
        started=started.isoformat(timespec="seconds").replace("+00:00", "Z"),
        duration_ns=time.monotonic_ns() - begin,
    )
    conditions.store.save(result)
    return result


def _batch(case: Case, before: list[ProcessRun]) -> int:
    """The batch size for the next process: where the best is to be found, the first that found it settles it.

    Processes that each chose their own would not be measurements of one thing.
    """
    found = [one.batch for one in before if one.batches_tried]
    return found[0] if case.scenario.batch == 0 and found else case.scenario.batch


def _process_run(
    case: Case, index: int, batch: int, conditions: Conditions
) -> tuple[ProcessRun, Mapping[str, NDArray[Any]]]:
    max_ns = conditions.budget.next_process_ns(case.scenario.max_ns)
    if max_ns is None:
        spent = Failure(
            "BudgetSpent",
            "the time budget was spent before this process: go on with --resume, or give a larger --time-budget",
        )
        return ProcessRun(index, failure=spent), {}
    job = replace(job_for(conditions.contract, case, index, max_ns, conditions.allow_code), batch=batch)
    writer = conditions.store.timings_writer(case.id, index)
    ear = _Ear(index, conditions.progress, writer, StopRule(case.requirements))
    conversation = Conversation(index, batch, ear)
    try:
        failure = run_worker(job, conversation, _deadline_s(conditions, job.warm_up_max_ns + max_ns))
        outputs = conversation.outputs()
        kept = writer.close() if ear.seen else None
    except LaunchError as error:  # no worker could be started: a result like any other
        failure, outputs, kept = Failure(type(error).__name__, str(error)), {}, None
    finally:
        writer.discard()
    one = conversation.process_run(failure, kept)
    if outputs:
        one = replace(one, outputs=conditions.store.save_outputs(case.id, index, outputs))
    return one, outputs


def _deadline_s(conditions: Conditions, timed_ns: int) -> float:
    beyond_s = START_UP_S if conditions.timeout_ns is None else conditions.timeout_ns / NS_PER_S
    return beyond_s + 2 * timed_ns / NS_PER_S


def _timings(store: RunStore) -> Callable[[ProcessRun], NDArray[np.uint64] | None]:
    def timings(process: ProcessRun) -> NDArray[np.uint64] | None:
        return None if process.timings is None else load_timings(store.path, process.timings)

    return timings


def _settings(case: Case) -> dict[str, Json]:
    settings, scenario = settings_for(case), case.scenario
    settled: dict[str, Json] = {
        "threads": settings.threads,
        "precision": settings.precision,
        "residency": settings.residency,
        "options": dict(settings.extra),
        "batch": scenario.batch,
        "processes": scenario.processes,
        "max_ns": scenario.max_ns,
        "max_queries": scenario.max_queries,
    }
    if scenario.rate_per_s:
        settled.update(rate_per_s=scenario.rate_per_s, arrivals=scenario.arrivals)
    return settled


def _case_failure(process_runs: list[ProcessRun]) -> Failure | None:
    """The first failure, where no process gave a whole measurement."""
    failures = [one.failure for one in process_runs if one.failure is not None]
    return failures[0] if failures and len(failures) == len(process_runs) else None


def _notes(process_runs: list[ProcessRun]) -> tuple[str, ...]:
    overloaded = overload(process_runs)
    return (*((overloaded,) if overloaded else ()), *disturbances(process_runs))


def disturbances(process_runs: list[ProcessRun]) -> tuple[str, ...]:
    """What disturbed the measurement, as far as the records tell: other work that took the processor away."""
    notes = []
    switches = sum(block.switches for one in process_runs for block in one.blocks)
    measured_s = sum(block.wall_ns for one in process_runs for block in one.blocks) / NS_PER_S
    if measured_s and switches / measured_s > MANY_SWITCHES_PER_S:
        notes.append(
            f"other work took the processor away {switches} times in {measured_s:.1f} s of measuring: "
            "stop it, or give the target fewer threads"
        )
    ended = [one for one in process_runs if one.machine]
    cores = ended[0].machine.get("usable_cores") if ended else None
    load = ended[0].machine.get("load_1m") if ended else None
    if isinstance(cores, int) and isinstance(load, int | float) and load > cores:
        notes.append(f"the load was {load:.1f} on {cores} usable cores when this was measured")
    return tuple(notes)
