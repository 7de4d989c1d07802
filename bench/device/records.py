"""What host and worker say to each other.

Host to worker (its standard input): one line of JSON, the job; later ``stop`` on a line of its own to
end the measurement early. End of file means that the host is gone: the worker ends at once.

Worker to host: records. A record is one line of JSON with its ``kind``; where it has ``payload``, that
many raw bytes follow the line. The same lines travel over a pipe or an SSH channel.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any, Dict, List, Mapping, Optional, Tuple

PROTOCOL = 1
MAX_LINE_BYTES = 1 << 20
MAX_PAYLOAD_BYTES = 1 << 26
STOP = b"stop\n"

# The phases of a process run, in order.
START, IMPORT, LOAD, FIRST_QUERY, WARM_UP, AUDIT, MEASURE, SEARCH, ACCURACY, CLOSE = (
    "start",
    "import",
    "load",
    "first-query",
    "warm-up",
    "audit",
    "measure",
    "search",
    "accuracy",
    "close",
)
PHASES = (START, IMPORT, LOAD, FIRST_QUERY, WARM_UP, AUDIT, MEASURE, SEARCH, ACCURACY, CLOSE)
PROFILE = "profile"
"""The phase of a process that profiles, between ``WARM_UP`` and its end: it measures nothing."""

# Kinds of arrivals in the server scenario; beside them ``bursts of N``, which ``arrivals`` reads.
ARRIVALS = ("poisson", "constant", "trace")

TIMED_ONE_BY_ONE = ("single-stream", "multi-stream")
"""Scenarios in which one query is issued after the other."""
OPEN_LOOPS = ("server", "soak")
"""Scenarios in which queries arrive by a schedule."""

NAN_OUTPUTS = "outputs that are not numbers"
"""The fact that names the outputs with a NaN in every sample of the first query."""
NAN_MEASURED = "outputs that were not numbers when it was measured"
"""The same of the queries that were looked at right before and right after the timed ones."""
THROTTLED = "throttled while it was measured"
"""The fact that says what a board's firmware held its processor down for."""
GPU = "gpu"
"""The fact in which a session names its GPU: an object with ``name`` and ``uuid``, as the driver tells them."""
GPU_THROTTLED = "GPU slowed down while it was measured"
"""The fact that says by what, and in how many samples."""
GPU_OWN = "gpu memory by its own account"
"""The fact in which a session may say, in bytes, what its framework took of the GPU at most; asked after all else."""
NOTES = "notes"
"""The fact whose sentences become notes of the process run, for every reader of the report."""
CALLS_PER_TIMING = "calls_per_timing"
"""The fact that says how many queries one timing is the mean of."""
LOOP_ITERATION, LOOP_RECORDED = "loop_iteration_ns", "loop_recorded_ns"
"""The facts that say what the timed loop costs: an iteration, and the part of it that is in each latency."""
CORES, WORKERS, SESSIONS = "cores", "workers", "sessions"
"""The facts that say which cores a process kept to, and what answered in it."""
HARNESS_FACTS = (
    NAN_OUTPUTS,
    NAN_MEASURED,
    THROTTLED,
    GPU_THROTTLED,
    CALLS_PER_TIMING,
    LOOP_ITERATION,
    LOOP_RECORDED,
    CORES,
    WORKERS,
    SESSIONS,
)
"""Facts that the harness itself finds, and verdicts rest on: no session tells them."""
ENQUEUE, ON_DEVICE = "enqueue", "gpu compute"
"""Names of times that a device tells: how long the host takes to hand a query over, and the device to compute it."""
NEVER_NS = (1 << 63) - 1
"""The latency of a query that was dropped: later than any answer."""

# Kinds of record. Each is a JSON object with these keys:
HELLO = "hello"  # protocol, pid, python, machine {…}
ENTER = "enter"  # phase: the worker is about to begin it
PHASE = "phase"  # phase, duration_ns, rss_bytes, peak_rss_bytes: it is done
FACTS = "facts"  # facts {…}, versions {…}, samples {source, count}
NOTE = "note"  # text: something a reader of the report must know
WARM = "warm-up"  # queries, duration_ns, unsteady_queries, settled, rule
AUDITED = "audit"  # queries, latency_ns, wall_ns, loop_ns, ratio
BATCH = "batch"  # size, tried [[size, samples_per_s] …]
BLOCK = "block"  # count, samples, start_ns, wall_ns, seen (disturbance.Watch); payload: count little-endian uint64, ns
# … of an open loop, also: busy_ns, queue_max; of a soak in `seen` now and then: rss_bytes
SERVED = "served"  # rate_per_s, arrivals, seed, unanswered, found_free, late_p50_ns, late_p90_ns, late_p99_ns,
# … lead_ns, workers, sessions, cores [one a worker, where they are pinned];
# … of a crew also: issues, batch_max, answered, dropped, timed_out
SEARCHED = "searched"  # aims [[q, limit_ns] …], trials, curves, tried, late_p50_ns: see ``results.Searched``; also:
# … workers, sessions, cores
TIMES = "device-times"  # name -> {count, mean_ns, least_ns, most_ns, p50_ns, p90_ns, p99_ns}, by the device's clock
OUTPUT = "output"  # name, dtype, shape, first: samples from `first` on; payload: C-order bytes
MEMORY = "memory"  # import_bytes, load_bytes, peak_bytes, method
METERS = "meters"  # window_ns, energy_uj, energy_by, gpu_bytes, gpu_by (metering.Metering), own_bytes
PROFILED = "profiled"  # source, queries, batch, count, total_ns, operators [[name, kind, total_ns, calls] …]
ERROR = "error"  # error (class name), message, trace
END = "end"  # nothing more comes


class RecordError(ValueError):
    """A line that is not in the protocol."""


@dataclass(frozen=True)
class TensorJob:
    """A ``TensorSpec`` on the wire, with the range to draw generated values from."""

    name: str
    dtype: str
    shape: List[Any]
    low: float = 0.0
    high: float = 1.0


@dataclass(frozen=True)
class Job:
    """Everything a worker needs to measure one process run of one case.

    ``adapter`` is ``module:Class``. Paths are absolute on the machine of the worker. ``samples`` is an
    ``.npz`` with one array an input; without it inputs are generated from the ranges with ``seed``.
    The measurement ends when ``max_ns`` or ``max_queries`` is reached, or at the host's ``stop`` once
    ``min_ns`` and ``min_queries`` are reached. ``batch`` is a size, or 0 to find the best one.
    ``only_start`` ends the process run after the first query (the cold-start scenario). ``profile`` times nothing: it
    asks the framework's profiler what each operator takes. With a ``rate_per_s``
    (the server scenario) queries arrive by a schedule of kind ``arrivals``, drawn with ``arrivals_seed``, or read
    from the file ``trace``, for ``max_ns``; what then waits is still answered, for at most as long again.
    One timing holds ``calls_per_timing`` queries (0: as many as it takes near the clock's own cost).
    ``workers`` threads answer them, from batches of up to ``max_batch``, with up to ``queue`` waiting (0: any number).
    For each of ``aims``, a percentile and its limit (ns), the highest rate that keeps it is searched, for ``search_ns``
    in all, or down to ``min_search_ns``, if given, where queries are quick. ``companions`` are the further files of an
    artifact, by its kind; a framework finds them beside it. ``programs`` are the files of ``code_dir`` that options
    name as what is run. The process keeps to ``cores``, where
    there are any. ``token`` comes back in the hello: it is this job's.
    """

    case: str
    adapter: str
    scenario: str
    artifacts: Dict[str, str]
    inputs: List[TensorJob]
    outputs: List[TensorJob]
    state: Dict[str, str] = field(default_factory=dict)
    dims: Dict[str, int] = field(default_factory=dict)
    batch_dim: Optional[str] = None
    factory: Optional[str] = None
    code_dir: Optional[str] = None
    settings: Dict[str, Any] = field(default_factory=dict)
    samples: Optional[str] = None
    seed: int = 0
    batch: int = 1
    min_ns: int = 200_000_000
    max_ns: int = 2_000_000_000
    min_queries: int = 64
    must_samples: int = 0
    max_queries: int = 10_000_000
    calls_per_timing: int = 1
    warm_up_max_ns: int = 3_000_000_000
    collect_outputs: bool = False
    only_start: bool = False
    profile: bool = False
    rate_per_s: float = 0.0
    arrivals: str = "poisson"
    arrivals_seed: int = 0
    trace: Optional[str] = None
    workers: int = 1
    max_batch: int = 1
    max_wait_ns: int = 0
    queue: int = 0
    timeout_ns: int = 0
    aims: List[List[float]] = field(default_factory=list)
    search_ns: int = 0
    min_search_ns: int = 0
    spawned_ns: int = 0
    packages: List[str] = field(default_factory=list)
    companions: Dict[str, List[str]] = field(default_factory=dict)
    programs: List[str] = field(default_factory=list)
    cores: List[int] = field(default_factory=list)
    token: str = ""

    @property
    def soaks(self) -> bool:
        """Whether it goes on for long, as a service does."""
        return self.scenario == "soak"

    @property
    def needs_crew(self) -> bool:
        """Whether queries are answered by more than one thread that takes them in order, one by one."""
        return self.workers > 1 or self.max_batch > 1 or self.queue > 0 or self.timeout_ns > 0


def encode_job(job: Job) -> bytes:
    """The job as its one line."""
    return json.dumps(asdict(job), separators=(",", ":")).encode() + b"\n"


def decode_job(line: bytes) -> Job:
    """The job from its line; RecordError if it is not one."""
    fields = decode_line(line)
    try:
        for name in ("inputs", "outputs"):
            fields[name] = [TensorJob(**tensor) for tensor in fields[name]]
        return Job(**fields)
    except (KeyError, TypeError) as error:
        raise RecordError("not a job: %s" % error)


def encode(kind: str, fields: Mapping[str, Any], payload_bytes: int = 0) -> bytes:
    """One record's line; the caller writes the payload after it."""
    record = dict(fields, kind=kind)
    if payload_bytes:
        record["payload"] = payload_bytes
    return json.dumps(record, separators=(",", ":"), default=str).encode() + b"\n"


def decode_line(line: bytes) -> Dict[str, Any]:
    """One line of JSON as an object; RecordError if it is anything else."""
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        raise RecordError("not a record: %r" % line[:80])
    if not isinstance(record, dict):
        raise RecordError("not a record: %r" % line[:80])
    return record


def decode(line: bytes) -> Tuple[str, Dict[str, Any], int]:
    """A record's line as (kind, fields, bytes of payload that follow)."""
    record = decode_line(line)
    kind, payload = record.pop("kind", None), record.pop("payload", 0)
    if not isinstance(kind, str):
        raise RecordError("a record without a kind: %r" % line[:80])
    if isinstance(payload, bool) or not isinstance(payload, int) or not 0 <= payload <= MAX_PAYLOAD_BYTES:
        raise RecordError("a record with a payload of %r bytes" % (payload,))
    return kind, record, payload
