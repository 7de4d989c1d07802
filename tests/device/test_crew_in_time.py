"""A crew on the real clock, in real threads and real processes."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.conformance import wide_onnx_example
from bench.device.adapter import ModelFiles, TensorSpec
from bench.device.arrivals import Arrivals, Schedule
from bench.device.crew import Crew
from bench.device.library import open_library
from bench.device.line import Line, Rules
from bench.device.loop import quiet
from bench.device.records import NEVER_NS, TensorJob
from bench.device.stations import cores_for, others, pinned, station_of
from bench.judge.serving import load
from tests.device.queues import arrivals
from tests.device.sleeping import SleepingSession
from tests.launch.talk import MS, Told, job, measure

SERVICE_NS = 4 * MS
WINDOW_NS = 500 * MS
MODEL = ModelFiles({}, (TensorSpec("x", "float32", ("batch", 4)),), (TensorSpec("y", "float32", ("batch", 3)),))
SLEEPING, ALONE = "tests.device.sleeping:Sleeping", "tests.device.sleeping:Alone"


def at(rate_per_s: float, **more: Any) -> dict[str, Any]:
    return {"scenario": "server", "rate_per_s": rate_per_s, **more}


def test_each_query_is_answered_as_soon_as_a_worker_could_and_they_work_at_once() -> None:
    """Bounds that hold on any machine, from the model's own notes of when it really ran."""
    session = SleepingSession(MODEL, SERVICE_NS)
    library = open_library([TensorJob("x", "float32", ["batch", 4])], {}, {}, "batch", None, 1)
    line = Line(Schedule(Arrivals("poisson", 600.0, 3), WINDOW_NS, 10**7), Rules())

    def opened() -> Any:
        return session

    def set_up(_: Any) -> Any:
        return station_of(session, library, 1, 1)

    crew = Crew(line, set_up(session), others(opened, set_up, [None, None]))
    latencies: list[int] = []
    with quiet():
        crew.open()
        begun_ns = line.start_ns
        while (found := crew.block()) is not None:
            latencies += found.block.latencies_ns
    ran = np.array(sorted(one for one in session.ran if one[0] >= begun_ns))
    due = arrivals(600.0, 3, WINDOW_NS) + begun_ns
    assert len(latencies) == len(due) == len(ran)
    assert (np.array(latencies) >= SERVICE_NS).all()
    assert (ran[:, 0] >= due).all(), "begun in order of arrival, none before it came"
    assert len(set(ran[:, 2].tolist())) == 3
    assert (ran[1:, 0] < ran[:-1, 1]).any(), "two ran at once"
    free = np.sort(ran[:, 1])
    assert (ran[3:, 0] >= free[:-3]).all(), "three at once at most"


def test_a_whole_process_tells_its_workers() -> None:
    told = measure(job(SLEEPING, {"microseconds": 4000}, max_ns=500 * MS, arrivals_seed=5, **at(400.0, workers=3)))
    run = told.run
    assert run.failure is None and run.serving is not None
    due = arrivals(400.0, 5, 500 * MS)
    assert run.timings_count == len(due)
    assert (told.ear.timings >= SERVICE_NS).all()
    crew = run.serving.crew
    assert (crew.workers, crew.sessions, crew.answered, crew.issues) == (3, 1, len(due), len(due))
    assert len(crew.cores) == len(cores_for(3, 1))
    assert run.facts["sessions"] == "one, shared by all"
    found = load(run)
    assert found is not None and found >= 400 * 0.004 / 3


def test_an_adapter_whose_sessions_serve_one_thread_gets_one_each() -> None:
    one = measure(job(ALONE, {"microseconds": 2000}, **at(200.0, workers=4))).run
    assert one.failure is None and one.serving is not None
    assert (one.serving.crew.workers, one.serving.crew.sessions) == (4, 4)
    assert one.facts["sessions"] == "one a worker"


def test_what_goes_wrong_in_a_further_session_ends_the_process_with_its_reason() -> None:
    run = measure(job("tests.device.sleeping:SecondFails", **at(200.0, workers=2))).run
    assert run.failure is not None
    assert (run.failure.error, run.failure.message) == ("ModelRejected", "there is no second one")


SEARCH: dict[str, Any] = {"scenario": "server", "aims": [[0.5, 100 * MS]], "search_ns": 200 * MS}


@pytest.mark.parametrize("asked_before", [0, 1])
@pytest.mark.parametrize("more", [at(200.0), SEARCH])
def test_a_further_session_that_falls_back_is_not_measured_under_the_devices_name(
    asked_before: int, more: dict[str, Any]
) -> None:
    """When it was opened, or under way; the first one stays on the device."""
    assert fallen_back(2, asked_before, workers=2, **more) == FELL_BACK


@pytest.mark.parametrize(("asked_before", "more"), [(2, SEARCH), (3, {"collect_outputs": True})])
def test_a_session_that_falls_back_after_the_timed_part_gives_no_rate_and_no_answers(
    asked_before: int, more: dict[str, Any]
) -> None:
    """Before and after a timed part it is asked already, and of its memory."""
    assert fallen_back(1, asked_before, **more) == FELL_BACK


FELL_BACK = ("AdapterError", "the adapter's `facts` say device cpu, but the target asks for npu:0")


def fallen_back(session: int, asked_before: int, **more: Any) -> tuple[str, str]:
    """How a process ends, of which the session of that number falls back once it was asked so often."""
    settings = {"device": "npu:0", "extra": {"session": session, "asked before": asked_before}}
    run = measure(job("tests.device.sleeping:FallsBack", settings=settings, **more)).run
    return (run.failure.error, run.failure.message) if run.failure else ("", "")


def test_a_rate_far_too_high_ends_and_what_is_left_is_counted() -> None:
    run = measure(job(SLEEPING, {"microseconds": 20_000}, **at(2000.0, workers=2))).run
    assert run.failure is None and run.serving is not None
    assert (load(run) or 0) >= 20
    assert run.serving.unanswered > len(arrivals(2000.0, 0, 60 * MS)) / 2
    assert run.timings_count == run.serving.crew.answered


def test_who_finds_the_queue_full_is_never_answered() -> None:
    told = measure(
        job(SLEEPING, {"microseconds": 20_000}, max_ns=500 * MS, **at(400.0, workers=2, queue=4, timeout_ns=1))
    )
    run = told.run
    assert run.failure is None and run.serving is not None
    crew = run.serving.crew
    assert crew.dropped == np.count_nonzero(told.ear.timings == NEVER_NS) > 50
    assert crew.answered == crew.timed_out == len(told.ear.timings) - crew.dropped
    assert run.serving.unanswered == 0
    assert max(block.queue_max or 0 for block in run.blocks) == 2 + 4


def test_batches_are_made_of_what_waits() -> None:
    told = measure(job(SLEEPING, {"microseconds": 20_000}, max_ns=400 * MS, **at(200.0, max_batch=8)))
    run = told.run
    assert run.failure is None and run.serving is not None
    crew = run.serving.crew
    assert crew.issues is not None and crew.answered is not None
    assert crew.answered == run.timings_count == sum(block.samples for block in run.blocks)
    assert 2 <= crew.batch_max <= 8
    assert crew.issues <= crew.answered / 2


def onnx(workers: int, tmp_path: Path, **more: Any) -> Told:
    example = wide_onnx_example(tmp_path)
    return measure(
        job(
            "backends.ort:OnnxRuntimeAdapter",
            artifacts={kind: str(path) for kind, path in example.model.artifacts.items()},
            inputs=[TensorJob("x", "float32", ["batch", 1024])],
            outputs=[TensorJob("y", "float32", ["batch", 1024])],
            max_ns=200 * MS,
            **at(100.0, workers=workers, **more),
        )
    )


@pytest.mark.parametrize("more", [{}, {"max_batch": 4, "max_wait_ns": 5 * MS}])
def test_a_real_session_serves_several_workers(more: dict[str, Any], tmp_path: Path) -> None:
    run = onnx(2, tmp_path, **more).run
    assert run.failure is None and run.serving is not None
    assert (run.serving.crew.workers, run.serving.crew.sessions) == (2, 1)
    assert run.serving.crew.answered == run.timings_count > 5


def test_workers_are_pinned_apart_where_there_is_a_core_for_each() -> None:
    usable = sorted(os.sched_getaffinity(0))
    assert cores_for(1, 1) == [] and cores_for(len(usable) + 1, 1) == [] and cores_for(2, 2) == []
    if len(usable) > 1:
        assert cores_for(2, 1) == usable[:2]
    with pinned(usable[-1]):
        assert os.sched_getaffinity(0) == {usable[-1]}
    assert sorted(os.sched_getaffinity(0)) == usable
