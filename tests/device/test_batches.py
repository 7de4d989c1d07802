"""Finding the best batch under a scripted clock: the same answer every time, however noisy, and in bounded time."""

from __future__ import annotations

import random
from typing import Any

import pytest

from bench.device.batches import SEARCH_NS, best_batch
from tests.device.clock import Clock, Session, library

MS = 1_000_000


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def cached(staged: Any) -> int:
    """A call costs 1 ms and 0.1 ms a sample, and three times as much beyond a cache of 16 samples."""
    return MS + len(staged) * MS // 10 * (1 if len(staged) <= 16 else 3)


def find(session: Session) -> tuple[int, list[tuple[int, float]]]:
    return best_batch(session, library(), overlapped=False, stopped=lambda: False)


def test_the_batch_with_the_highest_throughput_is_found(clock: Clock) -> None:
    size, tried = find(Session(clock, cached))
    assert size == 16
    assert [one for one, _ in tried] == [1, 2, 4, 8, 16, 32, 64, 128]
    assert dict(tried)[16] == pytest.approx(16 / 2.6e-3)


def test_throughput_that_only_grows_ends_at_the_largest_batch(clock: Clock) -> None:
    size, tried = find(Session(clock, lambda staged: MS))
    assert (size, len(tried)) == (256, 9)


def test_of_sizes_that_are_about_as_good_the_smallest_is_taken(clock: Clock) -> None:
    """Throughput is flat from 8 on but for 3 %: nobody should wait for 256 samples for that."""
    session = Session(clock, lambda staged: max(8, len(staged)) * MS // 10 * (100 if len(staged) < 256 else 97) // 100)
    assert find(session)[0] == 8


@pytest.mark.parametrize("seed", range(20))
def test_other_work_on_the_machine_changes_nothing(clock: Clock, seed: int) -> None:
    """A third of all moments of 40 ms is slowed down to half or less: one try a size would be misled."""
    chance = random.Random(seed)
    slowed: dict[int, float] = {}

    def run_ns(staged: Any) -> int:
        moment = clock.now_ns // (40 * MS)
        factor = slowed.setdefault(moment, chance.uniform(2, 5) if chance.random() < 1 / 3 else chance.uniform(1, 1.01))
        return int(cached(staged) * factor)

    assert find(Session(clock, run_ns))[0] == 16


@pytest.mark.parametrize("query_ns", [MS, 30 * MS, 400 * MS])
def test_the_search_is_over_in_time(clock: Clock, query_ns: int) -> None:
    begin = clock.now_ns
    size, tried = find(Session(clock, lambda staged: query_ns * len(staged)))
    assert clock.now_ns - begin < 1.1 * SEARCH_NS
    assert (size, tried[0][0]) == (1, 1)


def test_a_model_slower_than_the_search_is_tried_with_one_sample(clock: Clock) -> None:
    size, tried = find(Session(clock, lambda staged: 2 * SEARCH_NS))
    assert (size, [one for one, _ in tried]) == (1, [1])


def test_sizes_take_turns(clock: Clock) -> None:
    """A machine that slows down as it gets warm must not favour the sizes that came first."""
    session = Session(clock, lambda staged: len(staged) * MS // 10)
    find(session)
    order = [len(staged) for staged in session.issued]
    last = [batch for batch, before in zip(order[1:], order, strict=False) if batch != before][-9:]
    assert last == [1, 2, 4, 8, 16, 32, 64, 128, 256]


def test_looking_for_the_best_batch_stops_when_asked(clock: Clock) -> None:
    answers = iter([False, False, True, True])
    size, tried = best_batch(Session(clock, lambda staged: MS), library(), False, lambda: next(answers))
    assert (size, len(tried)) == (2, 2)
    assert best_batch(Session(clock, lambda staged: MS), library(), False, lambda: True) == (1, [])
