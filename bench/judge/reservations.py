"""What forbids to call a verdict met, whatever its figure says; and what its reason says besides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from bench.contract.model import Requirement
from bench.device.records import OPEN_LOOPS
from bench.judge import floor, mlperf, throttled, undecided
from bench.judge.disturbed import counted
from bench.judge.serving import why_not_met
from bench.judge.soak import cut_short, with_length
from bench.judge.swamped import with_growth
from bench.judge.timing import is_timed
from bench.judge.verdict import at_best_undecided
from bench.metrics import QUALITY, TIMED
from bench.plan import Case
from bench.results import Failure, Outcome, ProcessRun, Verdict

AUDIT_FAILED, BUDGET_SPENT = "MeasurementInvalid", "BudgetSpent"
"""Failures with a meaning of their own: no timing can be believed; there was no time for the process."""
QUIET = "measure while nothing else runs, or keep them (`disturbed blocks: keep`)"


def reserved(one: Verdict, requirement: Requirement, runs: Sequence[ProcessRun], case: Case) -> Verdict:
    """The verdict once it is seen how the measurement went; what helps is said where it is then undecided."""
    if requirement.block in QUALITY or not requirement.block:
        failed = [run.failure for run in runs if run.failure and run.is_whole] if requirement.block else []
        why = f"the process failed then: {told(failed[0])}" if failed else ""
        return at_best_undecided(one, why, undecided.MENDED) if why else one
    for why, remedy in _reservations(requirement, runs, case):
        one = at_best_undecided(one, why, remedy) if why else one
    if requirement.block in OPEN_LOOPS and requirement.metric.startswith("latency"):
        one = with_growth(one, runs)
    if requirement.block == "soak":
        one = with_length(one, runs, case.scenario.max_ns)
    one = replace(one, reason=undecided.of_the_budget(one.reason, runs, case.scenario))
    if requirement.block in TIMED and one.outcome is not Outcome.NOT_MEASURED:
        one = throttled.marked(_with_warm_up(one, runs), runs)
    if case.scenario.leave_out_disturbed and is_timed(requirement.metric):
        one = _with_what_was_left_out(one, runs)
    return replace(one, reason=one.reason + floor.below(requirement, runs)) if one.figure.value is not None else one


def _reservations(requirement: Requirement, runs: Sequence[ProcessRun], case: Case) -> list[tuple[str, str]]:
    """Why it cannot be met, each with what would help; empty where nothing is against it."""
    crashes = [one.failure for one in runs if one.failure is not None and one.failure.error != BUDGET_SPENT]
    found = [("", "")]
    if crashes:
        found = [(f"{len(crashes)} of {len(runs)} processes failed: {told(crashes[0])}", undecided.MENDED)]
    elif sum(run.is_whole for run in runs) == 1 < case.scenario.processes:
        alone = f"only 1 of {case.scenario.processes} processes was measured: how far they differ is not known"
        found = [(alone, undecided.GO_ON)]
    if requirement.block in OPEN_LOOPS and requirement.metric.startswith("latency"):
        found.append((why_not_met(runs), undecided.LESS))
    if requirement.block == "soak":
        found.append((cut_short(runs, case.scenario.max_ns), undecided.WHOLE))
    if requirement.block in TIMED:
        found.append((mlperf.why_not_met(case, runs), undecided.PRESET))
    return found


def _with_warm_up(one: Verdict, runs: Sequence[ProcessRun]) -> Verdict:
    whole = [run for run in runs if run.is_whole]
    unsteady = sum(run.warm_up is not None and not run.warm_up.settled for run in whole)
    if not unsteady or not one.metric.startswith(("latency", "throughput")):
        return one
    return replace(one, reason=f"{one.reason} (timings never became steady in {unsteady} of {len(whole)} processes)")


def _with_what_was_left_out(one: Verdict, runs: Sequence[ProcessRun]) -> Verdict:
    marked, blocks = counted([run for run in runs if run.failure is None])
    if marked == blocks > 0 and one.outcome is Outcome.NOT_MEASURED:
        return replace(one, reason=f"all {blocks} blocks were disturbed, and nothing is left without them: {QUIET}")
    said = f"without the {marked} disturbed of {blocks} blocks" if marked else f"none of {blocks} blocks was disturbed"
    return replace(one, reason=f"{one.reason} ({said})")


def told(failure: Failure) -> str:
    """What failed, in which phase, and its own message."""
    where = f" in {failure.phase}" if failure.phase else ""
    return f"{failure.error}{where}: {failure.message}"
