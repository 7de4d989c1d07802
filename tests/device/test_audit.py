"""The audit under a scripted clock: what closes, what stays open, and what may not be blamed on a session."""

from __future__ import annotations

import tracemalloc
import weakref
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from bench.device import audit_reading
from bench.device.audit import BEHIND_TEXT, audit_session, is_behind
from bench.device.audit_closure import CLOSED, Closure, audit
from bench.device.loop import LoopCost
from bench.device.scenarios import Issuer
from tests.device.clock import Asynchronous, Clock, Overlapping, Session, WithState, library

MS = 1_000_000
US = 1_000
FREE = LoopCost(0.0, 0.0)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def complaint_of(session: Session, overlapped: bool = False) -> str:
    return audit_session(Issuer(session, library(), 1, overlapped))[1]


def test_the_audit_of_an_honest_session_closes(clock: Clock) -> None:
    session = Session(clock, lambda staged: MS, read_ns=300_000)
    issuer = Issuer(session, library(), 1, overlapped=False)
    closure = audit(issuer, issuer.drained_ns(), FREE)
    assert closure.ratio == 1.0
    assert closure.latency_ns == closure.wall_ns == closure.queries * MS
    assert closure.queries == 38  # 50 ms of queries of 1.3 ms


@pytest.mark.parametrize("work_ns", [10_000, MS, 100 * MS])
def test_the_audit_of_a_session_that_returns_early_stays_open(clock: Clock, work_ns: int) -> None:
    issuer = Issuer(Asynchronous(clock, work_ns), library(), 1, overlapped=False)
    closure = audit(issuer, issuer.drained_ns(), FREE)
    assert closure.ratio < 0.2
    assert closure.wall_ns >= closure.queries * work_ns


@pytest.mark.parametrize(("waited", "is_caught"), [(0.7, True), (0.85, True), (0.95, False)])
def test_a_session_that_waits_for_part_of_the_work_is_caught_below_nine_tenths(
    clock: Clock, waited: float, is_caught: bool
) -> None:
    issuer = Issuer(Asynchronous(clock, MS, waits_ns=int(waited * MS)), library(), 1, overlapped=False)
    closure = audit(issuer, issuer.drained_ns(), FREE)
    assert closure.ratio == pytest.approx(waited, abs=0.02)
    assert (closure.ratio < CLOSED) is is_caught


def test_the_audit_does_not_charge_a_fast_call_with_the_loops_own_cost(monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty call on a clock that costs 40 ns a reading: half of an iteration lies outside the latencies."""
    clock = Clock(monkeypatch, reading_ns=40)
    issuer = Issuer(Session(clock, lambda staged: 0), library(), 1, overlapped=False)
    known = audit(issuer, 100, LoopCost(iteration_ns=80.0, recorded_ns=40.0))
    assert known.ratio == pytest.approx(1.0, abs=0.01)


def test_a_loop_cost_of_a_quicker_moment_is_measured_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same empty call, and a cost that was measured before other work slowed the loop down."""
    clock = Clock(monkeypatch, reading_ns=40)
    issuer = Issuer(Session(clock, lambda staged: 0), library(), 1, overlapped=False)
    assert audit(issuer, 100, FREE).ratio == pytest.approx(1.0, abs=0.01)


@pytest.mark.parametrize(("missing_ns", "is_early"), [(24, False), (26, True)])
def test_time_that_is_missing_is_held_against_what_is_known_of_the_loop(missing_ns: int, is_early: bool) -> None:
    """An empty call: 80 of 180 ns an iteration are its latency, 100 the loop's."""
    queries = 1000
    wall = queries * (180 + missing_ns)
    closure = Closure(queries, 80 * queries, wall, 100 * queries, 80 / (80 + missing_ns))
    assert closure.ratio < CLOSED
    assert closure.is_early() is is_early


def test_disturbances_between_the_latencies_do_not_spoil_an_audit(clock: Clock) -> None:
    """Other work takes the processor for 4 ms at the end of each of the first ten bursts of 1 ms."""
    disturbed, reads = 10, 0
    session = Session(clock, lambda staged: 100)
    issuer = Issuer(session, library(), 1, overlapped=False)

    def read(outputs: object) -> dict[str, object]:
        nonlocal reads
        reads += 1
        clock.passes(4 * MS if reads % 4 == 0 and reads <= 4 * disturbed else 0)  # the fourth read of a burst ends it
        return {}

    session.read = read  # type: ignore[method-assign]
    assert audit(issuer, 5000, FREE).ratio == 1.0
    assert reads == 4 * (disturbed + 1)


def test_an_audit_that_stays_open_ends(clock: Clock) -> None:
    issuer = Issuer(Asynchronous(clock, MS), library(), 1, overlapped=False)
    before = clock.now_ns
    audit(issuer, issuer.drained_ns(), FREE)
    assert clock.now_ns - before < 600 * MS


def test_each_further_try_is_half_as_long_down_to_one_that_other_work_may_miss(clock: Clock) -> None:
    """Other work takes the processor for 10 ms in every burst of more than 2.5 ms, as on a machine that many share."""
    sizes = [0]
    session = Session(clock, lambda staged: 10 * US)
    run = session.run

    def counted(staged: Any) -> Any:
        sizes[-1] += 1
        return run(staged)

    def read(outputs: object) -> dict[str, object]:
        clock.passes(10 * MS if sizes[-1] * 10 * US > 2.5 * MS else 0)
        if sizes[-1] > 1:
            sizes.append(0)
        return {}

    session.run, session.read = counted, read  # type: ignore[method-assign]
    assert audit(Issuer(session, library(), 1, overlapped=False), 10 * US, FREE).is_closed()
    bursts = [size - 1 for size in sizes if size > 1]  # one query comes before each
    assert bursts[0] == 5000
    assert all(after == max(200, before // 2) for before, after in pairwise(bursts))


def test_the_audit_leaves_state_where_it_is(clock: Clock) -> None:
    session = WithState(clock, lambda staged: MS)
    issuer = Issuer(session, library(), 1, overlapped=False)
    audit(issuer, MS, FREE)
    assert "advance" not in session.issued


class LazyInRead(Session):
    """``run`` takes a microsecond and notes the inputs; the first read of each query does the work, or each."""

    def __init__(self, clock: Clock, work_ns: int, waits_ns: int = 1000, each_read: bool = False) -> None:
        super().__init__(clock, lambda staged: waits_ns)
        self.work_ns, self.each_read, self.is_done = work_ns, each_read, False

    def run(self, staged: Any) -> Any:
        self.is_done = False
        return super().run(staged)

    def read(self, outputs: Any) -> dict[str, Any]:
        if self.each_read or not self.is_done:
            self.clock.passes(self.work_ns)
        self.is_done = True
        return super().read(outputs)


@pytest.mark.parametrize("each_read", [True, False])
@pytest.mark.parametrize(("work_ns", "waits_ns"), [(50 * US, US), (MS, US), (MS, MS), (200 * MS, US)])
def test_work_that_is_left_to_the_read_is_caught(clock: Clock, work_ns: int, waits_ns: int, each_read: bool) -> None:
    assert "the clock stopped before the work did" in complaint_of(LazyInRead(clock, work_ns, waits_ns, each_read))


def test_a_burst_alone_does_not_show_work_that_is_left_to_the_read(clock: Clock) -> None:
    """Why reads are audited too: one read drains a burst of thousands."""
    issuer = Issuer(LazyInRead(clock, 50 * US, 10 * US), library(), 1, overlapped=False)
    assert audit(issuer, 60 * US, FREE).is_closed()


@pytest.mark.parametrize(("run_ns", "read_ns"), [(50, 2 * US), (3 * US, 15 * US), (MS, 300 * US), (MS, MS // 3)])
def test_a_read_that_costs_what_reads_cost_is_innocent(clock: Clock, run_ns: int, read_ns: int) -> None:
    assert complaint_of(Session(clock, lambda staged: run_ns, read_ns=read_ns)) == ""


class Behind(Session):
    """A pipeline: each answer comes some queries too late."""

    depth = 1

    def run(self, staged: Any) -> Any:
        super().run(staged)
        return self.issued[max(0, len(self.issued) - 1 - self.depth)]


@pytest.mark.parametrize(("depth", "run_ns"), [(1, 10 * US), (1, 100 * MS), (4, MS)])
def test_an_answer_that_comes_with_a_later_query_is_caught(clock: Clock, depth: int, run_ns: int) -> None:
    session = Behind(clock, lambda staged: run_ns)
    session.depth = depth
    assert audit(Issuer(session, library(), 1, overlapped=False), run_ns, FREE).is_closed()
    session.issued.clear()
    assert complaint_of(session) == BEHIND_TEXT


class Remembers(Session):
    """A state of its own, which nobody feeds back: each answer is another, or the one before's for a while."""

    period = 1

    def read(self, outputs: Any) -> dict[str, Any]:
        return {"y": np.array([len(self.issued) // self.period])}


@pytest.mark.parametrize("period", [1, 2, 3, 7, 50, 10**9])
def test_a_model_with_a_state_of_its_own_is_no_pipeline(clock: Clock, period: int) -> None:
    session = Remembers(clock, lambda staged: MS)
    session.period = period
    issuer = Issuer(session, library(), 1, overlapped=False)
    assert not any(is_behind(issuer, MS) for _ in range(period if period < 100 else 1))


@pytest.mark.parametrize(("run_ns", "is_caught"), [(10 * US, True), (10 * MS, False)])
def test_work_that_is_left_to_advance_is_caught(clock: Clock, run_ns: int, is_caught: bool) -> None:
    assert ("`advance`, which is not timed" in complaint_of(WithState(clock, lambda staged: run_ns))) is is_caught


def test_a_read_of_large_outputs_is_innocent_as_long_as_it_copies(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Megabytes from a model that computes little: reading takes three times the query, fifteen times when strided."""
    monkeypatch.setattr(audit_reading, "_copy_ns", lambda array: MS)
    for read_ns in (3 * MS, 15 * MS):
        assert complaint_of(Session(clock, lambda staged: MS, read_ns=read_ns)) == ""
    assert complaint_of(Session(clock, lambda staged: MS, read_ns=25 * MS)) != ""


def test_the_audit_keeps_no_more_of_the_outputs_than_one_read_does(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the peak memory that is reported would be the audit's own."""

    class Large(Session):
        alive = most = 0

        def read(self, outputs: Any) -> dict[str, Any]:
            Large.alive += 1
            Large.most = max(Large.most, Large.alive)
            array = np.zeros(8 << 20, np.uint8)
            weakref.finalize(array, self.let_go)
            return {"y": array}

        def let_go(self) -> None:
            Large.alive -= 1

    clock = Clock(monkeypatch)
    tracemalloc.start()
    complaint_of(Large(clock, lambda staged: MS))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert Large.most <= 2
    assert peak < 14 << 20


def test_disturbed_reads_do_not_convict_a_session(clock: Clock) -> None:
    """Other work takes the processor for 5 ms in each but the ninth fresh read."""
    session = Session(clock, lambda staged: 100 * US, read_ns=2 * US)
    reads = iter(range(1, 10**9))
    plain = session.read

    def read(outputs: Any) -> dict[str, Any]:
        count = next(reads)
        clock.passes(5 * MS if count % 2 and count < 17 else 0)
        return plain(outputs)

    session.read = read  # type: ignore[method-assign]
    assert complaint_of(session) == ""


def test_the_quickest_drained_query_sizes_the_burst(clock: Clock) -> None:
    """One of the three is disturbed by 40 ms: by it a burst would have one or two queries."""
    session = Session(clock, lambda staged: MS if len(session.issued) != 3 else 40 * MS)
    closure, _ = audit_session(Issuer(session, library(), 1, overlapped=False))
    assert closure.queries == 50


def test_the_quickest_idle_read_is_taken_off(clock: Clock) -> None:
    """One idle read of the burst is disturbed: taking that one off would let 5 ms of hidden work pass."""
    session = Session(clock, lambda staged: MS, read_ns=US)
    plain, reads = session.read, iter(range(1, 10**9))

    def read(outputs: Any) -> dict[str, Any]:
        count = next(reads) % 4  # of each burst: fresh, idle, idle, the last one
        clock.passes(8 * MS if count in (2, 0) else 0)
        return plain(outputs)

    session.read = read  # type: ignore[method-assign]
    issuer = Issuer(session, library(), 1, overlapped=False)
    assert audit(issuer, MS, FREE).ratio == pytest.approx(50 / 58, abs=0.01)


def test_latencies_that_are_more_than_their_wall_time_are_refused(clock: Clock) -> None:
    """Reads of outputs that were read before are slow on purpose, so that their time hides the work that is left."""
    session = Session(clock, lambda staged: MS)
    state = {"read": False}
    run = session.run

    def run_anew(staged: Any) -> Any:
        state["read"] = False
        return run(staged)

    def read(outputs: Any) -> dict[str, Any]:
        clock.passes(100 * MS if state["read"] else 20 * US)
        state["read"] = True
        return {}

    session.run, session.read = run_anew, read  # type: ignore[method-assign]
    assert "the audit does not add up" in complaint_of(session)


def test_a_loop_cost_that_was_measured_too_high_is_no_excess() -> None:
    """An empty call: 50 of 100 ns an iteration are outside its latency, and a busy machine said 80."""
    ratio = 50 / (100 - 80)
    assert Closure(1000, 50_000, 100_000, 80_000, ratio).is_closed()


class ReturnsGroupsEarly(Overlapping):
    """``run_all`` waits for part of the work; the rest is in the way of the next query."""

    def __init__(self, clock: Clock, waits_for: float) -> None:
        super().__init__(clock, lambda staged: MS)
        self.waits_for, self.busy_until_ns = waits_for, 0

    def run_all(self, staged: Sequence[Any]) -> None:
        self.groups.append(len(staged))
        whole = len(staged) * MS // 2
        self.busy_until_ns = max(self.busy_until_ns, self.clock.now_ns) + whole
        self.clock.passes(int(whole * self.waits_for))

    def run(self, staged: Any) -> Any:
        self.clock.now_ns = max(self.clock.now_ns, self.busy_until_ns)
        return super().run(staged)


@pytest.mark.parametrize(
    ("waits_for", "is_caught"), [(0.0, True), (0.001, True), (0.5, True), (0.8, True), (1.0, False)]
)
def test_a_group_that_is_not_done_when_run_all_returns_is_caught(
    clock: Clock, waits_for: float, is_caught: bool
) -> None:
    assert ("handed to `run_all`" in complaint_of(ReturnsGroupsEarly(clock, waits_for), overlapped=True)) is is_caught


def test_a_group_done_before_one_batch_can_be_is_caught_without_a_queue(clock: Clock) -> None:
    """The work goes on where no later query waits for it."""
    session = Overlapping(clock, lambda staged: MS)
    session.run_all = lambda staged: clock.passes(MS // 4)  # type: ignore[method-assign]
    assert "handed to `run_all`" in complaint_of(session, overlapped=True)


@pytest.mark.parametrize("batch_ns", [5 * US, MS, 400 * MS])
def test_groups_that_overlap_well_are_innocent(clock: Clock, batch_ns: int) -> None:
    """As good as it gets: eight batches and more in the time of one, and a cold start of the query after them."""
    session = Overlapping(clock, lambda staged: batch_ns)
    session.run_all = lambda staged: clock.passes(batch_ns)  # type: ignore[method-assign]
    assert complaint_of(session, overlapped=True) == ""
