"""A case's process runs, timings and outputs -> its figures and verdicts.

Figures are made of the process runs that are whole. Where one failed, nothing that depends on it is
called met: a model that crashes now and then does not keep a contract.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from statistics import median
from typing import Any

from numpy.typing import NDArray

from bench.artifacts import KINDS, ArtifactError, companions_of
from bench.contract.model import Artifact, Contract, Requirement
from bench.device.records import OPEN_LOOPS
from bench.judge import undecided, user_metric
from bench.judge.ballot import Ballot
from bench.judge.disturbed import all_without, beside, counted, left_of
from bench.judge.independent import call_verdict, voted_instead
from bench.judge.max_rate import max_rate_figures
from bench.judge.metered import metered_figures
from bench.judge.numbers import why_no_numbers
from bench.judge.pooled import pool_verdict
from bench.judge.quality import Collected, collected, quality_figures
from bench.judge.readings import Timings, memory_bytes, start_ns
from bench.judge.reservations import AUDIT_FAILED, BUDGET_SPENT, reserved, told
from bench.judge.serving import late_harness, lost_figure, mostly_own, own_overload
from bench.judge.soak import soak_figures
from bench.judge.swamped import missed_already
from bench.judge.timing import timing_figures
from bench.judge.typical import typical_figure, typical_verdict, untold
from bench.judge.verdict import at_best_undecided, verdict
from bench.metrics import ARTIFACT_SIZE, LOST, MEMORY, SCENARIOS, START_PHASES, THROUGHPUT, TIMED
from bench.plan import Case
from bench.results import Figure, Outcome, ProcessRun, Verdict


def judge_case(
    case: Case,
    contract: Contract,
    process_runs: Sequence[ProcessRun],
    timings: Timings,
    outputs: Mapping[str, NDArray[Any]] | None,
    allow_code: bool = False,
    ballot: Ballot | None = None,
    code_s: float = user_metric.TIMEOUT_S,
) -> tuple[tuple[Figure, ...], tuple[Verdict, ...]]:
    """Every figure that the case's data can give, and one verdict a requirement of the case.

    ``outputs`` are the model's outputs over all samples, by name; None where none were collected.
    ``allow_code`` lets the user's own metric functions run, each for ``code_s`` seconds at most. ``ballot`` holds the
    votes of all these process runs, where they were counted already while an adaptive case was measured.
    """
    finished = [one for one in process_runs if one.is_whole]
    scenario = case.scenario.scenario
    figures = {(scenario, figure.metric): figure for figure in process_figures(finished)}
    if scenario in TIMED:
        for figure in _timed(case, process_runs, timings):
            figures[scenario, figure.metric] = figure
        wanted = [one.metric for one in case.requirements if one.block == scenario]
        for figure in metered_figures(finished, wanted):
            figures[scenario, figure.metric] = figure
        for figure in max_rate_figures(finished, wanted, _invalid(process_runs)):
            figures[scenario, figure.metric] = figure
        for figure in soak_figures(process_runs, timings, _invalid(process_runs)) if scenario == "soak" else ():
            figures[scenario, figure.metric] = figure
    found = Collected({})
    if case.collects_outputs:
        found = collected(contract, process_runs, outputs)
        figures.update(quality_figures(contract, case.requirements, found, allow_code, code_s))
    figures["", ARTIFACT_SIZE.name] = artifact_size(contract, finished)
    judged = _by_vote(case, process_runs, timings, figures, ballot) if case.scenario.adaptive else {}
    used = _used(case, figures)
    verdicts = [
        _verdict(one, used.get((one.block, one.metric)), process_runs, case, judged.get(one), timings)
        for one in case.requirements
    ]
    why, remedy = why_no_numbers(finished, found.arrays), undecided.NUMBERS
    if why:
        verdicts = [at_best_undecided(one, why, remedy) if one.block in SCENARIOS else one for one in verdicts]
    return tuple(figures.values()), tuple(verdicts)


def _timed(case: Case, process_runs: Sequence[ProcessRun], timings: Timings) -> list[Figure]:
    """Latency and throughput; beside each what it is without the disturbed blocks, where there are any."""
    soaks = case.scenario.scenario == "soak"  # what a process measured until it died after hours tells something too
    finished = [one for one in process_runs if one.is_whole or (soaks and one.blocks)]
    overlap, invalid = case.scenario.scenario == "offline", _invalid(process_runs)
    wanted = [one.metric for one in case.requirements if one.block == case.scenario.scenario]
    every = timing_figures(finished, timings, wanted, may_overlap=overlap, invalid=invalid)
    if not counted(finished)[0]:
        return every
    cut, cut_timings = all_without(finished, timings)
    names = [one.metric for one in every]
    found = timing_figures(cut, cut_timings, names, may_overlap=overlap, invalid=invalid)
    clean = {one.metric: one for one in found}
    return [beside(one, clean[one.metric]) for one in every]


def _used(case: Case, figures: Mapping[tuple[str, str], Figure]) -> Mapping[tuple[str, str], Figure]:
    """The figures that are judged: those without the disturbed blocks, where the contract asks for it."""
    if not case.scenario.leave_out_disturbed:
        return figures
    return {key: left_of(one) for key, one in figures.items()}


def _by_vote(
    case: Case,
    process_runs: Sequence[ProcessRun],
    timings: Timings,
    figures: dict[tuple[str, str], Figure],
    held: Ballot | None,
) -> dict[Requirement, Verdict]:
    """The verdicts of what an adaptive case decides by votes; their figures become the typical process's."""
    cut = case.scenario.leave_out_disturbed
    asked, found = held or _voted(case, process_runs, timings, cut), {}
    other = _voted(case, process_runs, timings, not cut) if counted(process_runs)[0] else asked
    whole, clean = (other, asked) if cut else (asked, other)
    start_ns = median([one.cold_start_ns for one in process_runs if one.cold_start_ns is not None] or [0])
    for requirement in asked.calls:
        key, told = (requirement.block, requirement.metric), asked.answer(requirement)
        if key in figures and told.keeps is not None:
            pool = left_of(figures[key]) if cut else figures[key]
            found[requirement] = call_verdict(requirement, pool, told, case.scenario)
    for requirement, readings in whole.readings.items():
        key, rate = (requirement.block, requirement.metric), asked.error_rate(requirement)
        if key in figures and figures[key].value is None:
            figures[key] = untold(figures[key], len(process_runs), case.scenario)
        elif requirement not in found and key in figures:
            silent = asked.voters_from(requirement)
            rest = typical_figure(left_of(figures[key]), clean.readings[requirement], rate, silent)
            figure = typical_figure(figures[key], readings, rate, silent)
            figures[key] = beside(figure, rest) if figures[key].undisturbed else figure
            judged = rest if cut else figures[key]
            votes = asked.decision(requirement)
            voted = typical_verdict(requirement, judged, votes, case.scenario, start_ns)
            counts = requirement in asked.calls
            found[requirement] = voted_instead(voted, asked.answer(requirement)) if counts else voted
    for requirement in asked.shares:
        key = (requirement.block, requirement.metric)
        if key in figures and figures[key].value is not None:
            pool = left_of(figures[key]) if cut else figures[key]
            found[requirement] = pool_verdict(requirement, pool, asked.bets(requirement), case.scenario, start_ns)
    return found


def _voted(case: Case, process_runs: Sequence[ProcessRun], timings: Timings, cut: bool) -> Ballot:
    ballot = Ballot(case, cut)
    for run in process_runs:
        if run.failure is None or run.failure.error != BUDGET_SPENT:
            ballot.add(run, timings(run))
    return ballot


def process_figures(finished: Sequence[ProcessRun]) -> list[Figure]:
    """Memory, the phases of the start and the cold start; those that were told.

    Memory is the worst process's, times are the processes' median, what a server lost is of all its queries; the
    interval is lowest to highest.
    """
    figures = [
        _of_processes(one.name, "bytes", [memory_bytes(one.name, run) for run in finished], max) for one in MEMORY
    ]
    figures += [lost_figure(metric.name, finished) for metric in LOST]
    for metric in START_PHASES:
        durations = [start_ns(metric.name, one) for one in finished]
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


def _missing(name: str, unit: str, why: str) -> Figure:
    return Figure(name, unit, None, why_not=why)


def _invalid(runs: Sequence[ProcessRun]) -> str:
    """Why no timing of the case can be believed: the audit's own words, or nothing."""
    return next((one.failure.message for one in runs if one.failure and one.failure.error == AUDIT_FAILED), "")


def _is_of_arrivals(metric: str, runs: Sequence[ProcessRun]) -> bool:
    """Whether the metric says nothing of the model where the arrivals were others than asked for, or not kept.

    Late arrivals are as many all the same: the rate that was achieved, and what was lost, are then the model's.
    """
    of_the_rate = metric in (THROUGHPUT.name, *(one.name for one in LOST))
    return metric.startswith("latency") or (of_the_rate and bool(own_overload(runs)))


def _verdict(
    requirement: Requirement,
    figure: Figure | None,
    runs: Sequence[ProcessRun],
    case: Case,
    judged: Verdict | None,
    timings: Timings,
) -> Verdict:
    failures = [one.failure for one in runs if one.failure is not None]
    crashes = [one for one in failures if one.error != BUDGET_SPENT]
    if figure is None or (figure.value is None and failures and len(failures) == len(runs)):
        why = told((crashes or failures)[0]) if failures else "no process run told it"
        figure = _missing(requirement.metric, requirement.unit, why)
    is_late = requirement.block in OPEN_LOOPS and _is_of_arrivals(requirement.metric, runs)
    few = judged is not None and 2 * sum(bool(late_harness([run])) for run in runs) <= len(
        runs
    )  # they only did not vote
    if is_late and not few and (late := late_harness(runs)):
        judged, figure = None, _missing(requirement.metric, requirement.unit, late)
    zone = case.scenario.indifference if requirement.block in SCENARIOS else 0.0
    one = judged or verdict(requirement, figure, zone)
    if judged is None and requirement.block in OPEN_LOOPS:
        one = missed_already(one, requirement, runs, timings, zone)
    is_latency = requirement.block in OPEN_LOOPS and requirement.metric.startswith("latency")
    if is_latency and one.outcome is Outcome.MISSED and (own := mostly_own(runs)):
        one = verdict(requirement, _missing(requirement.metric, requirement.unit, own), zone)
    return reserved(one, requirement, runs, case)
