"""The timed loop under a scripted clock: exact latencies, and nothing but the call between two readings."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bench.device.loop import LoopCost, loop_cost, quiet, timed_block, timed_block_with_state, timed_groups
from tests.device.clock import Clock

DURATIONS = st.lists(st.integers(0, 10**12), max_size=50)


@settings(deadline=None, max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(durations=DURATIONS)
def test_each_latency_is_exactly_what_its_call_took(durations: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    latencies: list[int] = [7, 7, 7]
    span = timed_block(clock.passes, durations, latencies)
    assert latencies == durations
    assert (span.start_ns, span.wall_ns) == (1_000_000, sum(durations))


def test_one_reading_of_the_clock_is_in_a_latency_and_two_in_an_iteration(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch, reading_ns=30)
    latencies: list[int] = []
    span = timed_block(clock.passes, [100] * 10, latencies)
    assert latencies == [130] * 10
    assert span.wall_ns == 10 * (100 + 2 * 30) + 30


def test_state_moves_on_between_queries_and_outside_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    said: list[tuple[str, int]] = []

    def run(duration: int) -> int:
        said.append(("run", duration))
        clock.passes(duration)
        return duration

    def advance(outputs: int) -> None:
        said.append(("advance", outputs))
        clock.passes(10_000)

    latencies: list[int] = [7]
    span = timed_block_with_state(run, advance, [3, 1, 2], latencies)
    assert latencies == [3, 1, 2]
    assert span.wall_ns == 6 + 3 * 10_000
    assert said == [(what, query) for query in (3, 1, 2) for what in ("run", "advance")]


def test_a_group_is_timed_by_two_readings_whatever_its_length(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch, reading_ns=30)
    together: list[int] = [7]
    span = timed_groups(clock.passes, [[100, 200], [5], []], together)
    assert together == [330, 35, 30]
    assert span.wall_ns == 305 + 3 * 2 * 30 + 30


def test_outputs_do_not_pile_up() -> None:
    alive = 0

    class Outputs:
        def __init__(self) -> None:
            nonlocal alive
            alive += 1
            assert alive <= 2, "the outputs of an earlier query are still held"

        def __del__(self) -> None:
            nonlocal alive
            alive -= 1

    timed_block(lambda query: Outputs(), range(50), [])
    timed_block_with_state(lambda query: Outputs(), lambda outputs: None, range(50), [])
    assert alive == 0


def test_what_run_raises_passes_through(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(query: int) -> None:
        if query == 3:
            raise RuntimeError("no")

    latencies: list[int] = []
    with pytest.raises(RuntimeError, match="no"):
        timed_block(run, range(10), latencies)
    assert len(latencies) == 3


@pytest.fixture
def _collecting_as_before() -> Iterator[None]:
    was_on = gc.isenabled()
    yield
    (gc.enable if was_on else gc.disable)()


@pytest.mark.parametrize("was_on", [True, False])
@pytest.mark.usefixtures("_collecting_as_before")
def test_garbage_is_not_collected_while_it_is_quiet(was_on: bool) -> None:
    (gc.enable if was_on else gc.disable)()
    collections: list[str] = []

    def heard(phase: str, info: dict[str, Any]) -> None:
        collections.append(phase)

    gc.callbacks.append(heard)
    try:
        with quiet():
            assert not gc.isenabled()
            held = [[i] for i in range(100_000)]
            assert not collections, "garbage was collected while timing"
            del held
        assert gc.isenabled() is was_on
    finally:
        gc.callbacks.remove(heard)


@pytest.mark.usefixtures("_collecting_as_before")
def test_collecting_is_as_before_after_an_error_too() -> None:
    gc.enable()

    def fail() -> None:
        with quiet():
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert gc.isenabled()


def test_the_loops_own_cost_is_positive_and_most_of_it_is_recorded_or_known() -> None:
    cost = loop_cost(blocks=3, queries=500)
    assert 0 < cost.recorded_ns <= cost.iteration_ns
    assert cost.outside_ns == cost.iteration_ns - cost.recorded_ns


def test_the_loops_own_cost_is_the_median_block(monkeypatch: pytest.MonkeyPatch) -> None:
    Clock(monkeypatch, reading_ns=40)
    cost = loop_cost(blocks=3, queries=100)
    assert cost == LoopCost(iteration_ns=80.4, recorded_ns=40.0)
    assert LoopCost(10.0, 12.0).outside_ns == 0.0
