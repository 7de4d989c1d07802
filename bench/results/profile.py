"""What a framework's own profiler told of a model: nothing that is timed or judged."""

from __future__ import annotations

from dataclasses import dataclass

from bench.device.operators import Operator
from bench.results.process_run import ProcessRun


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
