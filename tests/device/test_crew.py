"""Several workers in virtual time: every answer is that of the queue, and nothing is left out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

from bench.device.arrivals import Arrivals, Schedule
from bench.device.crew import Crew, Station
from bench.device.line import Line, Rules
from bench.device.records import NEVER_NS
from bench.device.serving import ServedBlock
from tests.device.queues import NS_PER_S, arrivals, simulate, sojourns
from tests.device.virtual import READING_NS, Virtual

MS = 1_000_000
SLACK_NS = 40 * READING_NS
"""Readings of the clock by every worker, between an arrival and its issue."""


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Virtual:
    return Virtual(monkeypatch)


class Served(NamedTuple):
    crew: Crew
    blocks: list[ServedBlock]
    ran: list[tuple[int, int]]
    """Worker and batch size, as they were begun."""

    @property
    def latencies(self) -> NDArray[np.int64]:
        return np.array([one for found in self.blocks for one in found.block.latencies_ns], np.int64)


def crew_of(
    time: Virtual, service_ns: Callable[[int], int], line: Line, workers: int, ran: list[tuple[int, int]], **more: Any
) -> Crew:
    def station(at: int) -> Station:
        def run(size: int) -> int:
            ran.append((at, size))
            time.passes(service_ns(size))
            return size

        return Station(run, None, {size: [size] for size in range(1, line.rules.max_batch + 1)}, 1)

    @contextmanager
    def opened(at: int) -> Iterator[Station]:
        time.passes(3 * MS)
        yield station(at)

    def opener(at: int) -> Callable[[], AbstractContextManager[Station]]:
        return lambda: opened(at)

    crew = Crew(line, station(0), [opener(at) for at in range(1, workers)], **more)
    crew.open()
    return crew


def serve(
    time: Virtual,
    service_ns: Callable[[int], int],
    rate: float,
    window_ns: int,
    workers: int = 1,
    kind: str = "poisson",
    rules: Rules = Rules(),  # noqa: B008 - it is frozen
    **more: Any,
) -> Served:
    ran: list[tuple[int, int]] = []
    line = Line(Schedule(Arrivals(kind, rate, 1), window_ns, 10**7), rules)
    crew = crew_of(time, service_ns, line, workers, ran, window_ns=window_ns, **more)
    blocks: list[ServedBlock] = []
    while (found := crew.block()) is not None:
        blocks.append(found)
    return Served(crew, blocks, ran)


@pytest.mark.parametrize(("workers", "lets_go"), [(1, False), (2, True)])
def test_who_polls_for_an_arrival_lets_go_of_the_interpreter_where_others_may_want_it(
    time: Virtual, workers: int, lets_go: bool
) -> None:
    """A worker that is back from the model would else wait for it, with its query's clock running."""
    serve(time, lambda _: MS, 500.0, NS_PER_S // 10, workers)
    assert (time.yields > 0) is lets_go


def figures(found: NDArray[Any]) -> list[float]:
    return [float(found.mean()), *(float(one) for one in np.percentile(found, [50, 90, 99]))]


@pytest.mark.parametrize("kind", ["poisson", "constant", "bursts of 4"])
@pytest.mark.parametrize(("workers", "load"), [(1, 0.7), (2, 0.3), (2, 0.8), (4, 0.9)])
def test_latencies_are_those_of_the_queue_with_so_many_servers(
    time: Virtual, workers: int, load: float, kind: str
) -> None:
    rate, window_ns = load * workers * 1000, 3 * NS_PER_S
    found = serve(time, lambda _: MS, rate, window_ns, workers, kind)
    expected = np.array(simulate(arrivals(rate, 1, window_ns, kind), lambda _: MS, workers).latencies_ns, np.int64)
    assert len(found.latencies) == len(expected) == found.crew.answered
    assert (found.latencies >= expected).all()
    assert figures(found.latencies) == pytest.approx(figures(expected), rel=0.05)
    assert found.crew.unanswered() == 0


def test_the_simulation_of_one_worker_is_lindleys_recursion() -> None:
    due = arrivals(900.0, 1, 5 * NS_PER_S)
    assert simulate(due, lambda _: MS).latencies_ns == sojourns(due, np.full(len(due), MS)).tolist()


def test_every_worker_works(time: Virtual) -> None:
    ran = [at for at, _ in serve(time, lambda _: MS, 3000.0, NS_PER_S, 4).ran]
    assert all(ran.count(at) > len(ran) / 8 for at in range(4))


def test_queries_are_begun_in_order_of_arrival(time: Virtual) -> None:
    """A slow query does not hold up those behind it, and theirs are answered before it."""
    numbers = iter(range(10**6))
    found = serve(time, lambda _: 50 * MS if next(numbers) == 10 else MS, 100.0, NS_PER_S, 2, "constant")
    assert found.latencies[10] >= 50 * MS
    assert np.delete(found.latencies, 10).max() <= MS + SLACK_NS


def test_a_rate_that_cannot_be_kept_is_served_to_its_last_query(time: Virtual) -> None:
    found = serve(time, lambda _: 30 * MS, 100.0, NS_PER_S, 2, "constant")
    assert len(found.latencies) == found.crew.answered == 99
    busy_ns = sum(one.busy_ns for one in found.blocks)
    assert busy_ns / 99 == pytest.approx(30 * MS, rel=0.01)
    assert max(one.queue_max for one in found.blocks) == pytest.approx(99 / 3 + 1, abs=3)


def test_what_has_arrived_and_is_not_answered_is_counted(time: Virtual) -> None:
    line = Line(Schedule(Arrivals("constant", 100.0, 1), NS_PER_S, 10**7), Rules())
    begun_ns = time.now_ns + 3 * MS
    crew = crew_of(time, lambda _: 60 * MS, line, 2, [])
    assert crew.block() is not None
    crew.stop()
    told = 0
    while (found := crew.block()) is not None:
        told += len(found.block.latencies_ns)
    left = crew.unanswered()
    assert told >= 1, "what was being answered is told too"
    arrived = (time.now_ns - begun_ns) // (10 * MS)
    assert left == pytest.approx(arrived - crew.answered, abs=1)
    assert left > 3 and crew.answered >= 4


def test_lateness_is_of_those_that_found_a_worker_free(time: Virtual) -> None:
    found = serve(time, lambda _: MS, 100.0, NS_PER_S, 2, "constant")
    assert found.crew.lateness.count == 99
    late = found.crew.lateness.percentile(0.99)
    assert late is not None and late <= SLACK_NS
    full = serve(time, lambda _: 30 * MS, 100.0, NS_PER_S, 2, "constant")
    assert full.crew.lateness.count < 5


def test_blocks_lie_end_to_end_and_fill_the_window(time: Virtual) -> None:
    found = serve(time, lambda _: 2 * MS, 200.0, 2 * NS_PER_S, 2)
    spans = [one.block.span for one in found.blocks]
    assert len(spans) > 20
    assert all(a.start_ns + a.wall_ns == b.start_ns for a, b in pairwise(spans))
    assert sum(span.wall_ns for span in spans) == pytest.approx(2 * NS_PER_S, abs=MS)
    assert sum(one.block.samples for one in found.blocks) == len(found.latencies)


def test_what_a_worker_raises_is_raised_where_the_blocks_are_asked_for(time: Virtual) -> None:
    def broken() -> AbstractContextManager[Station]:
        raise RuntimeError("no second session")

    line = Line(Schedule(Arrivals("constant", 100.0, 1), NS_PER_S, 10**7), Rules())
    broken_crew = Crew(line, Station(lambda size: size, None, {1: [1]}, 1), [broken])
    broken_crew.open()
    with pytest.raises(RuntimeError, match="no second session"):
        broken_crew.block()
    calls = iter(range(100))

    def fails(_: int) -> int:
        if next(calls) == 5:
            raise RuntimeError("that was one too many")
        return MS

    crew = crew_of(time, fails, Line(Schedule(Arrivals("constant", 100.0, 1), NS_PER_S, 10**7), Rules()), 3, [])
    with pytest.raises(RuntimeError, match="one too many"):
        list(iter(crew.block, None))


# Batches


@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize(("load", "max_wait_ns"), [(0.2, 0), (0.2, 2 * MS), (0.8, 0), (0.8, 4 * MS), (2.0, MS)])
def test_batches_are_those_of_the_simulation(time: Virtual, load: float, max_wait_ns: int, workers: int) -> None:
    """A batch takes 1 ms and 0.1 ms a query: up to 4.4 times what one by one could be answered."""

    def service_ns(size: int) -> int:
        return MS + size * MS // 10

    rate, window_ns = load * workers * 1000, 3 * NS_PER_S
    found = serve(time, service_ns, rate, window_ns, workers, rules=Rules(8, max_wait_ns))
    expected = simulate(arrivals(rate, 1, window_ns), service_ns, workers, 8, max_wait_ns)
    latencies = np.array(expected.latencies_ns, np.int64)
    assert figures(found.latencies) == pytest.approx(figures(latencies), rel=0.03)
    sizes = [size for _, size in found.ran]
    assert np.mean(sizes) == pytest.approx(np.mean(expected.batches), rel=0.02)
    assert max(sizes) == max(expected.batches) == found.crew.batch_max
    assert found.crew.issues == len(sizes) and sum(sizes) == found.crew.answered


def test_nobody_waits_for_company_longer_than_was_said(time: Virtual) -> None:
    found = serve(time, lambda _: 1000, 10.0, 2 * NS_PER_S, kind="constant", rules=Rules(8, 5 * MS))
    assert found.latencies == pytest.approx(np.full(19, 5 * MS + 1000), abs=SLACK_NS)


def test_a_full_batch_goes_at_once(time: Virtual) -> None:
    found = serve(time, lambda _: 1000, 80.0, 2 * NS_PER_S, kind="bursts of 8", rules=Rules(4, 500 * MS))
    assert {size for _, size in found.ran} == {4}
    assert found.latencies.max() < 10 * MS


# A bounded queue


@pytest.mark.parametrize("rules", [Rules(queue=3), Rules(4, 2 * MS, 6)])
@pytest.mark.parametrize(("workers", "kind"), [(1, "poisson"), (2, "poisson"), (2, "bursts of 8")])
def test_who_finds_the_queue_full_is_dropped_as_in_the_simulation(
    time: Virtual, workers: int, kind: str, rules: Rules
) -> None:
    def service_ns(size: int) -> int:
        return 3 * MS + size * MS

    rate, window_ns = 300.0 * workers * rules.max_batch**0.5, 3 * NS_PER_S
    found = serve(time, service_ns, rate, window_ns, workers, kind, rules)
    expected = simulate(arrivals(rate, 1, window_ns, kind), service_ns, workers, *rules).latencies_ns
    lost = expected.count(None)
    assert lost > 30
    assert len(found.latencies) == len(expected)
    assert found.crew.dropped == np.count_nonzero(found.latencies == NEVER_NS) == pytest.approx(lost, rel=0.05)
    assert found.crew.answered == len(expected) - found.crew.dropped
    assert found.crew.unanswered() == 0
    kept = np.array([one for one in expected if one is not None])
    assert figures(found.latencies[found.latencies != NEVER_NS]) == pytest.approx(figures(kept), rel=0.05)


@pytest.mark.parametrize(("workers", "max_batch"), [(1, 1), (3, 1), (1, 4), (2, 4)])
def test_a_full_system_holds_those_that_are_answered_and_those_that_may_wait(
    time: Virtual, workers: int, max_batch: int
) -> None:
    found = serve(time, lambda _: 20 * MS, 2000.0, NS_PER_S, workers, rules=Rules(max_batch, 0, 8))
    assert found.crew.dropped
    assert max(one.queue_max for one in found.blocks) == workers * max_batch + 8


def test_a_queue_that_is_long_enough_drops_nobody(time: Virtual) -> None:
    assert serve(time, lambda _: MS, 500.0, 2 * NS_PER_S, rules=Rules(queue=1000)).crew.dropped == 0


def test_late_answers_are_answers_and_counted(time: Virtual) -> None:
    found = serve(time, lambda _: MS, 900.0, 2 * NS_PER_S, timeout_ns=2 * MS)
    assert found.crew.timed_out == np.count_nonzero(found.latencies > 2 * MS) > 100
    assert found.crew.answered == len(found.latencies)
