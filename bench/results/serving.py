"""What a server scenario tells beside its latencies: who answered, how its schedule was kept, what rates were tried."""

from __future__ import annotations

from dataclasses import dataclass, field


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
    lead_ns: int | None = None
    """How long before an arrival the thread that waited for it stopped sleeping and polled the clock, at most."""
    between_ns: int | None = None
    """What the harness took in all from the end of a query to the issue of the next, where that had waited.

    It is a part of the blocks' ``busy_ns``. None of several workers, of a model with state, and of earlier versions.
    """


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
    """The middle trial's median lateness of issue, of those in which a query found a worker free; None: in no trial."""
