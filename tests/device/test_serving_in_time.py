"""The open loop on the real clock: a model of known service time, beside the same arrivals in a queue by arithmetic."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

from bench.device.adapter import ModelFiles, TensorSpec
from bench.device.library import open_library
from bench.device.loop import quiet
from bench.device.records import TensorJob
from bench.device.scenarios import Issuer
from bench.device.serving import OpenLoop
from bench.judge.serving import load
from tests.device.queues import NS_PER_S, arrivals, sojourns
from tests.device.spinning import SpinningSession
from tests.launch.talk import MS, Ear, job, measure

SERVICE_NS = 500_000
WINDOW_NS = 400 * MS
TRIES = 6
ON_TIME_NS = 20_000
MODEL = ModelFiles({}, (TensorSpec("x", "float32", ("batch", 4)),), (TensorSpec("y", "float32", ("batch", 3)),))
SPINNING = "tests.device.spinning:Spinning"


class Measured(NamedTuple):
    """One measurement: latencies, and when each query really ran, by the model's own notes."""

    latencies_ns: NDArray[np.int64]
    due_ns: NDArray[np.int64]
    begin_ns: NDArray[np.int64]
    end_ns: NDArray[np.int64]

    @property
    def service_ns(self) -> NDArray[np.int64]:
        return self.end_ns - self.begin_ns

    @property
    def late_ns(self) -> NDArray[np.int64]:
        """From when the query could begin — it had come, the model was free — to when it did."""
        free = np.concatenate([[0], self.end_ns[:-1]])
        late: NDArray[np.int64] = self.begin_ns - np.maximum(self.due_ns, free)
        return late


def spin(utilisation: float, seed: int) -> Measured:
    session = SpinningSession(MODEL, SERVICE_NS)
    library = open_library([TensorJob("x", "float32", ["batch", 4])], {}, {}, "batch", None, 1)
    rate = utilisation * NS_PER_S / SERVICE_NS
    loop = OpenLoop(Issuer(session, library, 1, False), "poisson", rate, seed, WINDOW_NS, 10**7)
    latencies: list[int] = []
    start_ns = None
    with quiet():
        while (found := loop.block()) is not None:
            start_ns = found.block.span.start_ns if start_ns is None else start_ns
            latencies += found.block.latencies_ns
    assert start_ns is not None
    ran = np.array(session.ran, np.int64)
    due = start_ns + arrivals(rate, seed, WINDOW_NS)
    return Measured(np.array(latencies, np.int64), due, ran[:, 0], ran[:, 1])


def figures(sojourn_ns: NDArray[Any]) -> list[float]:
    """Mean, p50, p90, p99."""
    return [float(sojourn_ns.mean()), *(float(one) for one in np.percentile(sojourn_ns, [50, 90, 99]))]


@pytest.mark.parametrize("utilisation", [0.3, 0.5, 0.7])
def test_latencies_are_those_of_the_queue_with_the_services_measured(utilisation: float) -> None:
    """A bound for every query, and the same figures where the lateness that was measured is put in, on any machine."""
    one = spin(utilisation, seed=1)
    assert len(one.latencies_ns) == len(one.due_ns) == len(one.begin_ns)
    assert (one.late_ns >= 0).all()
    assert (one.latencies_ns >= sojourns(one.due_ns, one.service_ns)).all(), "answered before it could be"
    with_lateness = sojourns(one.due_ns, one.service_ns + one.late_ns)
    assert (one.latencies_ns >= with_lateness).all()
    assert figures(one.latencies_ns) == pytest.approx(figures(with_lateness), rel=0.05)


def test_queries_are_issued_when_they_are_due() -> None:
    """Once in a few tries at least: other work may keep the processor."""
    medians = (np.median(spin(0.3, seed).late_ns) for seed in range(TRIES))
    assert any(median <= ON_TIME_NS for median in medians)


def at(rate_per_s: float) -> dict[str, Any]:
    return {"scenario": "server", "rate_per_s": rate_per_s}


def test_a_whole_process_tells_its_schedule_and_how_it_was_kept() -> None:
    told = measure(job(SPINNING, {"microseconds": 500}, max_ns=500 * MS, arrivals_seed=5, **at(400.0)))
    run = told.run
    assert run.failure is None
    due = arrivals(400.0, 5, 500 * MS)
    assert run.timings_count == len(told.ear.timings) == len(due)
    assert (told.ear.timings >= sojourns(due, np.full(len(due), SERVICE_NS))).all()
    assert run.serving is not None
    assert (run.serving.rate_per_s, run.serving.arrivals, run.serving.seed) == (400.0, "poisson", 5)
    assert run.serving.unanswered == 0
    assert 0 < run.serving.found_free < len(due)
    assert run.serving.late_p50_ns is not None and run.serving.late_p99_ns is not None
    assert run.serving.late_p90_ns is not None
    assert 0 < run.serving.late_p50_ns <= run.serving.late_p90_ns <= run.serving.late_p99_ns
    assert sum(block.wall_ns for block in run.blocks) >= 500 * MS
    assert max(block.queue_max or 0 for block in run.blocks) >= 2
    found = load(run)
    assert found is not None and found >= 0.2


def test_a_rate_far_too_high_ends_and_what_is_left_is_counted() -> None:
    run = measure(job(SPINNING, {"microseconds": 20_000}, **at(1000.0))).run
    assert run.failure is None and run.serving is not None
    due = len(arrivals(1000.0, 0, 60 * MS))
    assert run.timings_count + run.serving.unanswered == due
    assert run.serving.unanswered > due / 2
    assert (load(run) or 0) >= 20


def test_a_server_process_stops_when_the_host_has_seen_enough() -> None:
    stopped = measure(job(max_ns=3_600_000 * MS, min_ns=0, **at(1000.0)), Ear(on_block=lambda block: True))
    assert stopped.run.failure is None
    assert 64 <= stopped.run.timings_count < 5000
    assert stopped.run.serving is not None
