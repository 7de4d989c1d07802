"""The blocks of a process run, put together where there are many: hours of them take no more than a minute's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields

from bench.device.disturbance import STATES
from bench.results import Block, Seen

MOST_BLOCKS = 2_000
"""Of one process run; 100 of them stay far below what a case's file may hold. Timings are all kept anyhow."""


class Blocks:
    """Takes blocks in time order and keeps ``MOST_BLOCKS`` at most: where there are more, neighbours are joined.

    All kept ones but the last are made of the same number of blocks, a power of two.
    """

    def __init__(self) -> None:
        self._kept: list[Block] = []
        self._open: list[Block] = []
        self._together = 1

    def add(self, block: Block) -> None:
        """The next block."""
        self._open.append(block)
        if len(self._open) < self._together:
            return
        self._kept.append(joined(self._open))
        self._open.clear()
        if len(self._kept) == MOST_BLOCKS:
            self._kept = [joined(self._kept[at : at + 2]) for at in range(0, MOST_BLOCKS, 2)]
            self._together *= 2

    def all(self) -> tuple[Block, ...]:
        """What is kept, in time order."""
        return (*self._kept, *([joined(self._open)] if self._open else []))


def joined(blocks: Sequence[Block]) -> Block:
    """Neighbours as one block, which lasts from the first one's beginning as long as all of them together."""
    if len(blocks) == 1:
        return blocks[0]
    busy = [one.busy_ns for one in blocks if one.busy_ns is not None]
    queues = [one.queue_max for one in blocks if one.queue_max is not None]
    return Block(
        count=sum(one.count for one in blocks),
        samples=sum(one.samples for one in blocks),
        start_ns=blocks[0].start_ns,
        wall_ns=sum(one.wall_ns for one in blocks),
        switches=sum(one.switches for one in blocks),
        busy_ns=sum(busy) if len(busy) == len(blocks) else None,
        queue_max=max(queues, default=None),
        seen=_seen(blocks),
    )


def _seen(blocks: Sequence[Block]) -> Seen:
    """What grew is summed where all tell it; of the frequency the mean, of memory the last, of states the worst."""
    found: dict[str, int] = {}
    for name in (one.name for one in fields(Seen)):
        told = [(value, one.wall_ns) for one in blocks if (value := getattr(one.seen, name)) is not None]
        if name == "rss_bytes" and told:
            found[name] = told[-1][0]
        elif name == "frequency_khz" and told:
            found[name] = round(sum(value * wall_ns for value, wall_ns in told) / sum(wall_ns for _, wall_ns in told))
        elif name in STATES and told:
            found[name] = max(value for value, _ in told)
        elif len(told) == len(blocks):
            found[name] = sum(value for value, _ in told)
    return Seen(**found)
