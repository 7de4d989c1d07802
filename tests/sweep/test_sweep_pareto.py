"""The front, against its definition."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from bench.sweep.pareto import dominates, front, stepped

COSTS = st.one_of(st.integers(0, 4).map(float), st.just(math.inf))
POINTS = st.lists(st.tuples(COSTS, COSTS, COSTS), max_size=24)


def by_definition(points: list[tuple[float, ...]]) -> set[int]:
    """Every point looked at beside every other."""
    found = set()
    for index, one in enumerate(points):
        beaten = False
        for other in points:
            pairs = list(zip(other, one, strict=True))
            beaten |= not any(a > b for a, b in pairs) and other != one
        if not beaten:
            found.add(index)
    return found


@given(POINTS)
def test_the_front_is_every_point_that_no_other_beats(points: list[tuple[float, ...]]) -> None:
    assert front(points) == by_definition(points)


@given(POINTS, st.randoms())
def test_the_front_does_not_depend_on_the_order(points: list[tuple[float, ...]], random: object) -> None:
    shuffled = list(points)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert {points[at] for at in front(points)} == {shuffled[at] for at in front(shuffled)}


@given(POINTS.filter(bool))
def test_whatever_is_not_on_the_front_is_beaten_by_what_is(points: list[tuple[float, ...]]) -> None:
    kept = front(points)
    assert kept
    for index in set(range(len(points))) - kept:
        assert any(dominates(points[other], points[index]) for other in kept)


def test_equal_points_are_on_the_front_together() -> None:
    assert front([(1, 2), (1, 2), (2, 2)]) == {0, 1}


def test_what_was_not_measured_costs_more_than_anything() -> None:
    assert stepped(None) == stepped(math.nan) == stepped(None, more_is_better=True) == math.inf
    assert stepped(1e18) < math.inf


def test_two_per_cent_are_a_step_and_less_is_noise() -> None:
    middle = 1.02**700
    assert stepped(middle) == stepped(middle * 1.005) < stepped(middle * 1.02)
    assert stepped(middle * 1.02, more_is_better=True) < stepped(middle, more_is_better=True)
    assert stepped(0.0) < stepped(1e-9)
    assert stepped(0.0, more_is_better=True) == math.inf
