"""Whatever a backend does to its process, the host gets a record of it, and no process is left."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from bench.device import records
from bench.results import Failure
from tests.launch.talk import MS, Ear, Told, job, measure
from tests.reliability import faulty
from tests.reliability.watching import ROOT, SOON_S, gone, pid, soon


@pytest.fixture(autouse=True)
def _workers_find_the_tests(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    yield
    assert psutil.Process().children(recursive=True) == []


def run(kind: type[faulty.Faulty], folder: Path, ear: Ear | None = None, deadline_s: float = 60.0, **job_: Any) -> Told:
    adapter = f"{kind.__module__}:{kind.__name__}"
    return measure(job(adapter, {"folder": str(folder)}, **job_), ear, deadline_s)


def failure_of(kind: type[faulty.Faulty], folder: Path, deadline_s: float = 60.0, **job_: Any) -> Failure:
    failure = run(kind, folder, deadline_s=deadline_s, **job_).run.failure
    assert failure is not None
    return failure


def test_a_backend_in_order_gives_a_whole_process_run(tmp_path: Path) -> None:
    told = run(faulty.Faulty, tmp_path, collect_outputs=True)
    assert told.run.failure is None
    assert told.run.notes == ()
    assert [phase.name for phase in told.run.phases] == list(records.PHASES)
    assert told.run.timings_count == sum(block.count for block in told.run.blocks) == len(told.ear.timings)
    assert told.outputs["y"].shape == (told.run.samples_count, 3)
    assert gone(pid(tmp_path, "worker"))


@pytest.mark.parametrize(("kind", "phase"), [(faulty.SegfaultInOpen, "load"), (faulty.SegfaultInRun, "warm-up")])
def test_a_segmentation_fault_is_recorded_with_its_place(kind: type[faulty.Faulty], phase: str, tmp_path: Path) -> None:
    failure = failure_of(kind, tmp_path)
    assert (failure.error, failure.signal, failure.phase) == ("WorkerCrashed", "SIGSEGV", phase)
    assert failure.message == "the worker was ended by SIGSEGV"
    assert any("Segmentation fault" in line for line in failure.stderr)
    assert any("faulty.py" in line for line in failure.stderr)


def test_an_abort_is_recorded_with_what_was_said_before_it(tmp_path: Path) -> None:
    failure = failure_of(faulty.Aborts, tmp_path)
    assert (failure.error, failure.signal, failure.phase) == ("WorkerCrashed", "SIGABRT", "first-query")
    assert "terminate called after throwing an instance of 'std::bad_alloc'" in failure.stderr


def test_a_kill_for_want_of_memory_is_recorded_as_what_it_may_be(tmp_path: Path) -> None:
    failure = failure_of(faulty.KilledForMemory, tmp_path)
    assert (failure.error, failure.signal) == ("WorkerCrashed", "SIGKILL")
    assert "for want of memory" in failure.message


def test_an_exit_in_the_models_code_is_recorded(tmp_path: Path) -> None:
    failure = failure_of(faulty.ExitsInRun, tmp_path)
    assert (failure.error, failure.message) == ("SystemExit", "the model's code ended the process: exit(0)")


def test_a_process_that_ends_without_a_word_is_a_crash_even_with_code_0(tmp_path: Path) -> None:
    failure = failure_of(faulty.EndsTheProcess, tmp_path)
    assert (failure.error, failure.exit_code, failure.signal) == ("WorkerCrashed", 0, None)
    assert failure.message == "the worker exited with code 0"


@pytest.mark.parametrize(
    "kind", [faulty.HangsInOpen, faulty.HangsInRun, faulty.HangsWithoutPython, faulty.IgnoresSigterm]
)
def test_a_hang_ends_at_the_deadline(kind: type[faulty.Faulty], tmp_path: Path) -> None:
    began = time.monotonic()
    failure = failure_of(kind, tmp_path, deadline_s=4.0)
    assert failure.error == "WorkerTimeout"
    assert "deadline" in failure.message
    assert failure.phase is not None
    assert time.monotonic() - began < 4.0 + SOON_S
    assert gone(pid(tmp_path, "worker"))


def test_memory_that_runs_out_under_a_limit_is_a_readable_failure(tmp_path: Path) -> None:
    failure = failure_of(faulty.EatsMemory, tmp_path)
    assert failure.error == "OutOfMemory"
    assert "ran out of memory" in failure.message
    assert any("MemoryError" in line for line in failure.stderr)


def test_garbage_on_standard_output_breaks_nothing(tmp_path: Path) -> None:
    told = run(faulty.PrintsGarbage, tmp_path)
    assert told.run.failure is None
    assert told.run.timings_count > 0


def test_garbage_on_the_pipe_itself_is_a_protocol_error_at_once(tmp_path: Path) -> None:
    failure = failure_of(faulty.WritesToThePipe, tmp_path)
    assert failure.error == "ProtocolError"
    assert "garbage" in failure.message
    assert gone(pid(tmp_path, "worker"))


def test_a_child_that_stays_does_not_outlive_its_case(tmp_path: Path) -> None:
    told = run(faulty.LeavesAChild, tmp_path)
    assert told.run.failure is None
    assert soon(lambda: gone(pid(tmp_path, "child")))


def test_a_child_that_holds_the_pipe_does_not_hide_its_parents_crash(tmp_path: Path) -> None:
    began = time.monotonic()
    failure = failure_of(faulty.LeavesAChildAndCrashes, tmp_path)
    assert (failure.error, failure.signal) == ("WorkerCrashed", "SIGSEGV")
    assert time.monotonic() - began < 60.0  # the deadline: it was not waited for
    assert soon(lambda: gone(pid(tmp_path, "child")))


def test_an_error_at_the_thousandth_query_keeps_the_blocks_before_it(tmp_path: Path) -> None:
    ear = Ear(on_phase=lambda name: name == "measure" and (tmp_path / "measuring").write_text(""))
    told = run(faulty.RaisesLater, tmp_path, ear, max_ns=60_000 * MS)
    failure = told.run.failure
    assert failure is not None
    assert (failure.error, failure.phase) == ("RuntimeError", "measure")
    assert failure.message == "the thousandth query is too much"
    assert any("faulty.py" in line for line in failure.stderr)
    assert len(told.run.blocks) >= 1
    assert told.run.timings_count == sum(block.count for block in told.run.blocks)
    assert told.ear.timings.min() >= 100_000  # each query slept this long: these are its timings


def test_a_broken_pipe_of_the_backends_own_is_told(tmp_path: Path) -> None:
    failure = failure_of(faulty.BreaksAPipeOfItsOwn, tmp_path)
    assert (failure.error, failure.message) == ("BrokenPipeError", "the inference server hung up")


def test_outputs_that_are_not_numbers_are_noted(tmp_path: Path) -> None:
    told = run(faulty.SaysNan, tmp_path, collect_outputs=True, batch=16)
    assert told.run.failure is None
    assert told.run.notes == (
        "output `y` is not a number (NaN) in 1 of 1 samples of the first query",
        "output `y` is not a number (NaN) in 4 of 64 validation samples",
    )
    assert int(np.isnan(told.outputs["y"]).sum()) == 4


@pytest.mark.parametrize("only_start", [False, True])
@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (faulty.WrongShape, "output `y` is float32 (1, 5); the contract says float32 (1, 3)"),
        (faulty.WrongType, "output `y` is float64 (1, 3); the contract says float32 (1, 3)"),
        (faulty.WrongName, "the model gives no output `y`; it gives z"),
    ],
)
def test_outputs_unlike_the_contract_are_refused_at_the_first_query(
    kind: type[faulty.Faulty], message: str, only_start: bool, tmp_path: Path
) -> None:
    failure = failure_of(kind, tmp_path, only_start=only_start)
    assert (failure.error, failure.message, failure.phase) == ("OutputsRejected", message, "first-query")


def test_outputs_that_go_wrong_in_batches_are_refused_when_they_are_collected(tmp_path: Path) -> None:
    told = run(faulty.WrongOnTheLastSamples, tmp_path, collect_outputs=True, batch=4)
    assert told.run.failure is not None
    assert told.run.failure.message == "output `y` is float32 (1, 3); the contract says float32 (4, 3)"
    assert told.run.failure.phase == "accuracy"
    assert told.run.timings_count > 0
    assert told.outputs == {}


def test_a_backend_that_hands_its_work_to_a_thread_is_caught(tmp_path: Path) -> None:
    told = run(faulty.Lies, tmp_path)
    assert told.run.failure is not None
    assert told.run.failure.error == "MeasurementInvalid"
    assert "the clock stopped before the work did" in told.run.failure.message
    assert told.run.audit is not None
    assert told.run.audit.ratio < 0.5
    assert told.run.timings_count == 0


def test_a_worker_killed_in_the_middle_keeps_what_was_measured(tmp_path: Path) -> None:
    ear = Ear(on_block=lambda block: os.kill(pid(tmp_path, "worker"), signal.SIGKILL))
    told = run(faulty.Faulty, tmp_path, ear, max_ns=60_000 * MS)
    failure = told.run.failure
    assert failure is not None
    assert (failure.error, failure.signal, failure.phase) == ("WorkerCrashed", "SIGKILL", "measure")
    assert told.run.timings_count == sum(block.count for block in told.run.blocks) >= 1


def test_facts_that_cannot_be_stored_are_a_protocol_error(tmp_path: Path) -> None:
    failure = failure_of(faulty.OddFacts, tmp_path)
    assert failure.error == "ProtocolError"
    assert "`facts` record is not as it should be" in failure.message
