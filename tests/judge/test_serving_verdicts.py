"""A rate that the system cannot keep is said in a sentence, and no latency is called met on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from bench.device.records import NEVER_NS
from bench.judge.ballot import Ballot
from bench.judge.case import judge_case
from bench.judge.serving import (
    crowded,
    late_harness,
    late_search,
    load,
    mostly_own,
    overload,
    own_overload,
    why_not_met,
)
from bench.judge.swamped import least_ns
from bench.results import Block, Crew, Figure, Outcome, ProcessRun, Searched, Serving
from bench.units import show
from tests.judge.cases import CRASH, case, contract, latencies, process, requirement

MS = 1_000_000
P99, RATE, MEMORY = (
    requirement("server", name, limit)
    for name, limit in (("latency p99", 9e6), ("throughput", 5), ("peak memory", 1e9))
)


def served(index: int, busy_ms: Sequence[float], *, unanswered: int = 0, rate: float = 100.0) -> ProcessRun:
    """Blocks of 100 queries at 100/s, each query taking the model ``busy_ms`` in its block."""
    blocks = tuple(
        Block(100, 100, at * 1000 * MS, 1000 * MS, 0, int(100 * busy * MS), 3 + at) for at, busy in enumerate(busy_ms)
    )
    serving = Serving(rate, "poisson", 7 + index, unanswered, 50, 60, 70_000)
    return replace(process(index), blocks=blocks, serving=serving)


def verdicts(runs: Sequence[ProcessRun], folder: Path) -> dict[str, tuple[Outcome, str]]:
    one = case(P99, RATE, MEMORY, scenario="server", processes=len(runs))
    found = judge_case(one, contract(folder), runs, latencies, None)[1]
    return {verdict.metric: (verdict.outcome, verdict.reason) for verdict in found}


@pytest.mark.parametrize(
    ("busy_ms", "expected"),
    [([4, 4, 4, 4], 0.4), ([4, 4, 8, 12], 1.0), ([40, 40, 5, 5], 0.5), ([3], 0.3), ([4, 8], 0.8), ([1, 2, 6], 0.6)],
)
def test_the_load_is_that_of_the_second_half(busy_ms: list[float], expected: float) -> None:
    assert load(served(0, busy_ms)) == pytest.approx(expected)


def test_other_scenarios_have_no_load() -> None:
    assert load(process(0)) is None
    assert overload([process(0)]) == why_not_met([process(0)]) == ""


def test_a_rate_that_is_kept_is_met_and_nothing_is_said(tmp_path: Path) -> None:
    runs = [served(index, [4, 4, 4, 9.9]) for index in range(3)]
    assert overload(runs) == ""
    assert {outcome for outcome, _ in verdicts(runs, tmp_path).values()} == {Outcome.MET}


def test_the_worst_process_is_told_in_one_sentence() -> None:
    runs = [served(0, [4, 4]), served(1, [9, 12, 15, 15], unanswered=1234), served(2, [11, 11])]
    assert overload(runs) == (
        "the system cannot keep 100/s: a query takes it 15 ms on average, 1.5 times what the rate leaves, "
        "so the queue grew (6 at most, and 1,234 were never answered)"
    )
    assert overload([served(0, [10.5, 10.5])]).endswith("so the queue grew (4 at most)")


def test_no_latency_is_met_while_the_queue_grows_but_what_was_missed_stays_missed(tmp_path: Path) -> None:
    runs = [served(0, [4, 4]), served(1, [11, 11]), served(2, [4, 4])]
    found = verdicts(runs, tmp_path)
    assert found["latency p99"][0] is Outcome.UNDECIDED
    assert "the queue was still growing" in found["latency p99"][1]
    assert found["throughput"][0] is found["peak memory"][0] is Outcome.MET
    tight = requirement("server", "latency p99", 0.5e6)
    (missed,) = judge_case(case(tight, scenario="server"), contract(tmp_path), runs, latencies, None)[1]
    assert missed.outcome is Outcome.MISSED


def rising(run: ProcessRun) -> NDArray[np.uint64]:
    """Each query waits longer than the one before, up to a second."""
    return np.linspace(1e6, 1e9, 100 * len(run.blocks)).astype(np.uint64)


def overloaded_verdict(
    folder: Path, limit_ns: float, busy: Sequence[Sequence[float]], *, metric: str = "latency p90", **settings: Any
) -> tuple[Outcome, str]:
    wanted = requirement("server", metric, limit_ns)
    one = case(wanted, scenario="server", processes=len(busy))
    one = replace(one, scenario=replace(one.scenario, **settings))
    runs = [served(index, busy_ms) for index, busy_ms in enumerate(busy)]
    (found,) = judge_case(one, contract(folder), runs, rising, None)[1]
    return found.outcome, found.reason


@pytest.mark.parametrize(
    ("metric", "limit_ns"), [("latency p50", 4.5e8), ("latency p90", 8.5e8), ("latency mean", 4.5e8)]
)
def test_a_queue_that_grew_past_the_limit_in_every_process_is_missed(
    tmp_path: Path, metric: str, limit_ns: float
) -> None:
    """The interval of latencies that rise all the way is wide; each process by itself is far over the limit."""
    busy = [[15.0] * 8] * 2
    outcome, reason = overloaded_verdict(tmp_path, limit_ns, busy, metric=metric)
    assert outcome is Outcome.MISSED
    name = metric.removeprefix("latency ")
    assert reason.startswith(f"every process's own {name} of all queries that arrived is above the limit already, ")
    assert reason.endswith("the queue was still growing: longer measured, latencies would be longer")
    assert overloaded_verdict(tmp_path, 6e8, busy, metric="latency p50")[0] is Outcome.UNDECIDED


def test_one_process_that_kept_up_leaves_it_open(tmp_path: Path) -> None:
    def outcome(*busy_ms: float) -> Outcome:
        return overloaded_verdict(tmp_path, 8.5e8, [[busy] * 8 for busy in busy_ms])[0]

    assert outcome(15.0) is outcome(15.0, 15.0) is Outcome.MISSED
    assert outcome(5.0) is outcome(15.0, 5.0) is Outcome.UNDECIDED


def test_processes_whose_queue_grew_past_the_limit_vote_against_it_and_never_for_what_they_cannot_tell(
    tmp_path: Path,
) -> None:
    busy = [[15.0] * 8] * 8
    outcome, reason = overloaded_verdict(tmp_path, 3e8, busy, least_processes=8)
    assert outcome is Outcome.MISSED
    assert "the typical fresh process misses its p90 (0 of 8 processes kept it" in reason
    assert reason.endswith("(the queue was still growing: longer measured, latencies would be longer)")
    for limit_ns in (9.5e8, 2e9, 6e10):
        outcome, reason = overloaded_verdict(tmp_path, limit_ns, busy, least_processes=8)
        assert outcome is Outcome.UNDECIDED, "longer measured, it might be over any limit"
        assert "the queue was still growing" in reason


def test_what_was_never_answered_is_slower_than_all_that_was() -> None:
    run = served(0, [15.0] * 2, unanswered=100)
    assert least_ns("latency p50", run, np.arange(1, 201, dtype=np.uint64)) == 150
    assert least_ns("latency p90", run, np.arange(1, 201, dtype=np.uint64)) == 200, "at least: it was not answered"
    assert least_ns("latency p50", served(0, [5.0] * 2), np.arange(1, 201, dtype=np.uint64)) is None
    assert least_ns("throughput", run, np.arange(1, 201, dtype=np.uint64)) is None


def test_no_latency_is_met_while_queries_are_unanswered(tmp_path: Path) -> None:
    outcome, reason = verdicts([served(index, [4, 4], unanswered=2) for index in range(3)], tmp_path)["latency p99"]
    assert outcome is Outcome.UNDECIDED
    assert "6 queries were not answered when the measurement ended" in reason


def test_a_process_that_failed_says_nothing_of_the_load() -> None:
    assert overload([replace(served(0, [20, 20]), failure=CRASH)]) == ""
    assert load(replace(served(0, []), blocks=())) is None


def crew(run: ProcessRun, **told: Any) -> ProcessRun:
    assert run.serving is not None
    return replace(run, serving=replace(run.serving, crew=Crew(**{"answered": 1900, **told})))


def lossy(run: ProcessRun) -> NDArray[np.uint64]:
    """2 % are never answered."""
    found = latencies(run).copy()
    found[::50] = NEVER_NS
    return found


def test_several_workers_share_the_load() -> None:
    busy = served(0, [36, 36])
    assert load(crew(busy, workers=4)) == pytest.approx(0.9)
    assert overload([crew(busy, workers=4)]) == ""
    assert overload([crew(busy, workers=3)]) == (
        "the system cannot keep 100/s: a query takes it 36 ms on average, 1.2 times what the rate leaves 3 workers, "
        "so the queue grew (4 at most)"
    )


def test_dropped_queries_are_later_than_any_answer(tmp_path: Path) -> None:
    runs = [crew(served(index, [4, 4, 4, 4]), dropped=40, answered=1960) for index in range(3)]
    wanted = [requirement("server", name, 1e9) for name in ("latency p50", "latency p99", "latency mean")]
    one = case(
        *wanted, requirement("server", "dropped", 0.03), requirement("server", "timed out", 0), scenario="server"
    )
    figures, verdicts = judge_case(one, contract(tmp_path), runs, lossy, None)
    outcome = {verdict.metric: verdict.outcome for verdict in verdicts}
    assert outcome == {
        "latency p50": Outcome.MET,
        "latency p99": Outcome.MISSED,
        "latency mean": Outcome.NOT_MEASURED,
        "dropped": Outcome.MET,
        "timed out": Outcome.MET,
    }
    found = {figure.metric: figure for figure in figures}
    assert found["dropped"].value == pytest.approx(0.02)
    assert show(found["latency p99"].value or 0, "ns") == "never"
    assert "queries were dropped" in found["latency mean"].why_not


def test_the_typical_process_votes_with_what_was_dropped(tmp_path: Path) -> None:
    runs = [crew(served(index, [4, 4, 4, 4]), dropped=40, answered=1960) for index in range(8)]
    wanted = [requirement("server", name, 1e9) for name in ("latency p50", "latency p99", "latency mean")]
    one = case(*wanted, requirement("server", "dropped", 0.01), scenario="server", processes=8)
    adaptive = replace(one, scenario=replace(one.scenario, least_processes=8))
    verdicts = judge_case(adaptive, contract(tmp_path), runs, lossy, None)[1]
    assert [verdict.outcome for verdict in verdicts[:3]] == [Outcome.MET, Outcome.MISSED, Outcome.NOT_MEASURED]
    assert verdicts[3].reason.startswith("the typical fresh process misses its share of dropped queries (0 of 8")


def test_processes_on_both_sides_of_a_share_leave_it_open(tmp_path: Path) -> None:
    runs = [crew(served(index, [4, 4]), timed_out=19 * index) for index in range(3)]
    limit = requirement("server", "timed out", 0.01)
    (verdict,) = judge_case(case(limit, scenario="server"), contract(tmp_path), runs, latencies, None)[1]
    assert verdict.outcome is Outcome.UNDECIDED
    assert verdict.reason.startswith("some processes are within the limit and some are not (2 of 3 are within it; ")


def lost(own: list[ProcessRun], metric: str, limit: float, tmp_path: Path, least: int = 0) -> tuple[Outcome, Figure]:
    one = case(requirement("server", metric, limit), scenario="server", processes=max(least, 3))
    if least:
        one = replace(one, scenario=replace(one.scenario, least_processes=least))
    (found,) = judge_case(one, contract(tmp_path), own, latencies, None)[1]
    return found.outcome, found.figure


def test_a_query_that_is_never_answered_is_not_in_time(tmp_path: Path) -> None:
    """Of 1000 queries 100 were answered late and 600 never: a fourth of those that were answered is no share of all."""
    runs = [crew(served(index, [4, 4], unanswered=600), timed_out=100, answered=400) for index in range(8)]
    for some, least in ((runs[:3], 0), (runs, 8)):
        assert lost(some, "timed out", 0.5, tmp_path, least)[0] is not Outcome.MET  # the others might have come in time
        assert lost(some, "timed out", 0.09, tmp_path, least)[0] is Outcome.MISSED
        outcome, figure = lost(some, "timed out", 0.8, tmp_path, least)
        assert outcome is Outcome.MET and figure.value == pytest.approx(0.7)


def test_what_is_never_answered_was_not_dropped(tmp_path: Path) -> None:
    runs = [crew(served(index, [4, 4], unanswered=600), dropped=100, answered=300) for index in range(3)]
    assert lost(runs, "dropped", 0.2, tmp_path)[1].value == pytest.approx(0.1)


def test_a_queue_that_drops_does_not_grow() -> None:
    """Its latencies are bounded; what could not be kept is told by what was dropped."""
    full = crew(served(0, [20, 20]), dropped=1000)
    assert overload([full]) == why_not_met([full]) == ""
    assert why_not_met([crew(served(0, [20, 20]))]) != ""


def test_a_rate_that_the_harness_cannot_keep_is_told_and_never_met(tmp_path: Path) -> None:
    def late(by_ns: int) -> list[ProcessRun]:
        runs = [served(index, [4, 4, 4, 4]) for index in range(3)]
        return [replace(run, serving=replace(run.serving, late_p50_ns=by_ns)) for run in runs if run.serving]

    assert late_harness(late(5 * MS)) == ""
    assert late_harness(late(6 * MS)) == (
        "the harness itself cannot keep 100/s here: queries that found a worker free were issued 6 ms late in the "
        "median, with 10 ms between two arrivals; so in 3 of 3 processes, this is the worst"
    )
    found = verdicts(late(6 * MS), tmp_path)
    outcome, reason = found["latency p99"]
    assert outcome is Outcome.NOT_MEASURED and "the harness itself cannot keep 100/s here" in reason
    assert found["throughput"][0] is found["peak memory"][0] is Outcome.MET
    tight = requirement("server", "latency p99", 0.5e6)
    (missed,) = judge_case(case(tight, scenario="server"), contract(tmp_path), late(6 * MS), latencies, None)[1]
    assert missed.outcome is Outcome.NOT_MEASURED, "nor is the model to blame"
    one = case(P99, scenario="server", processes=3)
    adaptive = replace(one, scenario=replace(one.scenario, least_processes=3))
    (voted,) = judge_case(adaptive, contract(tmp_path), late(6 * MS), latencies, None)[1]
    assert voted.outcome is Outcome.NOT_MEASURED


@pytest.mark.parametrize(("late", "outcome"), [(0, "MET"), (1, "MET"), (3, "UNDECIDED"), (9, "NOT_MEASURED")])
@pytest.mark.parametrize("promise", ["typical", "pool"])
def test_a_process_whose_queries_the_harness_issued_late_has_no_vote(
    tmp_path: Path, late: int, outcome: str, promise: str
) -> None:
    """One in 14 costs further processes, and no answer; if most are late, nothing is known."""
    runs = [served(index, [4, 4, 4, 4]) for index in range(14)]
    runs = [
        replace(run, serving=replace(run.serving, late_p50_ns=6 * MS if run.index < late else MS))
        for run in runs
        if run.serving is not None
    ]
    one = case(requirement("server", "latency p50", 1e9), scenario="server", processes=14)
    scenario = replace(one.scenario, least_processes=1, pooled=promise == "pool")
    (found,) = judge_case(replace(one, scenario=scenario), contract(tmp_path), runs, latencies, None)[1]
    assert found.outcome is Outcome[outcome], found.reason


def test_a_few_queries_that_were_late_blame_nobody() -> None:
    run = served(0, [20, 20])
    assert run.serving is not None
    assert late_harness([replace(run, serving=replace(run.serving, late_p50_ns=50 * MS, found_free=19))]) == ""


@pytest.mark.parametrize(
    ("late_ms", "found_free", "rate", "is_told"),
    [(11, 1000, 200.0, True), (9, 1000, 200.0, False), (11, 999, 200.0, False), (11, 1000, 50.0, False)],
)
def test_so_is_one_that_the_harness_misses_now_and_then(
    late_ms: int, found_free: int, rate: float, is_told: bool
) -> None:
    """At p99: by more than 10 ms and more than a gap, and by enough queries to tell."""
    run = served(0, [1, 1], rate=rate)
    assert run.serving is not None
    late = replace(run.serving, late_p99_ns=late_ms * MS, found_free=found_free)
    told = late_harness([replace(run, serving=late)])
    assert told.endswith("issued 11 ms late at p99, with 5 ms between two arrivals") if is_told else told == ""


@pytest.mark.parametrize(
    ("late_ms", "found_free", "rate", "is_told"),
    [(11, 100, 200.0, True), (9, 100, 200.0, False), (11, 99, 200.0, False), (11, 999, 50.0, False)],
)
def test_where_too_few_queries_tell_a_p99_the_p90_is_looked_at(
    late_ms: int, found_free: int, rate: float, is_told: bool
) -> None:
    run = served(0, [1, 1], rate=rate)
    assert run.serving is not None
    late = replace(run.serving, late_p90_ns=late_ms * MS, late_p99_ns=500 * MS, found_free=found_free)
    told = late_harness([replace(run, serving=late)])
    assert told.endswith("issued 11 ms late at p90, with 5 ms between two arrivals") if is_told else told == ""


@pytest.mark.parametrize(("late_ms", "is_told"), [(6, False), (39, False), (41, True)])
def test_how_late_a_burst_is_counts_by_the_time_to_the_next_burst(late_ms: int, is_told: bool) -> None:
    """Bursts of 8 at 100 queries a second are 80 ms apart: 6 ms late is hardly late."""
    run = served(0, [1, 1])
    assert run.serving is not None
    late = replace(run.serving, arrivals="bursts of 8", late_p50_ns=late_ms * MS)
    told = late_harness([replace(run, serving=late)])
    assert told.endswith("issued 41 ms late in the median, with 80 ms between two bursts") if is_told else told == ""


def test_a_rate_of_nothing_is_never_too_high() -> None:
    """Where not even the lowest rate keeps the percentile, the search says 0."""
    run = served(0, [1, 1])
    assert run.serving is not None
    searched = Searched(aims=(), trials=(), curves=(), tried=(), late_p50_ns=9 * MS)
    assert late_search([replace(run, searched=searched)], 0.0) == ""
    assert "cannot keep 100/s" in late_search([replace(run, searched=searched)], 100.0)
    assert late_harness([replace(run, serving=replace(run.serving, rate_per_s=0.0, late_p50_ns=9 * MS))]) == ""


def test_a_late_harness_is_told_of_all_processes() -> None:
    runs = []
    for index, late_ms in enumerate((6, 2, 8)):
        run = served(index, [1, 1])
        assert run.serving is not None
        runs.append(replace(run, serving=replace(run.serving, late_p50_ns=late_ms * MS)))
    told = late_harness(runs)
    assert "issued 8 ms late in the median, with 10 ms between two arrivals" in told
    assert told.endswith("; so in 2 of 3 processes, this is the worst")


def with_own(run: ProcessRun, between_ms: float) -> ProcessRun:
    """The same, of whose time the harness took so much between two queries, of each query."""
    assert run.serving is not None
    count = sum(block.count for block in run.blocks)
    return replace(run, serving=replace(run.serving, between_ns=int(count * between_ms * MS)))


def test_a_queue_that_only_the_harness_made_grow_is_not_the_models(tmp_path: Path) -> None:
    runs = [with_own(served(index, [15, 15], unanswered=9), 6) for index in range(3)]
    assert overload(runs) == ""
    told = own_overload(runs)
    assert (
        told
        == late_harness(runs)
        == (
            "the harness itself cannot keep 100/s here: a query takes it 6 ms beside the model's 9 ms, and the rate "
            "leaves 10 ms for both; so in 3 of 3 processes, this is the worst"
        )
    )
    tight, much = (requirement("server", name, limit) for name, limit in (("latency p99", 0.5e6), ("throughput", 1e6)))
    found = judge_case(case(tight, much, scenario="server"), contract(tmp_path), runs, latencies, None)[1]
    assert [(one.outcome, one.reason) for one in found] == [(Outcome.NOT_MEASURED, told)] * 2


def test_a_queue_that_the_model_makes_grow_alone_stays_the_models(tmp_path: Path) -> None:
    """Whatever the harness takes beside it: the rate would not have been kept without that either."""
    runs = [with_own(served(index, [15, 15]), 4) for index in range(3)]
    assert own_overload(runs) == late_harness(runs) == ""
    assert overload(runs).startswith("the system cannot keep 100/s")
    tight = requirement("server", "latency p99", 0.5e6)
    (found,) = judge_case(case(tight, scenario="server"), contract(tmp_path), runs, latencies, None)[1]
    assert found.outcome is Outcome.MISSED


@pytest.mark.parametrize(
    ("between_ms", "limit_ns", "outcome"),
    [(3.0, 0.5e6, Outcome.NOT_MEASURED), (3.0, 9e6, Outcome.MET), (1.9, 0.5e6, Outcome.MISSED)],
)
def test_a_limit_missed_where_most_of_the_time_is_the_harnesss_is_not_measured_and_one_that_is_kept_is_met(
    tmp_path: Path, between_ms: float, limit_ns: float, outcome: Outcome
) -> None:
    runs = [with_own(served(index, [4, 4, 4, 4]), between_ms) for index in range(3)]
    wanted = requirement("server", "latency p99", limit_ns)
    (found,) = judge_case(case(wanted, scenario="server"), contract(tmp_path), runs, latencies, None)[1]
    assert found.outcome is outcome
    if outcome is Outcome.NOT_MEASURED:
        assert found.reason == mostly_own(runs)
        assert "of the time that queries took, 75 % was its own" in found.reason


def test_more_workers_than_cores_are_told() -> None:
    def on(cores: int, threads: int, workers: int) -> str:
        run = replace(
            crew(served(0, [4]), workers=workers), machine={"usable_cores": cores}, facts={"threads": threads}
        )
        return crowded([run])

    assert on(4, 2, 2) == on(2, 4, 1) == ""
    assert on(4, 3, 2) == "6 threads of 2 workers share 4 usable cores: they wait for each other"


@pytest.mark.parametrize(("late", "most", "closed"), [(3, 3, True), (2, 3, False), (2, 2, False)])
@pytest.mark.parametrize("promise", ["typical", "pool"])
def test_no_further_process_is_started_where_the_first_three_saw_other_arrivals(
    late: int, most: int, closed: bool, promise: str
) -> None:
    """A rate that the harness cannot keep is refused before 40 processes were measured at it."""
    one = case(requirement("server", "latency p50", 1e9), scenario="server", processes=40)
    ballot = Ballot(replace(one, scenario=replace(one.scenario, least_processes=1, pooled=promise == "pool")))
    for index in range(most):
        run = served(index, [4, 4, 4, 4])
        assert run.serving is not None
        run = replace(run, serving=replace(run.serving, late_p50_ns=6 * MS if index < late else MS))
        ballot.add(run, latencies(run))
    assert ballot.closed is closed
