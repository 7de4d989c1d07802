"""What votes do not see: each limit that the page on deciding names, shown on processes whose truth is known."""

from __future__ import annotations

from functools import cache

from bench.judge.undecided import by_a_zone
from bench.results import Figure
from bench.stats.sequential import ERROR_RATE
from tests.judge.cases import requirement
from tests.judge.limits_of_votes import LINES, RUNS, outcomes
from tests.judge.test_undecided import SETTLED

of = cache(outcomes)
MANY_SLOW, EVEN, ONE_NIGHT, ANOTHER_NIGHT, HEAVY = LINES


def test_the_typical_process_is_judged_though_the_mean_of_all_is_beyond_the_limit() -> None:
    met, missed, _ = of(MANY_SLOW)
    assert LINES[MANY_SLOW].mean_ms > LINES[MANY_SLOW].limit_ms
    assert met > 0.7 * RUNS and missed == 0


def test_two_modes_split_evenly_across_the_limit_stay_open() -> None:
    met, missed, still_open = of(EVEN)
    assert still_open >= (1 - 4 * ERROR_RATE) * RUNS
    assert met <= 2.5 * ERROR_RATE * RUNS and missed <= 2.5 * ERROR_RATE * RUNS


def test_no_zone_is_advised_that_does_not_reach_from_one_mode_to_the_other() -> None:
    limit = requirement("single-stream", "latency mean", 2e6)
    for far, said in ((3e6, ""), (2.1e6, "`indifference: 5 %`")):
        near = 4e6 - far
        figure = Figure(limit.metric, "ns", 2e6, processes=(near, far) * 20)
        assert said in by_a_zone(figure, limit, SETTLED["adaptive"])
        assert bool(said) == bool(by_a_zone(figure, limit, SETTLED["adaptive"]))


def test_the_same_contract_is_met_one_night_and_missed_the_next_where_the_shares_of_the_modes_change() -> None:
    assert of(ONE_NIGHT)[0] >= 0.98 * RUNS and of(ONE_NIGHT)[1] == 0
    assert of(ANOTHER_NIGHT)[1] >= 0.98 * RUNS and of(ANOTHER_NIGHT)[0] == 0


def test_a_mean_that_rare_calls_make_up_is_met_below_the_mean_of_all_calls() -> None:
    met, missed, _ = of(HEAVY)
    assert LINES[HEAVY].limit_ms < LINES[HEAVY].mean_ms
    assert met > 10 * max(1, missed)
