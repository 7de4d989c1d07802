"""A run: what was planned, stored as ``run.json``, and what each of its cases gave."""

from __future__ import annotations

from dataclasses import dataclass, field

from bench.results.failure import Failure
from bench.results.json_value import Json
from bench.results.process_run import ProcessRun
from bench.results.verdict import Figure, Verdict

LAYOUT = 1
"""The version of the layout on disk. A reader refuses a newer one and reads every older one."""


@dataclass(frozen=True)
class CaseResult:
    """One model on one target in one scenario: its process runs, figures and verdicts."""

    case: str
    target: str
    backend: str
    device: str
    scenario: str
    settings: dict[str, Json]
    defaults: tuple[str, ...]
    process_runs: tuple[ProcessRun, ...]
    figures: tuple[Figure, ...]
    verdicts: tuple[Verdict, ...]
    notes: tuple[str, ...] = ()
    failure: Failure | None = None
    """Why the case as a whole gave nothing (backend missing, model rejected, every process failed)."""
    started: str = ""
    """ISO 8601, UTC."""
    duration_ns: int = 0


@dataclass(frozen=True)
class Limit:
    """A requirement's limit: in the metric's base unit, and as the user wrote it."""

    value: float
    text: str


@dataclass(frozen=True)
class RunInfo:
    """What is known when a run begins: the plan, the contract and the machine. Stored as ``run.json``."""

    layout: int
    run: str
    started: str
    benchpact: str
    contract_path: str
    contract_sha256: str
    contract_text: str
    model: str
    model_version: str
    artifacts: dict[str, str]
    """Kind -> SHA-256, of what was really measured."""
    cases: tuple[str, ...]
    """Every case of the plan, in order; one without a file was not measured."""
    requirements: dict[str, tuple[str, ...]]
    """Target -> ids of its requirements."""
    options: dict[str, Json] = field(default_factory=dict)
    notices: tuple[str, ...] = ()
    limits: dict[str, dict[str, Limit]] = field(default_factory=dict)
    """Target -> id of a requirement -> its limit: for what was never measured. Not in older runs."""
    files: dict[str, str] = field(default_factory=dict)
    """File -> SHA-256 of all else that the figures follow from: samples, labels, predictions, further files of
    artifacts, the user's own code. Not in older runs."""


@dataclass(frozen=True)
class StoredRun:
    """A run as read back: what was planned and the cases that were finished."""

    info: RunInfo
    cases: tuple[CaseResult, ...]
    missing: tuple[str, ...]
    """Cases of the plan that have no result: the run was interrupted, or is still going on."""
