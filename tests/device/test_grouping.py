"""Calls near the clock's own cost are timed in groups, under a scripted clock: how large, and what is kept."""

from __future__ import annotations

import pytest

from bench.device.grouping import FLOOR, MOST_CALLS, choose_calls
from bench.device.scenarios import Issuer
from tests.device.clock import Clock, Session, WithState, library

MANY = 10**7
READING_NS = 40


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch, reading_ns=READING_NS)


def issuer(clock: Clock, run_ns: int, count: int = 10) -> Issuer:
    return Issuer(Session(clock, lambda staged: run_ns), library(count), 1, overlapped=False)


@pytest.mark.parametrize("run_ns", [1, 3, 40, 100, 379, 760, 761, 10_000])
def test_a_group_is_the_smallest_power_of_two_that_reaches_the_floor(clock: Clock, run_ns: int) -> None:
    calls = choose_calls(issuer(clock, run_ns), READING_NS, MANY)
    floor = FLOOR * READING_NS
    assert calls.bit_count() == 1
    assert calls * run_ns + READING_NS >= floor - calls / 2, "the mean is told to the nearest ns"
    assert calls == 1 or calls // 2 * run_ns + READING_NS < floor + calls / 4


def test_a_call_above_the_floor_is_timed_by_itself(clock: Clock) -> None:
    made = issuer(clock, FLOOR * READING_NS)
    assert choose_calls(made, READING_NS, MANY) == made.calls == 1


def test_a_group_is_bounded_also_by_how_many_queries_there_may_be(clock: Clock) -> None:
    assert choose_calls(issuer(clock, 0), READING_NS * 10**6, MANY) == MOST_CALLS
    assert choose_calls(issuer(clock, 0), READING_NS * 10**6, 15) == 8
    assert choose_calls(issuer(clock, 0), READING_NS * 10**6, 0) == 1


def test_a_session_with_state_is_timed_query_by_query(clock: Clock) -> None:
    """What moves it on lies between two queries: a group would count it."""
    session = WithState(clock, lambda staged: 1)
    made = Issuer(session, library(), 1, overlapped=False)
    assert choose_calls(made, READING_NS, MANY) == 1
    assert made.block(5).latencies_ns == [1 + READING_NS] * 5


@pytest.mark.parametrize("count", [1, 3, 10, 64])
def test_grouped_queries_go_round_the_samples_in_order(clock: Clock, count: int) -> None:
    session = Session(clock, lambda staged: 10)
    made = Issuer(session, library(count), 1, overlapped=False)
    made.calls = 4
    block = made.block(23)
    assert [int(one[0]) for one in session.issued] == [at % count for at in range(20)]
    assert (len(block.latencies_ns), block.samples) == (5, 20)
    assert block.latencies_ns == [10 + READING_NS // 4] * 5
    assert block.span.wall_ns == 5 * (4 * 10 + 2 * READING_NS) + READING_NS


def test_samples_are_counted_also_where_batches_are_timed_in_groups(clock: Clock) -> None:
    made = Issuer(Session(clock, lambda staged: 10), library(), 3, overlapped=False)
    made.calls = 4
    assert made.block(8).samples == 2 * 4 * 3


def test_at_least_one_group_is_issued(clock: Clock) -> None:
    made = issuer(clock, 10)
    made.calls = 16
    assert [made.block(queries).samples for queries in (-1, 0, 1, 15, 31, 32)] == [16] * 5 + [32]


def test_a_timing_is_the_mean_of_its_calls_to_the_nearest_nanosecond(clock: Clock) -> None:
    durations = iter([10, 11, 11, 11, 1, 2, 2, 2])
    session = Session(clock, lambda staged: next(durations))
    clock.reading_ns = 0
    made = Issuer(session, library(), 1, overlapped=False)
    made.calls = 4
    assert made.block(8).latencies_ns == [11, 2]


def test_as_many_groups_as_there_were_single_queries_are_made_anew(clock: Clock) -> None:
    """Seen: the queue of the single queries had the right length, and was taken for one of groups."""
    made = issuer(clock, 10)
    made.block(5)
    made.calls = 2
    assert made.block(10).samples == 10
    made.calls = 1
    assert len(made.block(5).latencies_ns) == 5
