"""A stretch of the timed loop, and what disturbed it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


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
