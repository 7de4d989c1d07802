"""A zone of indifference: near the limit an answer comes sooner, and outside the zone it is as rarely wrong as ever."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from statistics import median

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.contract.model import Requirement, ScenarioSettings
from bench.judge.ballot import Ballot
from bench.judge.case import judge_case
from bench.judge.pooled import Shares, bets, pool_verdict, shares_over
from bench.judge.readings import Reading, reading
from bench.judge.stop import StopRule
from bench.judge.verdict import edges, verdict
from bench.plan import Case
from bench.report import values
from bench.results import Block, Figure, Outcome
from bench.stats.sequential import Decision, decide
from tests.judge import recorded
from tests.judge.cases import case, contract, latencies, process, requirement
from tests.judge.populations import KINDS, Population, simulated
from tests.judge.wrong import METRICS, bound, drawn

MET, MISSED, UNDECIDED = Outcome.MET, Outcome.MISSED, Outcome.UNDECIDED
P90 = requirement("single-stream", "latency p90", 1000.0)
RATE = requirement("offline", "throughput", 1000.0)
RECORDED = "recorded processes"
ZONE, RUNS, SEED = 0.05, 1500, 20260101


def figure(value: float, low: float, high: float) -> Figure:
    return Figure("x", "ns", value, low, high, (value,), 1000)


@pytest.mark.parametrize(
    ("limit", "interval", "outcome", "reason"),
    [
        (P90, (990, 960, 1019), MET, "within the limit within 2 % (at most 1.02 µs)"),
        (P90, (1010, 981, 1030), MISSED, "above the limit within 2 % (at most 980 ns)"),
        (P90, (1010, 1001, 1030), MISSED, "above the limit"),
        (P90, (900, 800, 1000), MET, "within the limit"),
        (P90, (1000, 979, 1021), UNDECIDED, "the limit lies inside the interval (interval 979 ns to 1.02 µs of 1,000"),
        (P90, (1001, 985, 1015), MISSED, "above the limit within 2 %"),
        (P90, (999, 985, 1015), MET, "within the limit within 2 %"),
        (RATE, (1010, 981, 1030), MET, "within the limit within 2 % (at least 980/s)"),
        (RATE, (990, 960, 1019), MISSED, "below the limit within 2 % (at least 1 020/s)"),
        (RATE, (999, 985, 1015), MISSED, "below the limit within 2 %"),
    ],
)
def test_an_interval_is_held_against_the_zone_s_edges(
    limit: Requirement, interval: tuple[float, float, float], outcome: Outcome, reason: str
) -> None:
    found = verdict(limit, figure(*interval), 0.02)
    assert (found.outcome, found.indifference) == (outcome, 0.02)
    assert reason in found.reason


@given(st.floats(0, 2000), st.floats(0, 500), st.floats(0, 500), st.sampled_from([P90, RATE]))
@settings(max_examples=200, deadline=None)
def test_a_zone_decides_whatever_is_decided_without_it_and_in_the_same_way(
    value: float, below: float, above: float, limit: Requirement
) -> None:
    seen = figure(value, value - below, value + above)
    plain, zoned = verdict(limit, seen), verdict(limit, seen, 0.1)
    assert plain.outcome in (zoned.outcome, UNDECIDED)
    exact = figure(value, value, value)
    assert verdict(limit, exact).outcome is verdict(limit, exact, 0.1).outcome


def zoned(limit: Requirement, zone: float = ZONE, scenario: str = "single-stream", pooled: bool = False) -> Case:
    settled = ScenarioSettings(scenario, processes=40, least_processes=1, indifference=zone, pooled=pooled)
    return replace(case(limit), scenario=settled)


def decision(limit: Requirement, readings: Sequence[Reading], zone: float = ZONE) -> Decision:
    ballot = Ballot(zoned(limit, zone))
    ballot.readings[limit] = list(readings)
    return ballot.decision(limit)


def at(*values: float) -> list[Reading]:
    return [Reading(one, one, one) for one in values]


def test_processes_in_the_zone_speak_for_both_answers_and_most_of_them_for_the_one_that_is_given() -> None:
    for own, keeps in ((990.0, True), (1010.0, False)):
        found = decision(P90, at(*[own] * 8))
        assert (found.keeps, found.after, found.within, found.outside, found.either) == (keeps, 8, 8, 8, 8)
    mixed = decision(P90, at(*[990.0] * 5, *[1010.0] * 3))
    assert (mixed.keeps, mixed.votes) == (True, 8)
    assert decision(P90, at(*[990.0] * 5, *[1010.0] * 3), zone=0.0).keeps is None
    floor = requirement("offline", "throughput", 1000.0)
    assert decide([True] * 8, looser=[True] * 8, stricter=[False] * 8).keeps is True
    ballot = Ballot(zoned(floor, scenario="offline"))
    ballot.readings[floor] = at(*[990.0] * 8)
    assert ballot.decision(floor).keeps is False


@given(st.lists(st.integers(80, 120), max_size=40), st.floats(0, 0.3))
@settings(max_examples=100, deadline=None)
def test_a_zone_never_puts_an_answer_off(own: list[int], zone: float) -> None:
    limit = replace(P90, limit=100.0)
    plain, near = decision(limit, at(*own), 0.0), decision(limit, at(*own), zone)
    assert near.votes == len(own)
    if plain.after is not None:
        assert near.after is not None
        assert near.after <= plain.after


@lru_cache(maxsize=1)
def population_of(name: str) -> Population:
    if name == RECORDED:
        return recorded.read(Path(__file__).with_name("recorded-tiny.npz"))[0]
    return simulated(name, processes=200, calls=2000, seed=SEED)


def voted(population: Population, metric: str, limit_ns: float) -> list[Decision]:
    """What runs drawn from the population decide about the limit, with the zone."""
    limit = requirement("single-stream", metric, limit_ns)
    read = [reading(metric, run, own) for run, own in zip(population.runs, population.timings, strict=True)]
    whole = Ballot(zoned(limit))
    whole.readings[limit] = read
    votes, looser, stricter = whole.votes(limit)
    rows = drawn(len(population.runs), RUNS, SEED).tolist()
    about = [[[of_one[one] for one in row] for row in rows] for of_one in (votes, looser, stricter)]
    return [decide(own, looser=loose, stricter=strict) for own, loose, strict in zip(*about, strict=True)]


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("name", [*KINDS, RECORDED])
def test_at_the_zone_s_edges_an_answer_is_wrong_at_most_as_often_as_stated(name: str, metric: str) -> None:
    """Where it is most likely: the typical process at the looser edge itself, or at the stricter one."""
    population = population_of(name)
    truth = typical(population, metric)
    for factor, wrong in ((1 / (1 + ZONE), True), (1 / (1 - ZONE), False)):
        count = sum(one.keeps is wrong for one in voted(population, metric, factor * truth))
        assert count / RUNS <= 0.01, (factor, count)
        assert bound(count, RUNS) <= 0.025


def typical(population: Population, metric: str) -> float:
    own = [reading(metric, run, some).value for run, some in zip(population.runs, population.timings, strict=True)]
    return median(one for one in own if one is not None)


@pytest.mark.parametrize("name", KINDS)
def test_at_the_limit_itself_it_ends_soon(name: str) -> None:
    """Without a zone a limit at the truth takes all 40 processes and stays open."""
    population = population_of(name)
    found = voted(population, "latency p50", population.typical_ns(0.5))
    assert sum(one.keeps is not None for one in found) / RUNS >= 0.99
    assert median(one.after or 99 for one in found) <= 9


@pytest.mark.parametrize("shape", ["narrow", "spread"])
def test_the_pool_s_bets_are_rarely_wrong_at_the_zone_s_edges(shape: str) -> None:
    rng, size = np.random.default_rng(7), {"narrow": 200.0, "spread": 2.0}[shape]
    scenario = ScenarioSettings("single-stream", processes=100, least_processes=1, pooled=True, indifference=ZONE)
    for kept_edge in (True, False):
        wrong = 0
        for _ in range(400):
            draws = rng.beta(0.1 * size, 0.9 * size, 100)
            # at the looser edge 10 % are over it and yet more over the stricter one; at the stricter edge the reverse
            shares = [Shares(one, min(1.0, 2 * one)) if kept_edge else Shares(one / 2, one) for one in draws.tolist()]
            wrong += bets(P90, shares, scenario).keeps is kept_edge
        assert wrong <= 0.01 * 400 + 4


def test_the_pool_s_verdict_names_both_edges() -> None:
    scenario = ScenarioSettings("single-stream", processes=100, least_processes=1, pooled=True, indifference=0.02)
    calls = np.array([970] * 50 + [990] * 10 + [1010] * 20 + [1030] * 20, np.uint64)
    seen = shares_over(P90, process(0), calls, 0.02)
    assert (seen.looser, seen.stricter) == (0.2, 0.5)
    found = pool_verdict(P90, figure(1000, 900, 1100), bets(P90, [seen] * 20, scenario), scenario)
    assert found.outcome is MISSED
    assert "misses its p90 within 2 % (20.000% of the calls of 20 processes were over 1.02 µs, 50.000% over 980 ns" in (
        found.reason
    )


def test_the_verdict_and_the_report_say_the_zone(tmp_path: Path) -> None:
    limit = replace(requirement("single-stream", "latency p50", 1e6), text="1 ms")
    runs = [process(index) for index in range(8)]
    _, (found,) = judge_case(zoned(limit), contract(tmp_path), runs, latencies, None)
    assert found.outcome in (MET, MISSED)
    assert "its p50 within 5 % (of 8 processes 8 are within 1.05 ms, 8 above 950 µs, error rate 1 %;" in found.reason
    assert values.limit(found) == "≤ 1 ms ± 5 %"
    assert values.limit(replace(found, indifference=0.0)) == "≤ 1 ms"


def test_a_fixed_case_has_the_zone_too_and_accuracy_never(tmp_path: Path) -> None:
    limit, size = requirement("single-stream", "latency p50", 1e6), requirement("", "artifact size", 1.0)
    one = replace(case(limit, size), scenario=ScenarioSettings("single-stream", indifference=0.05))
    _, verdicts = judge_case(one, contract(tmp_path), [process(index) for index in range(3)], latencies, None)
    assert [found.indifference for found in verdicts] == [0.05, 0.0]
    assert [found.outcome for found in verdicts] == [verdicts[0].outcome, MISSED]
    assert verdicts[0].outcome is not UNDECIDED


def test_a_process_may_end_as_soon_as_it_is_clear_of_the_far_edge() -> None:
    limit = requirement("single-stream", "latency p50", 1.05e6)
    rng = np.random.default_rng(4)

    def stops(zone: float) -> bool:
        rule = StopRule([limit], indifference=zone)
        blocks = (rng.lognormal(np.log(1e6), 0.05, 500).astype(np.uint64) for _ in range(40))
        return any(rule.block(Block(500, 500, 0, int(some.sum()), 0), some) for some in blocks)

    assert not stops(0.0)
    assert stops(0.2)


def test_the_edges_are_to_either_side_in_the_metric_s_direction() -> None:
    assert [one.limit for one in edges(P90, 0.02)] == pytest.approx([1020, 980])
    assert [one.limit for one in edges(RATE, 0.02)] == pytest.approx([980, 1020])
    assert edges(P90, 0.0) == (P90, P90)
