"""What holds for every case of a run."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from bench.budget import Budget
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
