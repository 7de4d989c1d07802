"""One case measured: its fresh processes one after the other, each heard out, saved and counted."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.budget import GRACE_NS, Budget
from bench.contract.host_words import show_cores
from bench.contract.model import Contract, Target
from bench.contract.presets import rules
from bench.device.records import CALLS_PER_TIMING, Job
from bench.errors import LaunchError, WorkerTimeout
from bench.interrupts import AGAIN_S, ending_well
from bench.jobs import job_for, settings_for
from bench.judge import emulated, enqueued, floor, mlperf, noise, settling, throttled
from bench.judge.ballot import Ballot
from bench.judge.case import judge_case
from bench.judge.disturbed import marked
from bench.judge.readings import Timings
from bench.judge.reservations import BUDGET_SPENT
from bench.judge.serving import crowded, late_harness, overload
from bench.judge.stop import StopRule
from bench.judge.typical import exceptions
from bench.judge.undecided import GO_ON
from bench.launch.conversation import Conversation
from bench.launch.launchers import Launchers
from bench.metrics import ENERGY
from bench.plan import Case
from bench.progress import Progress
from bench.results import REFUSALS, UNREACHED, Block, CaseResult, Failure, Json, ProcessRun, Verdict
from bench.store import RunStore, TimingsWriter, load_timings

NS_PER_S = 1_000_000_000
TOLD_EVERY_NS = NS_PER_S // 10
START_UP_S = 240.0
"""Longest a worker may take for everything but warming up and measuring: import, load, outputs.

The longest that those may take counts twice beside it: a block begins before the time is up and ends later, an open
loop answers what still waits, and a busy machine is slow."""
HOPELESS = (*REFUSALS, "WorkerTimeout")
"""Failures that the next process of the same case would only repeat."""
AWAY = (*UNREACHED, "LaunchError")


@dataclass(frozen=True)
class Conditions:
    """What holds for every case of a run."""

    contract: Contract
    store: RunStore
    progress: Progress
    budget: Budget
    allow_code: bool
    launchers: Launchers
    timeout_ns: int | None = None
    cancel: threading.Event = field(default_factory=threading.Event)
    """Set where the run ends early: a case that is not done then is not stored."""


class _Ear:
    """Hears a process run's blocks: keeps the timings, shows progress, asks the worker to stop."""

    def __init__(self, index: int, progress: Progress, writer: TimingsWriter, rule: StopRule | None) -> None:
        self._index, self._progress, self._writer, self._rule = index, progress, writer, rule
        self._queries, self._measured_ns, self._told_ns = 0, 0, 0
        self.seen = self.interrupted = self._said = False

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
        if self.interrupted and not self._said:
            self._said = True
            self._progress.note(f"the soak ends now, and what it measured is kept; Ctrl-C {AGAIN_S:g} s later drops it")
        return self._rule is not None and self._rule.block(block, np.frombuffer(payload, "<u8"))


def measure_case(case: Case, conditions: Conditions) -> CaseResult:
    """Measure and judge one case; what went wrong in a worker is part of the result.

    Raises KeyboardInterrupt, ContractError and ResultFileError; the case is then not stored, but for a soak that
    Ctrl-C ended.
    """
    started, begin = datetime.now(timezone.utc), time.monotonic_ns()
    process_runs: list[ProcessRun] = []
    outputs: Mapping[str, NDArray[Any]] | None = None
    timings = _timings(conditions.store)
    ballot, expected, interrupted = Ballot(case), case.scenario.expected_processes, False
    for index in range(case.scenario.processes):
        if index >= expected:
            conditions.budget.expect(1)
        one, found, interrupted = _process_run(case, index, _settled(case, process_runs), conditions, ballot)
        process_runs.append(one)
        outputs = found or outputs
        decided = _is_settled(ballot, one, timings)
        if decided or interrupted or conditions.cancel.is_set() or _is_hopeless(one):
            conditions.budget.skip(max(0, expected - index - 1))
            break
    if conditions.cancel.is_set():
        raise KeyboardInterrupt
    figures, verdicts = judge_case(
        case, conditions.contract, process_runs, timings, outputs, conditions.allow_code, ballot
    )
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
        notes=_notes(case, process_runs, verdicts, timings),
        failure=_case_failure(case, process_runs),
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


def _process_run(
    case: Case, index: int, settled: tuple[int, int], conditions: Conditions, ballot: Ballot
) -> tuple[ProcessRun, Mapping[str, NDArray[Any]], bool]:
    """The process run, its outputs, and whether Ctrl-C ended it early."""
    max_ns = conditions.budget.next_process_ns(case.scenario.process_ns)
    if max_ns is None:
        spent = f"the time budget was spent before this process: {GO_ON}"
        return ProcessRun(index, failure=Failure(BUDGET_SPENT, spent)), {}, False
    batch, calls = settled
    job = job_for(conditions.contract, case, index, max_ns, conditions.allow_code)
    job = replace(job, batch=batch, calls_per_timing=calls)
    writer = conditions.store.timings_writer(case.id, index)
    ear = _Ear(index, conditions.progress, writer, _stop_rule(case, ballot))
    conversation = Conversation(index, batch, ear)
    try:
        with _keeping(job, ear, conversation):
            failure = _heard_out(case.target, job, conversation, conditions)
        outputs = conversation.outputs()
        kept = writer.close() if ear.seen else None
    except LaunchError as error:  # no worker could be started: a result like any other
        failure, outputs, kept = Failure(type(error).__name__, str(error)), {}, None
    finally:
        writer.discard()
    one = marked(conversation.process_run(failure, kept))
    if outputs:
        one = replace(one, outputs=conditions.store.save_outputs(case.id, index, outputs))
    return one, outputs, ear.interrupted


@contextmanager
def _keeping(job: Job, ear: _Ear, conversation: Conversation) -> Iterator[None]:
    """Ctrl-C in a soak that has measured something ends it as its time would; in all else it is what it always is."""

    def end() -> bool:
        ear.interrupted = conversation.wants_stop = job.soaks and ear.seen
        return ear.interrupted

    with ending_well(end):
        yield


def _stop_rule(case: Case, ballot: Ballot) -> StopRule | None:
    """None where blocks may be left out, known only when all are there; and where the length itself was asked for.

    Energy is no block's: counters that move some ten times a second need the whole time.
    """
    scenario = case.scenario
    if (
        any(one.metric == ENERGY.name for one in case.requirements)
        or scenario.leave_out_disturbed
        or scenario.scenario == "soak"
        or scenario.preset is not None
    ):
        return None
    return StopRule(case.requirements, scenario.adaptive, scenario.indifference, ballot.counting(), scenario.pooled)


def _heard_out(target: Target, job: Job, conversation: Conversation, conditions: Conditions) -> Failure | None:
    """Run the worker within its deadline, and within what is left of the budget: asked to end then, and soon killed."""
    beyond_s = START_UP_S if conditions.timeout_ns is None else conditions.timeout_ns / NS_PER_S
    deadline_s = beyond_s + 2 * (job.warm_up_max_ns + job.max_ns + job.search_ns) / NS_PER_S
    run_worker, left_ns = partial(conditions.launchers.run_worker, target), conditions.budget.left_ns()
    if left_ns is None:
        return run_worker(job, conversation, deadline_s)
    last_s = (left_ns + GRACE_NS) / NS_PER_S
    failure = run_worker(job, conversation, min(deadline_s, last_s), stop_s=left_ns / NS_PER_S)
    if failure is None or failure.error != WorkerTimeout.__name__ or conditions.budget.left_ns():
        return failure
    spent = f"the time budget was spent, and {GRACE_NS // NS_PER_S} s later this process was not done: {GO_ON}"
    return replace(failure, error=BUDGET_SPENT, message=spent)


def _timings(store: RunStore) -> Timings:
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
        **_where(case.target),
        "batch": scenario.batch,
        "processes": scenario.processes,
        "least_processes": scenario.least_processes,
        "error_rate": scenario.error_rate if scenario.adaptive else None,
        "indifference": scenario.indifference or None,
        "pooled": scenario.pooled,
        "counts_calls": scenario.counts_calls,
        "max_ns": scenario.max_ns,
        "max_queries": scenario.max_queries,
        "calls_per_timing": scenario.calls_per_timing or "auto",
        "leave_out_disturbed": scenario.leave_out_disturbed,
    }
    if scenario.preset is not None:
        settled.update(preset=scenario.preset, preset_rules=rules(scenario.scenario))
    if scenario.search_ns:
        settled.update(search_ns=scenario.search_ns)
    if scenario.rate_per_s:
        settled.update(rate_per_s=scenario.rate_per_s, arrivals=scenario.arrivals)
        settled.update(workers=scenario.workers, max_batch=scenario.max_batch, max_wait_ns=scenario.max_wait_ns)
        settled.update(queue=scenario.queue or None, timeout_ns=scenario.timeout_ns or None)
    if scenario.trace is not None:
        settled.update(trace=scenario.trace.path.name, trace_sha256=scenario.trace.sha256)
    return settled


def _where(target: Target) -> dict[str, Json]:
    """Where it ran, as far as it was said; nothing for any core here."""
    named = {"host": target.host, "cores": show_cores(target.cores) or None, "python": target.python}
    return {name: value for name, value in named.items() if value is not None}


def _case_failure(case: Case, process_runs: list[ProcessRun]) -> Failure | None:
    """The first failure, where no process gave a whole measurement, nor a part of a soak."""
    if case.scenario.scenario == "soak" and any(one.blocks for one in process_runs):
        return None
    failures = [one.failure for one in process_runs if one.failure is not None and not one.is_whole]
    return failures[0] if failures and len(failures) == len(process_runs) else None


def _notes(
    case: Case, process_runs: list[ProcessRun], verdicts: tuple[Verdict, ...], timings: Timings
) -> tuple[str, ...]:
    told = [
        overload(process_runs),
        late_harness(process_runs),
        crowded(process_runs),
        floor.note(process_runs, timings),
        throttled.note(process_runs),
        enqueued.note(process_runs),
        emulated.note(process_runs),
    ]
    if case.target.host is not None and case.scenario.scenario == "cold-start":
        told.append(f"its start is timed by the clock of {case.target.host}, from when the agent there starts it")
    said = (
        *mlperf.notes(case, process_runs, timings),
        *settling.notes(process_runs, timings),
        *exceptions(verdicts, case.scenario),
        *noise.notes(process_runs, verdicts),
    )
    return (*(one for one in told if one), *said)
