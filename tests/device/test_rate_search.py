"""The search for the highest rate, in virtual time: a queue by arithmetic whose answer is known."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from bench.contract.scenario_words import MIN_SEARCH_NS, SEARCH_NS
from bench.device.arrivals import Arrivals
from bench.device.rate_search import TRIALS, Aim, RateSearch, Trial, estimate
from bench.device.rate_trials import window_of
from bench.device.records import Job
from bench.device.replay import replay, services, sojourns
from bench.stats.sequential import fewest
from tests.device import queues

MS = 1_000_000
S = 1_000_000_000
Service = Callable[[Any, int], NDArray[Any]]


def constant(random: Any, count: int) -> NDArray[Any]:
    return np.full(count, 1.0 * MS)


def log_normal(random: Any, count: int) -> NDArray[Any]:
    found: NDArray[Any] = MS * np.exp(0.2 * random.standard_normal(count) - 0.02)
    return found


def slower_when_behind(sojourn: NDArray[Any], factor: float) -> NDArray[Any]:
    """Whoever waited takes longer in all: what no replay of service times alone can know."""
    return np.where(sojourn > 1.01 * MS, sojourn * factor, sojourn)


def truth(service: Service, aim: Aim) -> float:
    """By halving, on 2 million queries a rate."""
    low, high = 0.0, 1000.0
    random = np.random.default_rng(99)
    gaps, times = np.cumsum(random.exponential(1.0, 2_000_000)), service(random, 2_000_000)
    for _ in range(18):
        rate = (low + high) / 2
        over = np.count_nonzero(sojourns(gaps * S / rate, times) > aim.limit_ns) / len(gaps)
        low, high = (rate, high) if over <= 1 - aim.q else (low, rate)
    return low


def searched(
    service: Service, aims: list[Aim], seed: int, first_ns: float, factor: float = 1.0, window_ns: int = 1500 * MS
) -> RateSearch:
    random, search = np.random.default_rng(seed), RateSearch(aims, first_ns, "poisson", seed)
    for trial in range(TRIALS):
        rate = search.next_rate()
        due = queues.arrivals(rate, 1000 * seed + trial, window_ns)
        found = sojourns(due, service(random, len(due)))
        search.observe(rate, due, slower_when_behind(found, factor))
    search.finish()
    return search


def answer(search: RateSearch, which: int = 0) -> float:
    return estimate(search.trials, search.curves[which], search.aims[which], which).rate_per_s


@pytest.mark.parametrize("service", [constant, log_normal])
@pytest.mark.parametrize("aim", [Aim(0.99, 10 * MS), Aim(0.9, 5 * MS), Aim(0.5, 2 * MS)])
def test_the_middle_of_three_searches_is_within_5_percent_of_the_truth(service: Service, aim: Aim) -> None:
    """Wherever the warm-up thought that the capacity is."""
    true = truth(service, aim)
    found = [answer(searched(service, [aim], seed, first)) for seed, first in enumerate((0.5 * MS, MS, 3.0 * MS))]
    assert sorted(found)[1] == pytest.approx(true, rel=0.05)


def test_the_shortest_default_search_leaves_the_middle_of_eight_where_it_was() -> None:
    """As many processes as a verdict takes, 5 s each: how a model of 1 ms is searched unless the contract says more."""
    aim, window_ns = Aim(0.99, 10 * MS), MIN_SEARCH_NS // TRIALS
    found = [answer(searched(log_normal, [aim], seed, MS, window_ns=window_ns)) for seed in range(fewest())]
    assert sorted(found)[len(found) // 2] == pytest.approx(truth(log_normal, aim), rel=0.05)


def job_of(**words: Any) -> Job:
    return Job("c", "a:B", "server", {}, [], [], **words)


def test_a_trial_is_as_long_as_its_limits_need() -> None:
    p99, most = [[0.99, 10 * MS]], {"search_ns": SEARCH_NS, "min_search_ns": MIN_SEARCH_NS}
    assert window_of(job_of(aims=p99, **most), MS // 100) == MIN_SEARCH_NS // TRIALS, "never shorter"
    assert window_of(job_of(aims=p99, **most), 2 * MS) == pytest.approx(800 * MS), "400 queries"
    assert window_of(job_of(aims=p99, workers=2, **most), 4 * MS) == pytest.approx(800 * MS)
    assert window_of(job_of(aims=[*p99, [0.999, 10 * MS]], **most), MS) == SEARCH_NS // TRIALS, "4,000 queries"
    assert window_of(job_of(aims=[[0.5, S]], **most), 50 * MS) == SEARCH_NS // TRIALS, "a trial has 20 at least"
    assert window_of(job_of(aims=p99, max_batch=8, **most), MS) == SEARCH_NS // TRIALS, "there is no replay to help"
    assert window_of(job_of(aims=p99, search_ns=2 * S), MS) == 2 * S // TRIALS, "what is written is what is searched"


def test_two_limits_are_searched_for_in_one_go() -> None:
    aims = [Aim(0.99, 10 * MS), Aim(0.5, 2 * MS)]
    found = [searched(constant, aims, seed, MS) for seed in range(3)]
    for which, aim in enumerate(aims):
        middle = sorted(answer(search, which) for search in found)[1]
        assert middle == pytest.approx(truth(constant, aim), rel=0.05)


def test_most_of_the_trials_are_near_the_answer() -> None:
    search = searched(log_normal, [Aim(0.99, 10 * MS)], 3, MS)
    assert len(search.trials) >= TRIALS - 2
    assert all(abs(trial.rate_per_s / answer(search) - 1) < 0.2 for trial in search.trials)


def test_where_the_queue_behaves_otherwise_than_replayed_the_trials_are_believed() -> None:
    """Waiting is 1.5 times as long as service times explain, so the rate must be lower than a replay says."""
    aim = Aim(0.9, 5 * MS)
    found = [answer(searched(constant, [aim], seed, MS, factor=1.5)) for seed in range(3)]
    honest = truth(constant, Aim(0.9, int(5 * MS / 1.5)))
    assert sorted(found)[1] == pytest.approx(honest, rel=0.06)


def test_a_limit_below_the_models_own_time_is_kept_at_no_rate() -> None:
    assert answer(searched(constant, [Aim(0.5, MS // 2)], 1, MS)) == 0.0


def test_no_rate_beyond_the_capacity_is_ever_the_answer() -> None:
    found = answer(searched(constant, [Aim(0.5, 60 * S)], 1, MS))
    assert 950 < found <= 1000


def test_a_stall_of_the_first_trial_is_forgotten() -> None:
    search, random = RateSearch([Aim(0.9, 5 * MS)], MS, "poisson", 1), np.random.default_rng(1)
    for trial in range(TRIALS):
        rate = search.next_rate()
        due = queues.arrivals(rate, trial, 1500 * MS)
        times = constant(random, len(due)) * (20 if trial == 0 else 1)
        search.observe(rate, due, sojourns(due, times))
    search.finish()
    assert answer(search) == pytest.approx(758, rel=0.05)


gaps_and_times = st.lists(st.tuples(st.integers(0, 5 * MS), st.integers(1, 5 * MS)), min_size=1, max_size=60)


@given(gaps_and_times)
@settings(deadline=None, max_examples=100)
def test_sojourns_are_lindleys_and_services_turn_them_round(pairs: list[tuple[int, int]]) -> None:
    due, times = np.cumsum([gap for gap, _ in pairs]), np.array([time for _, time in pairs])
    found = sojourns(due, times)
    assert (found == queues.sojourns(due, times)).all()
    assert (services(due, found) == times).all()


@given(st.integers(0, 1000), st.sampled_from(["poisson", "constant", "bursts of 8"]))
@settings(deadline=None, max_examples=10)
def test_a_replayed_curve_never_falls(seed: int, kind: str) -> None:
    times = log_normal(np.random.default_rng(seed), 500)
    (curve,) = replay(times, [5 * MS], kind, seed, 3000)
    rates, shares = zip(*curve, strict=True)
    assert list(rates) == sorted(rates)
    assert list(shares) == sorted(shares)
    assert rates[-1] == pytest.approx(S / times.mean())


def test_bursts_are_replayed_as_bursts() -> None:
    """Eight at once, 1 ms each: the last has 8 ms at any rate, so a p99 of 5 ms is kept at none."""
    search = RateSearch([Aim(0.99, 5 * MS)], MS, "bursts of 8", 1)
    for trial in range(3):
        rate = search.next_rate()
        due = Arrivals("bursts of 8", rate, trial).next(int(1.5 * rate))
        search.observe(rate, due, sojourns(due, np.full(len(due), 1.0 * MS)))
    search.finish()
    assert answer(search) == 0.0


def test_few_trials_do_not_move_the_curve_and_tell_no_error() -> None:
    curve = [(100.0, 0.001), (500.0, 0.01), (900.0, 0.1), (1000.0, 1.0)]
    found = estimate([Trial(500.0, 1000, (40,), (10,))], curve, Aim(0.99, MS), 0)
    assert found.rate_per_s == pytest.approx(500.0)
    assert found.error_per_s is None
