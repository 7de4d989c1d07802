"""Which blocks were disturbed, and by what; what a measurement is without them. Pure.

A disturbed block is marked, never dropped: figures and verdicts are of all blocks, because a caller would have
waited for the slow ones too. The same figures without those blocks stand beside them, and a contract may ask
for the verdict without them.

What the kernel counts in ticks of 10 ms (steal, other work) says nothing of a block of 25 ms: it is looked at
over stretches of blocks of at least ``STRETCH_NS``, and marks all of a stretch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from statistics import median

import numpy as np
from numpy.typing import NDArray

from bench.results import Block, Disturbed, Figure, ProcessRun, Undisturbed

WAITED = 0.01
"""Of a block's time, in which the thread that times was ready to run and had no processor."""
SWITCHES_PER_S = 100
"""Involuntary context switches in a second of a block, where it has more than two."""
PRESSURE = 0.2
"""Of a block's time, in which some work on the machine was ready to run and had no processor."""
STEAL = 0.05
"""Of a stretch's time, that the host of a virtual machine took, of all processors together."""
OTHER = 0.5
"""Of the processors that the worker left free in a stretch (one at least), used by other work."""
SLOWER = 0.9
"""Of the process's own median frequency, below which a block ran slowly."""
STRETCH_NS = 200_000_000

Timings = Callable[[ProcessRun], NDArray[np.uint64] | None]


def marked(run: ProcessRun) -> ProcessRun:
    """The process run with its disturbed blocks marked, each with every reason."""
    reasons = [_of_block(one) for one in run.blocks]
    cores = run.machine.get("cores")
    for first, last in _stretches(run.blocks):
        found = _of_stretch(run.blocks[first:last], cores if isinstance(cores, int) else 1)
        for own in reasons[first:last]:
            own += found
    frequencies = [one.seen.frequency_khz for one in run.blocks if one.seen.frequency_khz]
    usual = median(frequencies) if frequencies else 0.0
    for own, block in zip(reasons, run.blocks, strict=True):
        if block.seen.frequency_khz is not None and block.seen.frequency_khz < SLOWER * usual:
            own.append("low frequency")
    return replace(run, disturbed=tuple(Disturbed(at, tuple(own)) for at, own in enumerate(reasons) if own))


def _of_block(block: Block) -> list[str]:
    seen, wall_ns = block.seen, block.wall_ns
    reasons = []
    if seen.waited_ns is not None and seen.waited_ns > WAITED * wall_ns:
        reasons.append("waited for a processor")
    if block.switches > max(2.0, SWITCHES_PER_S * wall_ns / 1e9):
        reasons.append("context switches")
    if seen.pressure_ns is not None and seen.pressure_ns > PRESSURE * wall_ns:
        reasons.append("pressure")
    if seen.throttled or seen.cooling:
        reasons.append("throttling")
    if seen.low_voltage:
        reasons.append("low voltage")
    return reasons


def _of_stretch(blocks: Sequence[Block], cores: int) -> list[str]:
    wall_ns = sum(one.wall_ns for one in blocks)
    steal, own, machine = (
        [value for one in blocks if (value := getattr(one.seen, name)) is not None]
        for name in ("steal_ns", "own_ns", "machine_ns")
    )
    reasons = ["steal"] if sum(steal) > STEAL * wall_ns else []
    if len(own) == len(machine) == len(blocks):
        free = max(1.0, cores - sum(own) / wall_ns)
        if sum(machine) - sum(own) > OTHER * free * wall_ns:
            reasons.append("other work")
    return reasons


def _stretches(blocks: Sequence[Block]) -> list[tuple[int, int]]:
    """From where to where each stretch goes; what is left at the end belongs to the last. None where all is shorter."""
    ends, lasted_ns = [0], 0
    for at, block in enumerate(blocks, start=1):
        lasted_ns += block.wall_ns
        if lasted_ns >= STRETCH_NS:
            ends.append(at)
            lasted_ns = 0
    if len(ends) > 1:
        ends[-1] = len(blocks)
    return list(pairwise(ends))


def without(run: ProcessRun, latencies: NDArray[np.uint64] | None) -> tuple[ProcessRun, NDArray[np.uint64] | None]:
    """The process run as if its disturbed blocks had not been measured, and its timings likewise."""
    if not run.disturbed:
        return run, latencies
    dropped = {one.block for one in run.disturbed}
    kept = [at not in dropped for at in range(len(run.blocks))]
    blocks = tuple(block for block, keep in zip(run.blocks, kept, strict=True) if keep)
    cut = replace(run, blocks=blocks, timings_count=sum(one.count for one in blocks))
    if latencies is None:
        return cut, None
    mask = np.repeat(kept, [one.count for one in run.blocks])
    return cut, latencies[: len(mask)][mask]


def all_without(runs: Sequence[ProcessRun], timings: Timings) -> tuple[list[ProcessRun], Timings]:
    """``without`` for several: the cut process runs, and what gives their timings."""
    whole = {run.index: run for run in runs}

    def cut(run: ProcessRun) -> NDArray[np.uint64] | None:
        return without(whole[run.index], timings(whole[run.index]))[1]

    return [without(run, None)[0] for run in runs], cut


def beside(figure: Figure, rest: Figure) -> Figure:
    """The figure of all blocks, with what it is without the disturbed ones beside it."""
    left = Undisturbed(rest.value, rest.low, rest.high, rest.processes, rest.count, rest.why_not)
    return replace(figure, undisturbed=left)


def left_of(figure: Figure) -> Figure:
    """The figure without the disturbed blocks; itself where none was disturbed."""
    return figure if figure.undisturbed is None else Figure(figure.metric, figure.unit, **vars(figure.undisturbed))


def counted(runs: Sequence[ProcessRun]) -> tuple[int, int]:
    """How many blocks are marked, of how many."""
    return sum(len(run.disturbed) for run in runs), sum(len(run.blocks) for run in runs)
