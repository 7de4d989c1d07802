"""Blocks are put together where there are many, and nothing that is counted is lost."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from bench import typed_json
from bench.launch.blocks import MOST_BLOCKS, Blocks, joined
from bench.results import Block, ProcessRun, Seen


def block(at: int, seen: Seen | None = None) -> Block:
    return Block(2, 2, at * 25, 25, 1, 20, at % 7, seen or Seen(own_ns=10, machine_ns=12, rss_bytes=1000 + at))


def kept(count: int) -> tuple[Block, ...]:
    blocks = Blocks()
    for at in range(count):
        blocks.add(block(at))
    return blocks.all()


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 5 * MOST_BLOCKS))
def test_nothing_that_is_counted_is_lost(count: int) -> None:
    found = kept(count)
    assert len(found) <= MOST_BLOCKS
    assert sum(one.count for one in found) == sum(one.samples for one in found) == 2 * count
    assert sum(one.wall_ns for one in found) == 25 * count
    assert sum(one.switches for one in found) == count
    assert sum(one.busy_ns or 0 for one in found) == 20 * count
    assert sum(one.seen.own_ns or 0 for one in found) == 10 * count
    for one, other in pairwise(found):
        assert one.start_ns + one.wall_ns == other.start_ns
    if count:
        assert found[-1].seen.rss_bytes == 999 + count


def test_few_blocks_are_kept_as_they_are() -> None:
    assert kept(MOST_BLOCKS - 1) == tuple(map(block, range(MOST_BLOCKS - 1)))


def test_days_of_blocks_take_a_small_file() -> None:
    assert len(typed_json.dumps(ProcessRun(0, blocks=kept(200_000)))) < 1 << 20


def test_what_only_some_tell_is_told_of_none_but_memory_and_frequency() -> None:
    found = joined([block(0, Seen(own_ns=5, frequency_khz=3000, rss_bytes=7)), block(1, Seen(frequency_khz=1000))])
    assert found.seen == Seen(frequency_khz=2000, rss_bytes=7)
    assert found.queue_max == 1
