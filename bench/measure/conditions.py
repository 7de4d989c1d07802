"""What holds for every case of a run."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from bench.budget import GRACE_NS, Budget
from bench.contract.model import Contract
from bench.launch.launchers import Launchers
from bench.progress import Progress
from bench.store import RunStore


@dataclass(frozen=True)
class Conditions:
    """What holds for every case of a run."""

    contract: Contract
    store: RunStore
    progress: Progress
    budget: Budget
    allow_code: bool
    launchers: Launchers
    timeout_ns: int | None = None
    cancel: threading.Event = field(default_factory=threading.Event)
    """Set where the run ends early: a case that is not done then is not stored."""

    def code_s(self, most_s: float) -> float:
        """How long code of the user's may run outside a worker, in seconds: as long as a process may that hangs."""
        left_ns = self.budget.left_ns()
        bounds = [most_s] if left_ns is None else [most_s, max(left_ns, GRACE_NS) / 1e9]
        return min(bounds if self.timeout_ns is None else [*bounds, self.timeout_ns / 1e9])
