"""Whatever a backend does to its process, the host gets a record of it, and no process is left."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from bench.device import records
from bench.device.records import NAN_MEASURED, NAN_OUTPUTS, TensorJob
from bench.launch import hearing, local
from bench.results import Failure
from tests.backends.test_audit_of_real_adapters import negation
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
    assert [phase.name for phase in told.run.phases] == [name for name in records.PHASES if name != records.SEARCH]
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
    assert "terminate called after throwing an instance of 'std::logic_error'" in failure.stderr


def test_an_abort_for_want_of_memory_is_told_as_what_it_is(tmp_path: Path) -> None:
    failure = failure_of(faulty.AbortsForMemory, tmp_path)
    assert (failure.error, failure.signal, failure.phase) == ("OutOfMemory", "SIGABRT", "first-query")
    assert failure.message == "the worker ran out of memory and was ended by SIGABRT"


@pytest.mark.parametrize("mib", [100, 150, 400, 700])
@pytest.mark.parametrize("adapter", ["backends.ort:OnnxRuntimeAdapter", "backends.ov:OpenVinoAdapter"])
def test_a_limit_on_memory_is_told_wherever_it_is_met(
    adapter: str, mib: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where numpy is imported, where the samples are read, where a framework loads the model or runs it."""
    limited = ("/bin/sh", "-c", f'ulimit -v {mib << 10}; exec "$@"', "sh", *local.COMMAND)
    monkeypatch.setattr(local, "COMMAND", limited)
    model = negation(tmp_path / "negation.onnx", 6 << 20)
    x, y = (TensorJob(name, "float32", ["batch", 6 << 20]) for name in "xy")
    failure = measure(job(adapter, artifacts={"onnx": model}, inputs=[x], outputs=[y], batch=8)).run.failure
    assert failure is not None
    assert failure.error == "OutOfMemory", failure
    assert "ran out of memory" in failure.message


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
    failure = failure_of(faulty.EatsMemory, tmp_path, max_ns=60_000 * MS)  # however few queries a second
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


@pytest.mark.parametrize("kind", [faulty.LeavesADaemon, faulty.LeavesANamelessDaemon])
def test_a_daemon_that_left_the_group_does_not_outlive_its_case(kind: type[faulty.Faulty], tmp_path: Path) -> None:
    told = run(kind, tmp_path)
    assert told.run.failure is None
    assert soon(lambda: gone(pid(tmp_path, "child")))


@pytest.mark.skipif(sys.platform != "linux", reason="only there a process can adopt those that lost their parent")
def test_processes_that_started_each_other_do_not_outlive_their_case(tmp_path: Path) -> None:
    assert run(faulty.LeavesAChain, tmp_path).run.failure is None
    pids = [int(one) for one in (tmp_path / "chain").read_text().split()]
    assert len(pids) == faulty.LINKS
    assert soon(lambda: all(map(gone, pids)))


def test_a_fork_that_goes_on_as_the_worker_has_no_say(tmp_path: Path) -> None:
    """Its memory would be taken for the worker's, and both their timings for one process's."""
    told = run(faulty.ForksAndGoesOn, tmp_path)
    assert told.run.failure is None
    names = [phase.name for phase in told.run.phases]
    assert names == [one for one in records.PHASES if one not in (records.SEARCH, records.ACCURACY)]
    assert told.run.timings_count == sum(block.count for block in told.run.blocks)
    peaks = [phase.peak_rss_bytes or 0 for phase in told.run.phases]
    # The kernel counts pages in batches a core: one process's own peak may be told some pages lower the next time.
    assert all(later >= before - (1 << 18) for before, later in pairwise(peaks)), peaks


def test_the_harness_has_no_child_in_the_worker(tmp_path: Path) -> None:
    assert run(faulty.WaitsForItsChildren, tmp_path, deadline_s=30.0).run.failure is None


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
    assert told.run.facts[NAN_OUTPUTS] == "y"


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


def test_outputs_that_go_wrong_in_batches_are_refused_before_any_is_timed(tmp_path: Path) -> None:
    told = run(faulty.WrongOnTheLastSamples, tmp_path, batch=4)
    assert told.run.failure is not None
    assert told.run.failure.message == "output `y` is float32 (1, 3); the contract says float32 (4, 3)"
    assert told.run.failure.phase == "warm-up"
    assert told.run.timings_count == 0


def test_a_batch_that_is_no_number_is_a_fact_of_the_process(tmp_path: Path) -> None:
    told = run(faulty.NanInBatches, tmp_path, batch=4)
    assert told.run.failure is None
    assert NAN_OUTPUTS not in told.run.facts
    assert told.run.facts[NAN_MEASURED] == "y"


def measured(kind: type[faulty.Faulty], folder: Path) -> Told:
    ear = Ear(on_phase=lambda name: name == "measure" and (folder / "measuring").write_text(""))
    return run(kind, folder, ear)


def test_outputs_that_go_wrong_while_they_are_timed_are_refused_after_it(tmp_path: Path) -> None:
    failure = measured(faulty.GoesWrongLater, tmp_path).run.failure
    assert failure is not None
    assert failure.message == "output `y` is float32 (1, 5); the contract says float32 (1, 3)"
    assert failure.phase == "measure"


def test_outputs_that_become_nan_while_they_are_timed_are_a_fact_of_the_process(tmp_path: Path) -> None:
    told = measured(faulty.NanLater, tmp_path)
    assert told.run.failure is None
    assert told.run.facts[NAN_MEASURED] == "y"


@pytest.mark.parametrize("kind", [faulty.Lies, faulty.Forgets])
def test_a_process_that_only_starts_is_audited_too(kind: type[faulty.Faulty], tmp_path: Path) -> None:
    failure = failure_of(kind, tmp_path, only_start=True)
    assert (failure.error, failure.phase) == ("MeasurementInvalid", "audit")


def test_a_cold_start_ends_when_the_first_answer_is_on_the_host(tmp_path: Path) -> None:
    told = run(faulty.ReadsSlowlyAtFirst, tmp_path, only_start=True).run
    assert told.failure is None
    durations = {phase.name: phase.duration_ns for phase in told.phases}
    assert durations["first-query"] >= faulty.ReadsSlowlyAtFirst.SECONDS * 1e9
    assert told.cold_start_ns is not None
    assert told.cold_start_ns > durations["first-query"]


def test_a_session_that_forgets_to_wait_also_when_it_is_read_is_caught(tmp_path: Path) -> None:
    failure = failure_of(faulty.Forgets, tmp_path)
    assert (failure.error, failure.phase) == ("MeasurementInvalid", "warm-up")
    assert "outputs that had been read changed within 20 ms" in failure.message


def test_a_backend_that_hands_its_work_to_a_thread_is_caught(tmp_path: Path) -> None:
    told = run(faulty.Lies, tmp_path)
    assert told.run.failure is not None
    assert told.run.failure.error == "MeasurementInvalid"
    assert "the clock stopped before the work did" in told.run.failure.message
    assert told.run.audit is not None
    assert told.run.audit.ratio < 0.5
    assert told.run.timings_count == 0


def test_a_backend_that_leaves_its_work_to_the_read_is_caught(tmp_path: Path) -> None:
    told = run(faulty.LazyInRead, tmp_path)
    assert told.run.failure is not None
    assert told.run.failure.error == "MeasurementInvalid"
    assert told.run.timings_count == 0


def test_a_backend_that_hands_a_group_of_batches_to_a_thread_is_caught(tmp_path: Path) -> None:
    told = run(faulty.LiesInGroups, tmp_path, scenario="offline")
    assert told.run.failure is not None
    assert told.run.failure.error == "MeasurementInvalid"
    assert "`run_all`" in told.run.failure.message
    assert told.run.timings_count == 0
    assert run(faulty.LiesInGroups, tmp_path).run.failure is None  # one query at a time it is honest


def test_a_worker_killed_in_the_middle_keeps_what_was_measured(tmp_path: Path) -> None:
    ear = Ear(on_block=lambda block: os.kill(pid(tmp_path, "worker"), signal.SIGKILL))
    told = run(faulty.Faulty, tmp_path, ear, max_ns=60_000 * MS)
    failure = told.run.failure
    assert failure is not None
    assert (failure.error, failure.signal, failure.phase) == ("WorkerCrashed", "SIGKILL", "measure")
    assert told.run.timings_count == sum(block.count for block in told.run.blocks) >= 1


def test_peak_memory_is_the_highest_of_all_queries_even_where_it_was_given_back(tmp_path: Path) -> None:
    ear = Ear(on_phase=lambda name: name == "measure" and (tmp_path / "measuring").write_text(""))
    one = run(faulty.TouchesMemory, tmp_path, ear, max_ns=1500 * MS, min_ns=1500 * MS).run
    assert one.failure is None
    assert one.memory is not None and one.memory.peak_bytes is not None and one.memory.load_bytes is not None
    assert 295_000_000 < one.memory.peak_bytes - one.memory.load_bytes < 380_000_000
    held = {phase.name: phase.rss_bytes or 0 for phase in one.phases}
    assert 0 < held["measure"] < one.memory.peak_bytes - 200_000_000


def test_outputs_are_collected_from_the_beginning_of_a_sequence(tmp_path: Path) -> None:
    """Whatever the warm-up and the measurement did to the model's state."""
    told = run(faulty.Counts, tmp_path, collect_outputs=True)
    assert told.run.failure is None
    assert told.run.samples_count == 64
    assert told.outputs["y"][:, 0].tolist() == list(range(64))


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        (faulty.CrashesInClose, "WorkerCrashed"),
        (faulty.RaisesInClose, "RuntimeError"),
        (faulty.HangsInClose, "WorkerTimeout"),
    ],
)
def test_a_failure_in_close_is_told_as_such_and_keeps_what_was_measured(
    kind: type[faulty.Faulty], error: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hearing, "CLOSE_S", 1.0)
    told = run(kind, tmp_path, collect_outputs=True)
    assert told.run.failure is not None
    assert (told.run.failure.error, told.run.failure.phase) == (error, "close")
    assert told.run.is_whole
    assert told.run.memory is not None
    assert told.run.timings_count == sum(block.count for block in told.run.blocks) > 0
    assert told.outputs["y"].shape == (told.run.samples_count, 3)


def test_facts_that_cannot_be_stored_are_a_protocol_error(tmp_path: Path) -> None:
    failure = failure_of(faulty.OddFacts, tmp_path)
    assert failure.error == "ProtocolError"
    assert "`facts` record is not as it should be" in failure.message


def test_what_runs_otherwise_than_asked_is_not_measured(tmp_path: Path) -> None:
    told = run(faulty.RunsElsewhere, tmp_path)
    assert told.run.failure is not None
    assert told.run.failure.error == "AdapterError"
    assert told.run.failure.message.startswith("the adapter's `facts` say device gpu:7, but the target asks for cpu; ")
    assert (told.run.facts, told.run.blocks) == ({}, ())


def test_what_fell_back_while_it_was_timed_is_not_measured(tmp_path: Path) -> None:
    told = run(faulty.FallsBackLater, tmp_path)
    assert told.run.failure is not None
    assert (told.run.failure.error, told.run.failure.phase) == ("AdapterError", "measure")
    assert "say device gpu:7, but the target asks for cpu" in told.run.failure.message
    assert not told.run.is_whole
    assert told.run.facts["device"] == "cpu"
