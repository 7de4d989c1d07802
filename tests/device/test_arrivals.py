"""The schedule: exponential gaps, the same for the same seed, and the queue theory that follows from them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from bench.device.arrivals import Arrivals, Recorded, Schedule
from tests.device.queues import NS_PER_S, mean_wait_in_bursts_ns, mean_wait_ns, sojourns


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("rate", [0.5, 200.0, 20_000.0])
def test_gaps_of_poisson_arrivals_are_exponential(rate: float, seed: int) -> None:
    gaps = np.diff(Arrivals("poisson", rate, seed).next(20_000))
    assert stats.kstest(gaps, "expon", args=(0, NS_PER_S / rate)).pvalue > 0.001


@pytest.mark.parametrize("seed", range(3))
def test_gaps_of_poisson_arrivals_do_not_depend_on_each_other(seed: int) -> None:
    gaps = np.diff(Arrivals("poisson", 100.0, seed).next(20_000))
    for lag in (1, 2, 10):
        assert abs(np.corrcoef(gaps[:-lag], gaps[lag:])[0, 1]) < 4 / np.sqrt(len(gaps))


@pytest.mark.parametrize("load", [0.3, 0.5, 0.7, 0.8])
def test_the_mean_wait_of_a_long_schedule_is_pollaczek_and_khinchines(load: float) -> None:
    service_ns, count = 1_000_000, 1_000_000
    rate = load * NS_PER_S / service_ns
    due = Arrivals("poisson", rate, 20260101).next(count)
    waits = sojourns(due, np.full(count, service_ns)) - service_ns
    assert waits.mean() == pytest.approx(mean_wait_ns(rate, service_ns), rel=0.02)


@pytest.mark.parametrize("seed", range(3))
def test_bursts_come_at_once_at_random_moments_and_keep_the_mean_rate(seed: int) -> None:
    offsets = Arrivals("bursts of 8", 400.0, seed).next(80_000)
    moments, sizes = np.unique(offsets, return_counts=True)
    assert set(sizes) == {8}
    assert stats.kstest(np.diff(moments), "expon", args=(0, 8 * NS_PER_S / 400.0)).pvalue > 0.001
    assert len(offsets) / offsets[-1] * NS_PER_S == pytest.approx(400.0, rel=0.03)


@pytest.mark.parametrize(("load", "size"), [(0.3, 8), (0.7, 2), (0.8, 8)])
def test_the_mean_wait_in_bursts_is_that_of_bulk_arrivals(load: float, size: int) -> None:
    service_ns, count = 1_000_000, 1_000_000
    rate = load * NS_PER_S / service_ns
    due = Arrivals(f"bursts of {size}", rate, 20260101).next(count)
    waits = sojourns(due, np.full(count, service_ns)) - service_ns
    assert waits.mean() == pytest.approx(mean_wait_in_bursts_ns(rate, service_ns, size), rel=0.05)


@pytest.mark.parametrize("most", [0, 3, 300, 5000])
def test_a_recorded_schedule_gives_each_arrival_once_and_ends(most: int) -> None:
    offsets = np.sort(np.random.default_rng(2).integers(0, 10**9, 2000))
    for window_ns in (5 * 10**8, 2 * 10**9):
        wanted = offsets[offsets < window_ns][:most].tolist()
        by_count, taken = Schedule(Recorded(offsets, 2000.0), window_ns, most), []
        while len(found := by_count.peek(7)):
            by_count.take(len(found))
            taken += found.tolist()
        assert taken == wanted
        by_time = Schedule(Recorded(offsets, 2000.0), window_ns, most)
        assert [*by_time.until(3 * 10**8).tolist(), *by_time.until(10**18).tolist()] == wanted


def test_constant_arrivals_keep_their_distance_and_drift_nowhere() -> None:
    offsets = Arrivals("constant", 3.0, 1).next(3_000_000)
    assert set(np.diff(offsets)) == {333_333_333, 333_333_334}
    assert offsets[-1] == 1_000_000 * NS_PER_S


@settings(deadline=None, max_examples=30)
@given(
    kind=st.sampled_from(["poisson", "constant", "bursts of 2", "bursts of 7"]),
    pieces=st.lists(st.integers(0, 50), min_size=1, max_size=10),
    seed=st.integers(0, 2**32),
)
def test_the_same_seed_gives_the_same_arrivals_whatever_the_pieces(kind: str, pieces: list[int], seed: int) -> None:
    schedule = Arrivals(kind, 1234.5, seed)
    told = np.concatenate([schedule.next(count) for count in pieces])
    assert told.tolist() == Arrivals(kind, 1234.5, seed).next(sum(pieces)).tolist()


def test_another_seed_gives_other_arrivals() -> None:
    assert Arrivals("poisson", 9.0, 1).next(5).tolist() != Arrivals("poisson", 9.0, 2).next(5).tolist()


@pytest.mark.parametrize(
    ("kind", "rate"),
    [
        ("bursts", 1.0),
        ("bursts of 1", 1.0),
        ("bursts of 08", 1.0),
        ("trace", 1.0),
        ("poisson", 0.0),
        ("poisson", float("nan")),
    ],
)
def test_a_schedule_that_is_none_is_refused(kind: str, rate: float) -> None:
    with pytest.raises(ValueError, match="arrivals"):
        Arrivals(kind, rate, 1)


@settings(deadline=None, max_examples=50)
@given(most=st.integers(0, 300), takes=st.lists(st.tuples(st.booleans(), st.integers(1, 60)), max_size=20))
def test_a_schedule_gives_each_arrival_of_its_window_once(most: int, takes: list[tuple[bool, int]]) -> None:
    """Taken by count or by time, in any order."""
    window_ns = 100 * 10**7
    schedule, taken, now = Schedule(Arrivals("poisson", 200.0, 3), window_ns, most), [], 0
    for by_count, amount in takes:
        if by_count:
            found = schedule.peek(amount)
            schedule.take(len(found))
        else:
            now += amount * 10**7
            found = schedule.until(now)
            assert not len(schedule.peek(1)) or schedule.peek(1)[0] > now
        taken += found.tolist()
    taken += schedule.until(10**18).tolist()
    everything = Arrivals("poisson", 200.0, 3).next(1000)
    assert taken == everything[everything < window_ns][:most].tolist()
    assert not len(schedule.peek(5))
