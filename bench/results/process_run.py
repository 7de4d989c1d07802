"""One fresh process, from its start to its end: phases, memory, blocks, facts, or how it failed."""

from __future__ import annotations

from dataclasses import dataclass, field

from bench.device.records import CALLS_PER_TIMING, CLOSE
from bench.results.block import Block, Disturbed
from bench.results.failure import Failure
from bench.results.json_value import Json
from bench.results.serving import Searched, Serving


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
    budget_ns: int | None = None
    """The longest that the time budget let it measure; None where that was as long as the contract says."""
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
