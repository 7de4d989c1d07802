"""A case's process runs, timings and outputs -> its figures and verdicts.

Figures are made of the process runs that finished. Where one did not, nothing that depends on it is
called met: a model that crashes now and then does not keep a contract.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.artifacts import KINDS, ArtifactError, companions_of
from bench.contract.model import Artifact, Contract, Requirement
from bench.judge.quality import collected, quality_figures
from bench.judge.serving import why_not_met
from bench.judge.timing import timing_figures
from bench.judge.verdict import at_best_undecided, verdict
from bench.metrics import ARTIFACT_SIZE, MEMORY, QUALITY, START_PHASES, TIMED
from bench.plan import Case
from bench.results import Failure, Figure, Outcome, ProcessRun, Verdict

Timings = Callable[[ProcessRun], NDArray[np.uint64] | None]
"""The raw latencies (ns) of a process run, in order of issue."""
_PHASES = {"start time": "start", "import time": "import", "load time": "load", "first query time": "first-query"}
AUDIT_FAILED, BUDGET_SPENT = "MeasurementInvalid", "BudgetSpent"
"""Failures with a meaning of their own: no timing can be believed; the process was never started."""


def judge_case(
    case: Case,
    contract: Contract,
    process_runs: Sequence[ProcessRun],
    timings: Timings,
    outputs: Mapping[str, NDArray[Any]] | None,
    allow_code: bool = False,
) -> tuple[tuple[Figure, ...], tuple[Verdict, ...]]:
    """Every figure that the case's data can give, and one verdict a requirement of the case.

    ``outputs`` are the model's outputs over all samples, by name; None where none were collected.
    ``allow_code`` lets the user's own metric functions run.
    """
    finished = [one for one in process_runs if one.failure is None]
    scenario = case.scenario.scenario
    figures = {(scenario, figure.metric): figure for figure in process_figures(finished)}
    if scenario in TIMED:
        wanted = [one.metric for one in case.requirements if one.block == scenario]
        overlap, invalid = scenario == "offline", _invalid(process_runs)
        for figure in timing_figures(finished, timings, wanted, may_overlap=overlap, invalid=invalid):
            figures[scenario, figure.metric] = figure
    if case.collects_outputs:
        found = collected(contract, process_runs, outputs)
        figures.update(quality_figures(contract, case.requirements, found, allow_code))
    figures["", ARTIFACT_SIZE.name] = artifact_size(contract, finished)
    verdicts = tuple(
        _verdict(one, figures.get((one.block, one.metric)), process_runs, case.scenario.processes)
        for one in case.requirements
    )
    return tuple(figures.values()), verdicts


def process_figures(finished: Sequence[ProcessRun]) -> list[Figure]:
    """Memory, the phases of the start and the cold start; those that were told.

    Memory is the worst process's, times are the processes' median; the interval is lowest to highest.
    """
    peak = [one.memory.peak_bytes if one.memory else None for one in finished]
    added = [_added_bytes(one) for one in finished]
    cold = [one.cold_start_ns for one in finished]
    figures = [_of_processes(MEMORY[0].name, "bytes", peak, max), _of_processes(MEMORY[1].name, "bytes", added, max)]
    figures.append(_of_processes("cold start", "ns", cold, median))
    for metric in START_PHASES[1:]:
        durations = [_duration_ns(one, _PHASES[metric.name]) for one in finished]
        figures.append(_of_processes(metric.name, "ns", durations, median))
    return [one for one in figures if one is not None]


def artifact_size(contract: Contract, finished: Sequence[ProcessRun]) -> Figure:
    """The bytes of the artifact that the target really used, its companion files included."""
    used = {str(one.facts["artifact"]) for one in finished if "artifact" in one.facts}
    artifacts = [one for one in contract.artifacts if one.kind in used]
    if not artifacts and finished and len(contract.artifacts) == 1:
        artifacts = list(contract.artifacts)
    if len(artifacts) != 1:
        return _missing("artifact size", "bytes", "which artifact the target uses is told by a process that opened it")
    try:
        files = _files(artifacts[0])
        size = sum(path.stat().st_size for path in files)
    except OSError as error:
        return _missing("artifact size", "bytes", f"{error.filename}: {error.strerror}")
    return Figure("artifact size", "bytes", float(size), count=len(files))


def _files(artifact: Artifact) -> set[Path]:
    """The artifact's files: those that the contract lists, and those that it asks for itself, where we can read it."""
    files = [artifact.path, *(path for path, _ in artifact.companions)]
    with suppress(ArtifactError):
        files += companions_of(artifact.kind, artifact.path) if artifact.kind in KINDS else ()
    return {path.resolve() for path in files}


def _of_processes(
    name: str, unit: str, values: Sequence[int | None], choose: Callable[[list[float]], float]
) -> Figure | None:
    told = [float(value) for value in values if value is not None]
    if not told:
        return None
    own = tuple(None if value is None else float(value) for value in values)
    return Figure(name, unit, float(choose(told)), min(told), max(told), own, len(told))


def _added_bytes(run: ProcessRun) -> int | None:
    memory = run.memory
    if memory is None or memory.peak_bytes is None or memory.import_bytes is None:
        return None
    return max(0, memory.peak_bytes - memory.import_bytes)


def _duration_ns(run: ProcessRun, phase: str) -> int | None:
    return next((one.duration_ns for one in run.phases if one.name == phase), None)


def _missing(name: str, unit: str, why: str) -> Figure:
    return Figure(name, unit, None, why_not=why)


def _invalid(runs: Sequence[ProcessRun]) -> str:
    """Why no timing of the case can be believed: the audit's own words, or nothing."""
    return next((one.failure.message for one in runs if one.failure and one.failure.error == AUDIT_FAILED), "")


def _verdict(requirement: Requirement, figure: Figure | None, runs: Sequence[ProcessRun], planned: int) -> Verdict:
    failures = [one.failure for one in runs if one.failure is not None]
    crashes = [one for one in failures if one.error != BUDGET_SPENT]
    if figure is None or (figure.value is None and failures and len(failures) == len(runs)):
        why = _told((crashes or failures)[0]) if failures else "no process run told it"
        figure = _missing(requirement.metric, requirement.unit, why)
    one = verdict(requirement, figure)
    if requirement.block in QUALITY or not requirement.block:
        return one
    if crashes:
        one = at_best_undecided(one, f"{len(crashes)} of {len(runs)} processes failed: {_told(crashes[0])}")
    elif len(runs) - len(failures) == 1 < planned:
        one = at_best_undecided(one, f"only 1 of {planned} processes was measured: how far they differ is not known")
    if requirement.block == "server" and requirement.metric.startswith("latency") and (why := why_not_met(runs)):
        one = at_best_undecided(one, why)
    if requirement.block in TIMED and one.outcome is not Outcome.NOT_MEASURED:
        one = _with_warm_up(one, runs)
    return one


def _with_warm_up(one: Verdict, runs: Sequence[ProcessRun]) -> Verdict:
    unsteady = sum(1 for run in runs if run.failure is None and run.warm_up is not None and not run.warm_up.settled)
    if not unsteady or not one.metric.startswith(("latency", "throughput")):
        return one
    return replace(one, reason=f"{one.reason} (timings never became steady in {unsteady} of {len(runs)} processes)")


def _told(failure: Failure) -> str:
    where = f" in {failure.phase}" if failure.phase else ""
    return f"{failure.error}{where}: {failure.message}"
