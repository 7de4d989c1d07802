"""One process of a case: its worker heard out within its deadline, its timings kept as they come."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.budget import GRACE_NS
from bench.contract.model import Target
from bench.device.records import Job
from bench.errors import LaunchError, WorkerTimeout
from bench.interrupts import AGAIN_S, ending_well
from bench.jobs import job_for
from bench.judge.ballot import Ballot
from bench.judge.disturbed import marked
from bench.judge.reservations import BUDGET_SPENT
from bench.judge.stop import StopRule
from bench.judge.undecided import GO_ON
from bench.launch.conversation import Conversation
from bench.measure.conditions import Conditions
from bench.metrics import ENERGY
from bench.plan import Case
from bench.progress import Progress
from bench.results import Block, Failure, ProcessRun
from bench.store import TimingsWriter

NS_PER_S = 1_000_000_000
TOLD_EVERY_NS = NS_PER_S // 10
START_UP_S = 240.0
"""Longest a worker may take for everything but warming up and measuring: import, load, outputs.

The longest that those may take counts twice beside it: a block begins before the time is up and ends later, an open
loop answers what still waits, and a busy machine is slow."""


class Ear:
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


def process_run(
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
    ear = Ear(index, conditions.progress, writer, stop_rule(case, ballot))
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
    if max_ns < case.scenario.process_ns:
        one = replace(one, budget_ns=max_ns)
    if outputs:
        one = replace(one, outputs=conditions.store.save_outputs(case.id, index, outputs))
    return one, outputs, ear.interrupted


@contextmanager
def _keeping(job: Job, ear: Ear, conversation: Conversation) -> Iterator[None]:
    """Ctrl-C in a soak that has measured something ends it as its time would; in all else it is what it always is."""

    def end() -> bool:
        ear.interrupted = conversation.wants_stop = job.soaks and ear.seen
        return ear.interrupted

    with ending_well(end):
        yield


def stop_rule(case: Case, ballot: Ballot) -> StopRule | None:
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
