"""The search for the highest rate with several workers, or batches: by arithmetic, in virtual time, and for real."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from bench.device.arrivals import Arrivals, Schedule
from bench.device.bracket import Bracket, rising
from bench.device.line import Line, Rules
from bench.device.rate_search import TRIALS, Aim, RateSearch, Trial, estimate
from bench.device.replay import services, sojourns
from bench.device.stations import cores_for
from tests.device.queues import NS_PER_S, arrivals, simulate
from tests.device.test_crew import SLACK_NS, crew_of
from tests.device.virtual import Virtual
from tests.launch.talk import job, measure

MS = 1_000_000
TWO = 2
WINDOW_NS = 1500 * MS
Queue = Callable[[NDArray[Any], Any], NDArray[Any]]


def constant(due: NDArray[Any], random: Any) -> NDArray[Any]:
    return np.asarray(sojourns(due, np.full(len(due), 1.0 * MS), TWO))


def log_normal(due: NDArray[Any], random: Any) -> NDArray[Any]:
    return np.asarray(sojourns(due, MS * np.exp(0.2 * random.standard_normal(len(due)) - 0.02), TWO))


def joined(due: NDArray[Any], random: Any) -> NDArray[Any]:
    """Up to four at once, in 1 ms and 0.2 ms more for each but the first: no single time tells it."""
    served = simulate(due, lambda size: MS + (size - 1) * MS // 5, max_batch=4)
    return np.array(served.latencies_ns)


def truth(queue: Queue, aim: Aim, most: float, queries: int) -> float:
    """By halving, on so many queries a rate."""
    low, high = 0.0, most
    random = np.random.default_rng(99)
    gaps = np.cumsum(random.exponential(1.0, queries))
    for _ in range(9):
        rate = (low + high) / 2
        found = queue((gaps * NS_PER_S / rate).astype(np.int64), np.random.default_rng(7))
        kept = np.count_nonzero(found > aim.limit_ns) <= (1 - aim.q) * len(gaps)
        low, high = (rate, high) if kept else (low, rate)
    return low


def searched(search: RateSearch | Bracket, queue: Queue, seed: int) -> float:
    random = np.random.default_rng(seed)
    for trial in range(TRIALS):
        rate = search.next_rate()
        due = arrivals(rate, 1000 * seed + trial, WINDOW_NS)
        search.observe(rate, due, queue(due, random))
    search.finish()
    return estimate(search.trials, search.curves[0], search.aims[0], 0).rate_per_s


@pytest.mark.parametrize(("queue", "aim"), [(constant, Aim(0.99, 5 * MS)), (log_normal, Aim(0.9, 3 * MS))])
def test_with_two_workers_the_middle_of_three_searches_is_within_5_percent(queue: Queue, aim: Aim) -> None:
    true = truth(queue, aim, 2000.0, 100_000)
    assert true > 1000, "two workers keep more than one could"
    found = [
        searched(RateSearch([aim], first, "poisson", seed, TWO), queue, seed)
        for seed, first in enumerate((0.5 * MS, MS, 3.0 * MS))
    ]
    assert sorted(found)[1] == pytest.approx(true, rel=0.05)


def test_a_replay_of_several_workers_turns_round() -> None:
    due = arrivals(1800.0, 3, WINDOW_NS)
    times = np.random.default_rng(1).integers(MS // 2, 2 * MS, len(due))
    for workers in (1, 2, 3):
        found = sojourns(due, times, workers)
        assert (services(due, found, workers) == times).all()
        alike = sojourns(due, np.full(len(due), MS), workers)
        assert alike.tolist() == list(simulate(due, lambda _: MS, workers).latencies_ns)


def test_with_batches_the_trials_alone_tell() -> None:
    aim = Aim(0.9, 5 * MS)
    true = truth(joined, aim, 2500.0, 20_000)
    assert true > 1000, "joined they are answered faster than one by one"
    found = [searched(Bracket([aim], MS), joined, seed) for seed in range(3)]
    assert sorted(found)[1] == pytest.approx(true, rel=0.05)


def test_a_single_search_of_trials_alone_tells_no_error() -> None:
    curve = rising([Trial(100.0, 1000, (0,), ()), Trial(400.0, 1000, (90,), ())], 0)
    found = estimate([Trial(100.0, 1000, (0,), ())] * 5, curve, Aim(0.99, MS), 0)
    assert 100.0 < found.rate_per_s < 400.0
    assert found.error_per_s is None


def test_shares_that_contradict_each_other_are_pooled() -> None:
    seen = [(100.0, 10), (200.0, 40), (300.0, 20), (400.0, 90)]
    curve = rising([Trial(rate, 1000, (over,), ()) for rate, over in seen], 0)
    assert curve == [(50.0, 0.01), (100.0, 0.01), (200.0, 0.03), (300.0, 0.03), (400.0, 0.09)]


@pytest.mark.parametrize("share", [0, 1000])
def test_a_rate_that_was_never_bracketed_is_not_made_up(share: int) -> None:
    """All kept: the highest that was tried. None kept: no rate."""
    search = Bracket([Aim(0.99, MS)], MS)
    for _ in range(4):
        rate = search.next_rate()
        due = np.arange(2000) * MS
        search.observe(rate, due, np.full(2000, 2 * MS if share else MS // 2))
    rates = [one.rate_per_s for one in search.trials]
    found = estimate(search.trials, search.curves[0], search.aims[0], 0)
    assert found.rate_per_s == (0.0 if share else max(rates))
    assert rates == [500.0 * (0.5 if share else 2.0) ** at for at in range(4)]


def test_a_crew_follows_one_line_after_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    time = Virtual(monkeypatch)
    rates, window_ns = (600.0, 1500.0, 900.0), NS_PER_S // 2
    crew = crew_of(time, lambda _: MS, Line(Schedule(Arrivals("constant", 1.0, 0), 0, 0), Rules()), 2, [], stays=True)
    assert crew.block() is None, "nobody comes yet"
    for seed, rate in enumerate(rates):
        crew.follow(Line(Schedule(Arrivals("poisson", rate, seed), window_ns, 10**6), Rules()))
        latencies: list[int] = []
        while (found := crew.block()) is not None:
            latencies += found.block.latencies_ns
        expected = np.array(simulate(arrivals(rate, seed, window_ns), lambda _: MS, 2).latencies_ns)
        assert len(latencies) == len(expected) == crew.answered
        assert np.median(latencies) == pytest.approx(np.median(expected), rel=0.05, abs=SLACK_NS)
        assert crew.lateness.count > 0
    crew.close()


@pytest.mark.parametrize(
    ("adapter", "more", "sessions"),
    [("Sleeping", {"workers": 2}, 1), ("Alone", {"workers": 2}, 2), ("Sleeping", {"max_batch": 4}, 1)],
)
def test_a_real_process_searches_with_its_workers(adapter: str, more: dict[str, int], sessions: int) -> None:
    """Whatever else the machine does meanwhile: only what holds at any speed."""
    options = {"microseconds": 2000}
    told = measure(
        job(
            f"tests.device.sleeping:{adapter}",
            options,
            scenario="server",
            aims=[[0.5, 10**10]],
            search_ns=2 * NS_PER_S,
            **more,
        )
    )
    assert told.run.failure is None and told.run.searched is not None
    found = told.run.searched
    assert (found.crew.workers, found.crew.sessions) == (more.get("workers", 1), sessions)
    assert len(found.crew.cores) == len(cores_for(more.get("workers", 1), 1))
    assert len(found.tried) == len({rate for rate, *_ in found.tried}) >= 1
    assert all(queries >= 10 for _, queries, *_ in found.tried)
    assert all(len(one.replayed) == (0 if "max_batch" in more else 1) for one in found.trials)
    assert found.late_p50_ns is not None
