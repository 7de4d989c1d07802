"""What is passed on after a measurement, and what is stored: frozen records, integers inside.

Every time is nanoseconds, every memory figure bytes; the unit is in the name.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import ClassVar

from bench.device.operators import Operator
from bench.device.records import CALLS_PER_TIMING, CLOSE

LAYOUT = 1
"""The version of the layout on disk. A reader refuses a newer one and reads every older one."""

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]


class Outcome(str, Enum):
    """A verdict's answer."""

    MET = "met"
    MISSED = "missed"
    UNDECIDED = "undecided"
    NOT_MEASURED = "not measured"


REFUSALS = ("ModelRejected", "DeviceUnavailable", "SamplesRejected", "OutputsRejected", "AdapterError", "BudgetSpent")
"""What a worker says on purpose, in whole sentences: the next process of the same case would only repeat it."""
UNREACHED = ("HostUnreachable", "HostBusy")
"""Failures of the way to a host or its turn: they say nothing of the model, and `--resume` measures again."""


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

    @property
    def refused(self) -> bool:
        """Whether it was refused for a reason that the message states in full, and nothing broke."""
        return self.error in REFUSALS


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
    unsteady_queries: int | None = None
    """Those before the timings were steady; None where they never were."""


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
class Metered:
    """What the timed part cost beside time; each None where it is not known, and then why."""

    window_ns: int
    energy_uj: int | None
    """Of the whole device, whoever used it."""
    energy_by: str
    """How it was found, or why it was not."""
    gpu_bytes: int | None
    """The most that the worker held on its GPU, as far as looks at an interval tell."""
    gpu_by: str
    own_bytes: int | None = None
    """What its framework says that it took of the GPU at most: less than all that it holds there."""


@dataclass(frozen=True)
class Seen:
    """What was seen of other work and of the machine during a block; each None where the system does not tell."""

    SPARSE: ClassVar[bool] = True
    own_ns: int | None = None
    """Processor time of the worker itself, all its threads."""
    machine_ns: int | None = None
    """… of all work on the machine, the worker's too; counted in ticks, often of 10 ms."""
    steal_ns: int | None = None
    """Taken by the host of a virtual machine, of all processors; in ticks."""
    waited_ns: int | None = None
    """How long the thread that times was ready to run and had no processor."""
    pressure_ns: int | None = None
    """How long some work on the machine was ready to run and had no processor."""
    frequency_khz: int | None = None
    """Of the processor that the thread that times was on, at the block's end."""
    throttled: int | None = None
    """Times that heat or power slowed a core or a package down."""
    cooling: int | None = None
    """How far the kernel holds a processor down against heat: the state of its cooling device, 0 is not at all."""
    low_voltage: int | None = None
    """1 where the supply's voltage was too low."""
    rss_bytes: int | None = None
    """Soak: the worker's resident memory at the block's end, where it was looked at."""


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
    seen: Seen = Seen()


@dataclass(frozen=True)
class Disturbed:
    """A block that something disturbed: its place among the process run's blocks, from 0, and by what."""

    block: int
    why: tuple[str, ...]


@dataclass(frozen=True)
class Crew:
    """Who answered a server scenario's queries; by default one thread, one by one, everyone in the end."""

    workers: int = 1
    sessions: int = 1
    cores: tuple[int, ...] = ()
    """The core that each worker was pinned to; empty where none was."""
    issues: int | None = None
    """How often the model was run; None where each query is one issue."""
    batch_max: int = 1
    """Queries in the largest batch."""
    answered: int | None = None
    """Queries; None where it is told by the timings alone."""
    dropped: int = 0
    """Queries that found the queue full."""
    timed_out: int = 0
    """Queries that were answered later than the timeout."""


@dataclass(frozen=True)
class Serving:
    """The open loop of the server scenario: its schedule, and how far it was kept.

    The same kind, rate and seed give the same schedule again: arrival + latency is when each query was answered.
    """

    rate_per_s: float
    """Queries a second."""
    arrivals: str
    """``poisson``, ``constant``, ``bursts of 8``, or ``trace``."""
    seed: int
    unanswered: int
    """Queries that had arrived and were not answered when the measurement ended."""
    found_free: int
    """Queries that found the model free; the lateness is theirs."""
    late_p50_ns: int | None
    late_p99_ns: int | None
    """From scheduled arrival to issue; None where no query found the model free."""
    crew: Crew = field(default_factory=lambda: Crew())
    late_p90_ns: int | None = None
    """None also where an earlier version measured."""


@dataclass(frozen=True)
class RateTrial:
    """What a search saw at one rate near its answer, the trial's beginning left out."""

    rate_per_s: float
    queries: int
    over: tuple[int, ...]
    """For each aim: the queries that took longer than its limit."""
    replayed: tuple[int, ...]
    """The same of a replay of the same arrivals; empty where nothing was replayed (``max batch``)."""


@dataclass(frozen=True)
class Searched:
    """The search for the highest rate that keeps a percentile: all that its answer is computed from."""

    aims: tuple[tuple[float, int], ...]
    """The percentile, as a fraction, and the limit of its latency, ns."""
    trials: tuple[RateTrial, ...]
    curves: tuple[tuple[tuple[float, float], ...], ...]
    """For each aim: (rate, share of queries over the limit) of a replay of the measured times, by rate."""
    tried: tuple[tuple[float, int, int, int, int], ...]
    """Every trial in order, with its beginning: (rate, queries, p50, p90, p99 of latency in ns)."""
    crew: Crew = field(default_factory=lambda: Crew())
    """Who answered the trials; of it workers, sessions and cores."""
    late_p50_ns: int | None = None
    """The middle trial's median lateness of issue."""


@dataclass(frozen=True)
class DeviceTime:
    """What a device said by its own clock of queries after the timed ones; no part of any latency."""

    name: str
    """``gpu compute``, ``enqueue``, ``host to device``, ``device to host``, or another that the backend has."""
    count: int
    mean_ns: int
    least_ns: int
    most_ns: int
    p50_ns: int
    p90_ns: int
    p99_ns: int


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
    searched: Searched | None = None
    metered: Metered | None = None
    """None where nothing was timed, or an earlier version measured."""
    disturbed: tuple[Disturbed, ...] = ()
    """The blocks that are marked as disturbed (``judge.disturbed``), in order; none is ever dropped."""
    device_times: tuple[DeviceTime, ...] = ()
    """Empty where the backend tells none."""

    @property
    def is_whole(self) -> bool:
        """Whether all was measured that was to be: nothing failed, or only closing the session, which comes last."""
        return self.failure is None or self.failure.phase == CLOSE

    @property
    def calls_per_timing(self) -> int:
        """How many queries each timing is the mean of: more than one only near the clock's own cost."""
        told = self.facts.get(CALLS_PER_TIMING)
        return told if isinstance(told, int) and told > 1 else 1


@dataclass(frozen=True)
class Profile:
    """What the operators of a model took, by its framework's own profiler; no figure of any contract."""

    source: str
    """Which profiler told it, and what it counts."""
    queries: int
    batch: int
    """Samples a query."""
    count: int
    """Operators; ``operators`` are the costliest of them, the costliest first."""
    total_ns: int
    """Of all operators over all queries."""
    operators: tuple[Operator, ...]


@dataclass(frozen=True)
class TargetProfile:
    """A target's profile, and the process that told it; None where there is none, for that process's failure."""

    target: str
    backend: str
    process: ProcessRun
    profile: Profile | None


@dataclass(frozen=True)
class Undisturbed:
    """What a figure is without the disturbed blocks: the fields of a ``Figure``."""

    value: float | None
    low: float | None = None
    high: float | None = None
    processes: tuple[float | None, ...] = ()
    count: int = 0
    why_not: str = ""


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
    undisturbed: Undisturbed | None = None
    """The same without the disturbed blocks; None where none was disturbed, or the metric is made of no blocks."""


@dataclass(frozen=True)
class Verdict:
    """One requirement on one target: what was asked, what was found, and the answer with its reason."""

    SPARSE: ClassVar[bool] = True
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
    caveat: str | None = None
    """A word that the outcome is not to be read without: ``throttled``."""
    indifference: float = 0.0
    """The zone to either side of the limit in which either answer is right, as a share of it; 0: none."""


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
