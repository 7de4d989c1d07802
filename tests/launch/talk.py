"""What the tests of launcher and worker share: a small job, an ear, and one process run through the real launcher."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from bench.device.records import Job, TensorJob
from bench.launch.conversation import Conversation
from bench.launch.local import run_worker
from bench.results import Block, ProcessRun

MS = 1_000_000
NULL = "backends.null:NullAdapter"


def job(adapter: str = NULL, extra: dict[str, Any] | None = None, **changes: Any) -> Job:
    """A job that is over in a tenth of a second: ``x`` float32 (batch, 4) in, ``y`` float32 (batch, 3) out."""
    small = Job(
        case="test.single-stream",
        adapter=adapter,
        scenario="single-stream",
        artifacts={},
        inputs=[TensorJob("x", "float32", ["batch", 4])],
        outputs=[TensorJob("y", "float32", ["batch", 3])],
        batch_dim="batch",
        settings={"extra": extra or {}},
        min_ns=10 * MS,
        max_ns=60 * MS,
        warm_up_max_ns=200 * MS,
    )
    return replace(small, **changes)


@dataclass
class Ear:
    """A listener that keeps what it hears; ``on_phase`` and ``on_block`` may do something more."""

    on_phase: Callable[[str], object] = lambda name: None
    on_block: Callable[[Block], object] = lambda block: False
    phases: list[str] = field(default_factory=list)
    payloads: list[bytes] = field(default_factory=list)

    def phase(self, name: str) -> None:
        self.phases.append(name)
        self.on_phase(name)

    def block(self, block: Block, payload: bytes) -> bool:
        self.payloads.append(payload)
        return bool(self.on_block(block))

    @property
    def timings(self) -> Any:
        return np.frombuffer(b"".join(self.payloads), "<u8")


@dataclass
class Told:
    """One process run, and who heard it."""

    run: ProcessRun
    ear: Ear
    outputs: dict[str, Any]


def measure(one: Job, ear: Ear | None = None, deadline_s: float = 60.0) -> Told:
    """One process run in a real process."""
    ear = ear or Ear()
    conversation = Conversation(0, one.batch, ear)
    failure = run_worker(one, conversation, deadline_s)
    timings = ("t.npy", len(ear.timings)) if ear.payloads else None
    return Told(conversation.process_run(failure, timings), ear, dict(conversation.outputs()))
