"""Case -> Job: what a worker is told. Pure but for looking up the backend's adapter."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

from bench import registry
from bench.artifacts import KINDS, ArtifactError, companions_of
from bench.contract.check_settings import own_code
from bench.contract.model import Artifact, Contract, ScenarioSettings, Target
from bench.device.adapter import Settings, TensorSpec
from bench.device.records import OPEN_LOOPS, Job, TensorJob
from bench.judge.independent import LEAST_CALLS
from bench.metrics import max_rate_of
from bench.plan import Case

SEED = 20260101
"""Of the generator for inputs where the contract has no samples; stored with the run.

Arrivals take it plus the process run's index: each process sees other arrivals, every run the same ones.
"""
LEAST_QUERIES, LEAST_OF_A_VOTE = 64, 16
"""Of a process, however early all is decided; of one that only votes, in a scenario whose queries wait for no other."""


def job_for(contract: Contract, case: Case, index: int, max_ns: int, allow_code: bool) -> Job:
    """The job of process run ``index`` of a case, its measurement bounded by ``max_ns``, a search for rates included.

    The user's code (``factory``, a program that an option names) is told to the worker only where ``allow_code``
    says that it may run.
    """
    ranges = {one.spec.name: (one.low, one.high) for one in contract.inputs}
    scenario = case.scenario
    search_ns = max_ns * scenario.search_ns // scenario.process_ns
    max_ns -= search_ns
    programs = own_code(case.target)
    settings = asdict(settings_for(case))
    if not allow_code:
        settings["extra"] = {name: value for name, value in settings["extra"].items() if name not in programs}
    return Job(
        case=case.id,
        adapter=registry.resolve(case.target.backend),
        scenario=scenario.scenario,
        artifacts={artifact.kind: str(artifact.path.resolve()) for artifact in contract.artifacts},
        inputs=[_tensor(one.spec, *ranges[one.spec.name]) for one in contract.inputs],
        outputs=[_tensor(spec, 0.0, 1.0) for spec in contract.outputs],
        state=dict(contract.state),
        dims=dict(contract.dims),
        batch_dim=contract.batch_dim,
        factory=contract.factory.entry if contract.factory and allow_code else None,
        code_dir=str(contract.folder) if (contract.factory or programs) and allow_code else None,
        settings=settings,
        samples=str(contract.validation.samples) if contract.validation.samples else None,
        seed=SEED,
        batch=scenario.batch,
        min_ns=min(scenario.min_ns, max_ns),
        max_ns=max_ns,
        min_queries=min(_least_queries(scenario), scenario.max_queries),
        must_samples=scenario.must_samples,
        max_queries=scenario.max_queries,
        calls_per_timing=scenario.calls_per_timing,
        collect_outputs=case.collects_outputs and index == 0,
        only_start=scenario.scenario == "cold-start",
        rate_per_s=scenario.rate_per_s,
        arrivals=scenario.arrivals,
        arrivals_seed=SEED + index,
        workers=scenario.workers,
        max_batch=scenario.max_batch,
        max_wait_ns=scenario.max_wait_ns,
        queue=scenario.queue,
        timeout_ns=scenario.timeout_ns,
        trace=str(scenario.trace.path.resolve()) if scenario.trace else None,
        aims=[list(aim) for one in case.requirements if (aim := max_rate_of(one.metric)) is not None],
        search_ns=search_ns,
        min_search_ns=min(scenario.min_search_ns, search_ns),
        companions={one.kind: _companions(one) for one in contract.artifacts} if case.target.host else {},
        programs=program_files(case.target, contract.folder, programs) if case.target.host and allow_code else [],
        cores=list(case.target.cores),
    )


def _least_queries(scenario: ScenarioSettings) -> int:
    if scenario.scenario == "soak":
        return 1
    if not scenario.adaptive or scenario.scenario in OPEN_LOOPS:
        return LEAST_QUERIES
    return LEAST_CALLS if scenario.counts_calls else LEAST_OF_A_VOTE


def program_files(target: Target, folder: Path, options: Sequence[str]) -> list[str]:
    """The files in the contract's folder that these options name: a program, and what it is started with."""
    found: dict[str, None] = {}
    for option in options:
        with suppress(ValueError):  # what cannot be split into words is said where it is run
            for word in shlex.split(str(target.options[option])):
                path = Path(os.path.normpath(folder / word))
                if path.is_file() and path.resolve().is_relative_to(folder.resolve()):
                    found[str(path)] = None
    return list(found)


def _companions(artifact: Artifact) -> list[str]:
    """The further files of an artifact that must lie beside it where it is run; those that were written, and others."""
    path = artifact.path.resolve()
    found = [companion for companion, _ in artifact.companions]
    with suppress(ArtifactError, OSError):  # what cannot be read is said where it is run
        found += companions_of(artifact.kind, path) if artifact.kind in KINDS else ()
    return list(dict.fromkeys(str(companion.parent.resolve() / companion.name) for companion in found))


def settings_for(case: Case) -> Settings:
    """How the case's model is to be run."""
    target = case.target
    return Settings(
        target.device, target.threads, target.precision, target.residency, case.scenario.scenario, dict(target.options)
    )


def _tensor(spec: TensorSpec, low: float, high: float) -> TensorJob:
    return TensorJob(spec.name, spec.dtype, list(spec.shape), low, high)
