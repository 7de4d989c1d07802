"""Case -> Job: what a worker is told. Pure but for looking up the backend's adapter."""

from __future__ import annotations

from dataclasses import asdict

from bench import registry
from bench.contract.model import Contract
from bench.device.adapter import Settings, TensorSpec
from bench.device.records import Job, TensorJob
from bench.plan import Case

SEED = 20260101
"""Of the generator for inputs where the contract has no samples; stored with the run.

Arrivals take it plus the process run's index: each process sees other arrivals, every run the same ones.
"""
LEAST_QUERIES = 64


def job_for(contract: Contract, case: Case, index: int, max_ns: int, allow_code: bool) -> Job:
    """The job of process run ``index`` of a case, its measurement bounded by ``max_ns``.

    The user's code (``factory``) is named to the worker only where ``allow_code`` says that it may run.
    """
    ranges = {one.spec.name: (one.low, one.high) for one in contract.inputs}
    scenario = case.scenario
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
        code_dir=str(contract.folder) if contract.factory and allow_code else None,
        settings=asdict(settings_for(case)),
        samples=str(contract.validation.samples) if contract.validation.samples else None,
        seed=SEED,
        batch=scenario.batch,
        min_ns=min(scenario.min_ns, max_ns),
        max_ns=max_ns,
        min_queries=min(LEAST_QUERIES, scenario.max_queries),
        max_queries=scenario.max_queries,
        collect_outputs=case.collects_outputs and index == 0,
        only_start=scenario.scenario == "cold-start",
        rate_per_s=scenario.rate_per_s,
        arrivals=scenario.arrivals,
        arrivals_seed=SEED + index,
    )


def settings_for(case: Case) -> Settings:
    """How the case's model is to be run."""
    target = case.target
    return Settings(
        target.device, target.threads, target.precision, target.residency, case.scenario.scenario, dict(target.options)
    )


def _tensor(spec: TensorSpec, low: float, high: float) -> TensorJob:
    return TensorJob(spec.name, spec.dtype, list(spec.shape), low, high)
