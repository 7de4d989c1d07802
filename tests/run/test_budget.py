"""The time budget's promises, on a scripted clock."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bench.budget import LEAST_NS, Budget

S = 1_000_000_000


class Clock:
    def __init__(self) -> None:
        self.now = 0

    def __call__(self) -> int:
        return self.now


def test_without_a_budget_every_process_measures_as_long_as_it_wants() -> None:
    budget = Budget(None, 3)
    assert [budget.next_process_ns(2 * S) for _ in range(3)] == [2 * S] * 3


def test_what_is_left_is_shared_evenly_among_the_processes_to_come() -> None:
    clock = Clock()
    budget = Budget(8 * S, 4, clock)
    assert budget.next_process_ns(10 * S) == 2 * S


def test_start_up_seen_so_far_is_taken_off_the_shares_that_follow() -> None:
    clock = Clock()
    budget = Budget(8 * S, 4, clock)
    assert budget.next_process_ns(10 * S) == 2 * S
    clock.now = 3 * S  # the process took one second more than it measured
    assert budget.next_process_ns(10 * S) == 5 * S // 3 - S


def test_a_spent_budget_starts_no_process() -> None:
    clock = Clock()
    budget = Budget(S, 2, clock)
    assert budget.next_process_ns(10 * S) is not None
    clock.now = S
    assert budget.next_process_ns(10 * S) is None


def test_what_is_left_is_told_and_is_never_below_nothing() -> None:
    clock = Clock()
    budget = Budget(3 * S, 2, clock)
    clock.now = 2 * S
    assert budget.left_ns() == S
    clock.now = 4 * S
    assert budget.left_ns() == 0
    assert Budget(None, 2, clock).left_ns() is None


def test_processes_that_will_not_come_leave_their_share_to_the_others() -> None:
    clock = Clock()
    budget = Budget(8 * S, 4, clock)
    budget.next_process_ns(10 * S)
    budget.skip(2)
    assert budget.next_process_ns(10 * S) == 8 * S


@given(st.integers(1, 100 * S), st.lists(st.tuples(st.integers(1, 10 * S), st.integers(0, S)), min_size=1, max_size=20))
def test_no_share_is_below_the_least_or_above_what_was_wanted(total: int, steps: list[tuple[int, int]]) -> None:
    clock = Clock()
    budget = Budget(total, len(steps), clock)
    for wanted, start_up in steps:
        granted = budget.next_process_ns(wanted)
        if granted is None:
            assert clock.now >= total
            continue
        assert min(wanted, LEAST_NS) <= granted <= wanted
        clock.now += granted + start_up


def test_a_process_that_comes_after_all_gets_a_share() -> None:
    budget = Budget(8 * S, 1, Clock())
    budget.expect(1)
    assert budget.next_process_ns(10 * S) == 4 * S
