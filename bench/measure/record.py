"""What a case's record says beside its figures: its settings, its failure, its notes."""

from __future__ import annotations

from bench.contract.host_words import show_cores
from bench.contract.model import Target
from bench.contract.presets import rules
from bench.jobs import settings_for
from bench.judge import emulated, enqueued, floor, mlperf, noise, settling, throttled
from bench.judge.readings import Timings
from bench.judge.serving import crowded, late_harness, overload
from bench.judge.typical import exceptions
from bench.plan import Case
from bench.results import Failure, Json, ProcessRun, Verdict


def failure_of(case: Case, process_runs: list[ProcessRun]) -> Failure | None:
    """The first failure, where no process gave a whole measurement, nor a part of a soak."""
    if case.scenario.scenario == "soak" and any(one.blocks for one in process_runs):
        return None
    failures = [one.failure for one in process_runs if one.failure is not None and not one.is_whole]
    return failures[0] if failures and len(failures) == len(process_runs) else None


def settings_of(case: Case) -> dict[str, Json]:
    """All that the case was asked to be measured with, defaults included."""
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
        if scenario.min_search_ns < scenario.search_ns:
            settled.update(min_search_ns=scenario.min_search_ns)
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


def notes_of(
    case: Case, process_runs: list[ProcessRun], verdicts: tuple[Verdict, ...], timings: Timings
) -> tuple[str, ...]:
    """What a reader must know of the case as a whole before its figures mean anything."""
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
