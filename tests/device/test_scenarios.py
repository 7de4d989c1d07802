"""Issuing queries under a scripted clock: order, groups, warm-up."""

from __future__ import annotations

import random

import numpy as np
import pytest

from bench.device.library import SampleLibrary
from bench.device.loop import MAX_BLOCK
from bench.device.scenarios import OVERLAPPED, Issuer, warm_up
from tests.device.clock import Asynchronous, Clock, Overlapping, Session, WithState, library

MS = 1_000_000


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def test_queries_go_round_the_samples_in_order(clock: Clock) -> None:
    session = Session(clock, lambda staged: 10)
    block = Issuer(session, library(count=6), 2, overlapped=False).block(5)
    assert [list(staged) for staged in session.issued] == [[0, 1], [2, 3], [4, 5], [0, 1], [2, 3]]
    assert block.latencies_ns == [10] * 5
    assert block.samples == 10
    assert block.span.wall_ns == 50


def test_a_batch_larger_than_the_library_wraps_round(clock: Clock) -> None:
    session = Session(clock, lambda staged: 1)
    Issuer(session, library(count=3), 7, overlapped=False).block(1)
    assert list(session.issued[0]) == [0, 1, 2, 0, 1, 2, 0]


@pytest.mark.parametrize(("asked", "issued"), [(-1, 1), (0, 1), (1, 1), (100, 100), (MAX_BLOCK + 1, MAX_BLOCK)])
def test_a_block_has_at_least_one_query_and_is_bounded(clock: Clock, asked: int, issued: int) -> None:
    issuer = Issuer(Session(clock, lambda staged: 1), library(), 1, overlapped=False)
    assert len(issuer.block(asked).latencies_ns) == issued


def test_blocks_do_not_share_their_timings(clock: Clock) -> None:
    durations = iter(range(1, 100))
    issuer = Issuer(Session(clock, lambda staged: next(durations)), library(), 1, overlapped=False)
    first, second = issuer.block(3), issuer.block(3)
    assert (first.latencies_ns, second.latencies_ns) == ([1, 2, 3], [4, 5, 6])


def test_the_staged_pool_is_bounded_in_count_and_bytes(clock: Clock) -> None:
    assert len(Issuer(Session(clock, lambda staged: 1), library(count=1000), 1, overlapped=False).pool) == 64
    rows = np.broadcast_to(np.float32(0), (1000, 5 << 18))  # 5 MiB a sample
    large = SampleLibrary(1000, 1, {"x": rows}, {}, "generated")
    assert len(Issuer(Session(clock, lambda staged: 1), large, 1, overlapped=False).pool) == 6


def test_state_moves_on_after_every_query_outside_the_latencies(clock: Clock) -> None:
    session = WithState(clock, lambda staged: 10)
    block = Issuer(session, library(count=2), 1, overlapped=True).block(3)
    assert [one if isinstance(one, str) else int(one[0]) for one in session.issued] == [
        0, "advance", 1, "advance", 0, "advance",
    ]  # fmt: skip
    assert block.latencies_ns == [10] * 3
    assert block.span.wall_ns == 3 * (10 + MS)


@pytest.mark.parametrize(("batch_ns", "group"), [(MS, 32), (5 * MS, 20), (50 * MS, 8), (2000 * MS, 8)])
def test_overlapped_work_goes_out_in_groups_of_one_size(clock: Clock, batch_ns: int, group: int) -> None:
    session = Overlapping(clock, lambda staged: batch_ns)
    issuer = Issuer(session, library(), 4, overlapped=True)
    blocks = [issuer.block(queries) for queries in (1, 3, 70, 1000)]
    assert set(session.groups) == {group}
    assert OVERLAPPED[0] <= group <= OVERLAPPED[1]
    for block in blocks:
        assert block.samples == len(block.latencies_ns) * group * 4
        assert set(block.latencies_ns) == {group * batch_ns // 2}


def test_a_session_that_can_overlap_does_so_only_where_it_is_asked(clock: Clock) -> None:
    session = Overlapping(clock, lambda staged: 10)
    assert Issuer(session, library(), 1, overlapped=False).block(3).latencies_ns == [10] * 3
    assert session.groups == []


@pytest.mark.parametrize("kind", [Session, Overlapping])
def test_the_warm_up_ends_when_blocks_agree(clock: Clock, kind: type[Session]) -> None:
    """A cold cache: calls get faster until the hundredth, and stay so."""
    calls = iter(range(10**9))
    session = kind(clock, lambda staged: max(MS // 10, MS - next(calls) * 9000))
    issuer = Issuer(session, library(), 1, overlapped=True)
    steps = list(warm_up(issuer, MS, 5000 * MS))
    end = steps[-1]
    assert end.unsteady_queries is not None
    assert not any(one.settled for one in steps[:-1])
    assert next(calls) >= end.queries > end.unsteady_queries >= 90
    assert end.duration_ns < 5000 * MS


def test_a_warm_up_that_never_settles_ends_with_its_time(clock: Clock) -> None:
    chance = random.Random(1)
    session = Session(clock, lambda staged: chance.randrange(MS, 7 * MS))
    end = list(warm_up(Issuer(session, library(), 1, overlapped=False), MS, 300 * MS))[-1]
    assert not end.settled
    assert 300 * MS <= end.duration_ns < 400 * MS


def test_work_cannot_pile_up_in_the_warm_up(clock: Clock) -> None:
    """A session that only enqueues looks a thousand times faster than it is: the drained query bounds it."""
    session = Asynchronous(clock, work_ns=MS)
    issuer = Issuer(session, library(), 1, overlapped=False)
    longest, before = 0, clock.now_ns
    for _ in warm_up(issuer, issuer.drained_ns(), 500 * MS):
        longest, before = max(longest, clock.now_ns - before), clock.now_ns
    assert longest < 50 * MS
