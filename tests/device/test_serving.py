"""The open loop under a scripted clock: what waits is counted from its arrival, and nothing is left out."""

from __future__ import annotations

import random
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from bench.device.lead import LEAST_NS, MOST_NS, Lead
from bench.device.loop import IDLE_NS, open_block
from bench.device.scenarios import BLOCK_NS, Issuer
from bench.device.serving import LOOK_BY_NS, Lateness, OpenLoop, ServedBlock
from tests.device.clock import Clock, Session, WithState, library
from tests.device.queues import NS_PER_S, arrivals, sojourns

MS = 1_000_000
READING_NS = 10
SLACK_NS = 20 * READING_NS
"""A few readings of the clock."""


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch, READING_NS)


def served(session: Session, rate: float, window_ns: int, kind: str = "poisson", **more: Any) -> tuple[OpenLoop, Any]:
    options = {"seed": 1, "most": 10**7, **more}
    loop = OpenLoop(Issuer(session, library(), 1, overlapped=False), kind, rate, window_ns=window_ns, **options)
    blocks: list[ServedBlock] = []
    while (found := loop.block()) is not None:
        blocks.append(found)
    return loop, blocks


def latencies(blocks: list[ServedBlock]) -> NDArray[np.int64]:
    return np.concatenate([one.block.latencies_ns for one in blocks])


@pytest.mark.parametrize("load", [0.3, 0.7, 0.95])
def test_latencies_are_those_of_the_queue(clock: Clock, load: float) -> None:
    """Known service times, one after the other: Lindley's recursion over the same arrivals tells every latency."""
    chance = random.Random(1)
    services: list[int] = []

    def run_ns(_: Any) -> int:
        services.append(chance.randrange(MS // 2, 3 * MS // 2))
        return services[-1]

    rate = load * 1000
    _, blocks = served(Session(clock, run_ns), rate, 5 * NS_PER_S)
    due = arrivals(rate, 1, 5 * NS_PER_S)
    expected = sojourns(due, np.array(services))
    measured = latencies(blocks)
    assert len(measured) == len(due)
    assert (measured >= expected).all()
    assert measured.mean() == pytest.approx(expected.mean(), rel=0.01)
    for percent in (50, 90, 99):
        assert np.percentile(measured, percent) == pytest.approx(np.percentile(expected, percent), rel=0.01)


def test_what_the_loop_takes_between_two_queries_is_told_apart_from_the_model(clock: Clock) -> None:
    """Queries that come faster than they are answered: of each but the first the loop's own readings of the clock."""
    loop, blocks = served(Session(clock, lambda _: 5 * MS), 1000.0, 50 * MS, "constant")
    count, busy_ns = len(latencies(blocks)), sum(one.busy_ns for one in blocks)
    assert loop.between_ns is not None
    assert (count - 1) * READING_NS <= loop.between_ns <= count * SLACK_NS
    assert busy_ns - loop.between_ns == pytest.approx(count * 5 * MS, abs=count * SLACK_NS)


def test_where_no_query_waits_the_loop_takes_nothing_between_them(clock: Clock) -> None:
    assert served(Session(clock, lambda _: 1000), 100.0, NS_PER_S, "constant")[0].between_ns == 0


def test_a_model_faster_than_the_rate_is_late_by_no_more_than_the_clock(clock: Clock) -> None:
    loop, blocks = served(Session(clock, lambda _: 1000), 100.0, NS_PER_S, "constant")
    assert latencies(blocks).max() <= 1000 + SLACK_NS
    assert loop.lateness.count == len(latencies(blocks)) == 99
    late = loop.lateness.percentile(0.99)
    assert late is not None and late <= SLACK_NS
    assert {one.queue_max for one in blocks} == {1}


def test_it_sleeps_until_shortly_before_an_arrival_and_polls_the_rest(clock: Clock) -> None:
    served(Session(clock, lambda _: 1000), 100.0, NS_PER_S, "constant")
    assert clock.slept_ns[0] == pytest.approx(10 * MS - LEAST_NS, abs=SLACK_NS)
    clock.slept_ns.clear()
    served(Session(clock, lambda _: 1000), 20_000.0, NS_PER_S // 100, "constant")
    assert len(clock.slept_ns) <= 1, "a gap of 50 µs is too short to sleep in; the window's end is not"


def test_a_sleep_that_is_too_long_is_lateness_and_in_the_latency(clock: Clock) -> None:
    clock.oversleeps_ns = 3 * MS
    loop, blocks = served(Session(clock, lambda _: 1000), 100.0, NS_PER_S, "constant")
    late = loop.lateness.percentile(0.5)
    assert late == pytest.approx(3 * MS - MOST_NS, rel=0.012)
    assert np.median(latencies(blocks)) == pytest.approx(3 * MS - MOST_NS + 1000, rel=0.012)


@pytest.mark.parametrize("oversleeps_ns", [150_000, 450_000])
def test_a_machine_whose_sleeps_end_late_is_learnt_from_the_first(clock: Clock, oversleeps_ns: int) -> None:
    clock.oversleeps_ns = oversleeps_ns
    loop, blocks = served(Session(clock, lambda _: 1000), 100.0, NS_PER_S, "constant")
    first, *others = latencies(blocks)
    assert first == pytest.approx(oversleeps_ns - LEAST_NS + 1000, abs=SLACK_NS)
    assert max(others) <= 1000 + SLACK_NS
    assert loop.lead.longest_ns == pytest.approx(2 * oversleeps_ns, abs=2 * SLACK_NS)


def test_a_stall_shows_in_the_open_loop_and_hides_in_the_closed_one(clock: Clock) -> None:
    """1 ms a query, and for 200 ms of every second nothing moves: 100 queries a second come nevertheless."""

    def until_done(_: Any) -> int:
        into_second = clock.now_ns % NS_PER_S
        return MS if into_second < 800 * MS else NS_PER_S - into_second + MS

    def percentile(found: Any, percent: float) -> float:
        return float(np.percentile(found, percent, method="inverted_cdf"))

    _, blocks = served(Session(clock, until_done), 100.0, 10 * NS_PER_S, "constant")
    found = latencies(blocks)
    due = arrivals(100.0, 1, 10 * NS_PER_S, "constant") + 1 * MS  # the clock began there
    stalled = (due % NS_PER_S) >= 800 * MS
    assert len(found) == len(due)
    assert percentile(found[~stalled], 50) < 1.1 * MS
    # 20 of 100 arrive in the stall, every 10 ms, and are answered one a ms after it: 1 to 20 + 200 … 10 ms of waiting
    assert percentile(found, 90) == pytest.approx(110 * MS, abs=10 * MS)
    assert percentile(found, 99) == pytest.approx(200 * MS, abs=10 * MS)
    closed = Issuer(Session(clock, until_done), library(), 1, overlapped=False)
    alone = np.concatenate([closed.block(800).latencies_ns for _ in range(10)])
    assert percentile(alone, 99) < 1.1 * MS
    assert percentile(alone, 99.8) < 1.1 * MS


def test_a_rate_that_cannot_be_kept_is_served_to_its_last_query(clock: Clock) -> None:
    loop, blocks = served(Session(clock, lambda _: 15 * MS), 100.0, NS_PER_S, "constant")
    found = latencies(blocks)
    assert len(found) == loop.answered == 99
    assert np.diff(found) == pytest.approx(np.full(98, 5 * MS), abs=SLACK_NS)
    assert loop.unanswered() == 0
    assert max(one.queue_max for one in blocks) == pytest.approx(99 / 3, abs=2)


def test_what_has_arrived_and_is_not_answered_is_counted(clock: Clock) -> None:
    issuer = Issuer(Session(clock, lambda _: 30 * MS), library(), 1, overlapped=False)
    loop = OpenLoop(issuer, "constant", 100.0, 1, NS_PER_S, 10**7)
    loop.block()
    assert loop.answered == 3  # 40, 70 and 100 ms after the start; then it is time for a look
    assert loop.unanswered() == 10 - 3


def test_the_longest_queue_is_that_of_the_arithmetic(clock: Clock) -> None:
    _, blocks = served(Session(clock, lambda _: 4 * MS), 200.0, 2 * NS_PER_S)
    due = arrivals(200.0, 1, 2 * NS_PER_S)
    done = due + sojourns(due, np.full(len(due), 4 * MS))
    longest = max(np.searchsorted(due, end) - index for index, end in enumerate(done))
    assert max(one.queue_max for one in blocks) == pytest.approx(longest, abs=1)


def test_blocks_lie_end_to_end_and_fill_the_window(clock: Clock) -> None:
    _, blocks = served(Session(clock, lambda _: 2 * MS), 50.0, 3 * NS_PER_S)
    spans = [one.block.span for one in blocks]
    for before, after in pairwise(spans):
        assert before.start_ns + before.wall_ns == after.start_ns
    assert sum(span.wall_ns for span in spans) == pytest.approx(3 * NS_PER_S, abs=MS)
    assert sum(one.busy_ns for one in blocks) == pytest.approx(len(latencies(blocks)) * 2 * MS, rel=0.001)


def test_the_number_of_queries_is_bounded_and_the_window_then_not_waited_for(clock: Clock) -> None:
    loop, blocks = served(Session(clock, lambda _: MS), 100.0, 60 * NS_PER_S, "constant", most=50)
    assert loop.answered == 50
    assert sum(one.block.span.wall_ns for one in blocks) < NS_PER_S


def test_a_look_comes_in_a_gap_or_else_after_a_while(clock: Clock) -> None:
    _, blocks = served(Session(clock, lambda _: 1000), 200.0, NS_PER_S)
    ends = [one.block.span.start_ns + one.block.span.wall_ns for one in blocks[:-1]]
    due = arrivals(200.0, 1, NS_PER_S) + 1 * MS
    assert all(due[np.searchsorted(due, end)] - end > IDLE_NS - SLACK_NS for end in ends)
    assert len(blocks) > 10
    _, busy = served(Session(clock, lambda _: 2 * MS), 1000.0, NS_PER_S)
    assert all(one.block.span.wall_ns <= LOOK_BY_NS + 3 * MS for one in busy)
    assert max(one.block.span.wall_ns for one in busy) > 2 * BLOCK_NS


def test_samples_go_round_in_order_across_blocks(clock: Clock) -> None:
    session = Session(clock, lambda _: 1000)
    _, blocks = served(session, 100.0, NS_PER_S)
    assert len(blocks) > 5
    assert [int(one[0]) for one in session.issued] == [index % 10 for index in range(len(session.issued))]


def test_state_moves_on_after_every_query_and_the_next_one_waits_for_it(clock: Clock) -> None:
    session = WithState(clock, lambda _: MS)  # `advance` takes 1 ms as well
    _, blocks = served(session, 1000.0, NS_PER_S // 100, "constant")
    assert session.issued[1::2] == ["advance"] * 9
    assert latencies(blocks)[:3] == pytest.approx([MS, 2 * MS, 3 * MS], abs=SLACK_NS)


def test_what_run_raises_passes_through_and_earlier_queries_are_kept(clock: Clock) -> None:
    def run(query: int) -> None:
        if query == 2:
            raise RuntimeError("no")

    issued: list[int] = []
    ended: list[int] = []
    with pytest.raises(RuntimeError, match="no"):
        open_block(run, None, range(5), [0] * 5, 10**18, 10**18, issued, ended, Lead())
    assert len(issued) == len(ended) == 2


@pytest.mark.parametrize("draw", [lambda rng: rng.exponential(50_000, 5000), lambda rng: rng.integers(0, 40, 5000)])
def test_lateness_is_the_nearest_rank_within_its_buckets(draw: Callable[[np.random.Generator], Any]) -> None:
    values = np.asarray(draw(np.random.default_rng(1))).astype(np.int64)
    lateness = Lateness()
    assert lateness.percentile(0.5) is None
    for part in np.array_split(values, 7):
        lateness.add(part)
    for q in (0.01, 0.5, 0.99, 1.0):
        exact = np.percentile(values, q * 100, method="inverted_cdf")
        found = lateness.percentile(q)
        assert found is not None
        assert exact - 1 <= found <= exact * 1.012 + 1
