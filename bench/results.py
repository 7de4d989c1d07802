"""What is passed on after a measurement, and what is stored: frozen records, integers inside.

Every time is nanoseconds, every memory figure bytes; the unit is in the name.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

LAYOUT = 1
"""The version of the layout on disk. A reader refuses a newer one and reads every older one."""

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]


class Outcome(str, Enum):
    """A verdict's answer."""

    MET = "met"
    MISSED = "missed"
    UNDECIDED = "undecided"
    NOT_MEASURED = "not measured"


@dataclass(frozen=True)
class Failure:
    """Why a process run gave no measurement, or not a whole one."""

    error: str
    """The class of error: WorkerCrashed, WorkerTimeout, ModelRejected, MeasurementInvalid …"""
    message: str
    phase: str | None = None
    signal: str | None = None
    """``SIGSEGV`` … where a signal ended the worker."""
    exit_code: int | None = None
    stderr: tuple[str, ...] = ()
    """The last lines the worker wrote."""


@dataclass(frozen=True)
class Phase:
    """One phase of a process run, and the process's memory at its end."""

    name: str
    duration_ns: int
    rss_bytes: int | None
    peak_rss_bytes: int | None


@dataclass(frozen=True)
class WarmUp:
    """How the warm-up ended; ``settled`` is False where the timings never became steady."""

    queries: int
    duration_ns: int
    settled: bool
    rule: str


@dataclass(frozen=True)
class Audit:
    """The closure audit: recorded latencies' sum over the burst's wall time, less the loop's cost."""

    queries: int
    latency_ns: int
    wall_ns: int
    loop_ns: int
    ratio: float


@dataclass(frozen=True)
class Memory:
    """The worker's resident memory after import, after load, and its highest up to the measurement's end."""

    import_bytes: int | None
    load_bytes: int | None
    peak_bytes: int | None
    method: str


@dataclass(frozen=True)
class Block:
    """A stretch of the timed loop. Its timings stand in the process run's column file, in order."""

    count: int
    samples: int
    start_ns: int
    wall_ns: int
    switches: int
    """Involuntary context switches of the worker during the block."""
    busy_ns: int | None = None
    """Server: how long the model was taken by queries, one after the other; None in other scenarios."""
    queue_max: int | None = None
    """Server: the most queries that were in the system at once, the running one included."""


@dataclass(frozen=True)
class Serving:
    """The open loop of the server scenario: its schedule, and how far it was kept.

    The same kind, rate and seed give the same schedule again: arrival + latency is when each query was answered.
    """

    rate_per_s: float
    """Queries a second."""
    arrivals: str
    """``poisson`` or ``constant``."""
    seed: int
    unanswered: int
    """Queries that had arrived and were not answered when the measurement ended."""
    found_free: int
    """Queries that found the model free; the lateness is theirs."""
    late_p50_ns: int | None
    late_p99_ns: int | None
    """From scheduled arrival to issue; None where no query found the model free."""


@dataclass(frozen=True)
class ProcessRun:
    """One fresh process: everything but its raw timings, which stand in the file ``timings``."""

    index: int
    phases: tuple[Phase, ...] = ()
    cold_start_ns: int | None = None
    """Process start to first answer: the sum of the phases start, import, load and first query.

    What the harness does between them (looking at the machine, reading the samples) is in none of them.
    """
    warm_up: WarmUp | None = None
    audit: Audit | None = None
    memory: Memory | None = None
    blocks: tuple[Block, ...] = ()
    batch: int = 1
    batches_tried: tuple[tuple[int, float], ...] = ()
    """(batch size, samples a second) of each size tried, where the best was to be found."""
    timings: str | None = None
    """File beside the case's: ``.npy``, uint64, one latency in ns a query."""
    outputs: str | None = None
    """File beside the case's: ``.npz``, one array an output, all samples."""
    timings_count: int = 0
    facts: dict[str, Json] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    machine: dict[str, Json] = field(default_factory=dict)
    samples_source: str | None = None
    """``file`` or ``generated``."""
    samples_count: int = 0
    notes: tuple[str, ...] = ()
    failure: Failure | None = None
    serving: Serving | None = None


@dataclass(frozen=True)
class Figure:
    """One value of one metric with its interval, in base units; each None where it is not measured."""

    metric: str
    unit: str
    value: float | None
    low: float | None = None
    high: float | None = None
    processes: tuple[float | None, ...] = ()
    """The value in each process run: how far they differ."""
    count: int = 0
    """Timings, samples or processes behind it."""
    why_not: str = ""
    """Where value is None: why, and what it would take."""


@dataclass(frozen=True)
class Verdict:
    """One requirement on one target: what was asked, what was found, and the answer with its reason."""

    requirement: str
    block: str
    metric: str
    unit: str
    direction: str
    limit: float
    limit_text: str
    outcome: Outcome
    figure: Figure
    reason: str


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


@dataclass(frozen=True)
class StoredRun:
    """A run as read back: what was planned and the cases that were finished."""

    info: RunInfo
    cases: tuple[CaseResult, ...]
    missing: tuple[str, ...]
    """Cases of the plan that have no result: the run was interrupted, or is still going on."""
