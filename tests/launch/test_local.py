"""The local launcher with a worker in order: whole process runs, stopped early, and kept away from foreign code."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pytest

from bench.device import records
from bench.device.batches import ABOUT_BEST
from bench.errors import LaunchError
from bench.launch import ending, hearing, local
from tests.audits import is_early
from tests.launch.talk import MS, Ear, job, measure


def test_a_process_run_has_everything(tmp_path: Path) -> None:
    told = measure(job(collect_outputs=True))
    run = told.run
    assert run.failure is None
    phases = [name for name in records.PHASES if name != records.SEARCH]
    assert told.ear.phases == phases == [phase.name for phase in run.phases]
    assert run.warm_up is not None
    assert run.warm_up.queries > 5
    assert run.audit is not None
    assert not is_early(run.audit)
    assert run.memory is not None
    assert run.memory.import_bytes is not None
    assert run.memory.peak_bytes is not None
    assert run.memory.import_bytes <= run.memory.peak_bytes
    assert {"device", "precision", "threads", "artifact", "loop_iteration_ns", "loop_recorded_ns"} <= run.facts.keys()
    assert (run.samples_source, run.samples_count) == ("generated", 64)
    assert {"cores", "cpu_model", "python"} <= run.machine.keys()
    assert told.outputs["y"].shape == (64, 3)
    assert sum(block.samples for block in run.blocks) == run.timings_count == len(told.ear.timings)
    assert all(before.start_ns + before.wall_ns <= after.start_ns for before, after in zip(run.blocks, run.blocks[1:]))  # noqa: B905
    assert all(block.wall_ns >= 0 for block in run.blocks)


def test_the_recorded_latencies_fit_into_their_blocks() -> None:
    told = measure(job())
    at = 0
    for block in told.run.blocks:
        assert told.ear.timings[at : at + block.count].sum() <= block.wall_ns
        at += block.count


def test_a_cold_start_ends_after_the_first_query_and_counts_from_before_the_process() -> None:
    before = time.perf_counter_ns()
    run = measure(job(only_start=True)).run
    whole = time.perf_counter_ns() - before
    assert run.failure is None
    assert [phase.name for phase in run.phases] == [*records.PHASES[:4], records.AUDIT, records.CLOSE]
    assert (run.warm_up, run.blocks) == (None, ())
    assert run.audit is not None
    assert run.cold_start_ns == sum(phase.duration_ns for phase in run.phases[:4])
    assert 0 < run.cold_start_ns < whole
    assert run.phases[0].duration_ns > 10 * MS  # an interpreter and numpy: a clock read in the worker would miss them


def test_the_start_counts_from_before_the_workers_first_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that takes its time to start a process is part of a cold start."""
    monkeypatch.setattr(local, "COMMAND", ("/bin/sh", "-c", 'sleep 0.7; exec "$@"', "sh", *local.COMMAND))
    run = measure(job(only_start=True)).run
    assert run.failure is None
    assert run.phases[0].name == records.START
    assert run.phases[0].duration_ns > 700 * MS


def test_a_worker_stops_when_the_host_has_seen_enough() -> None:
    told = measure(job(max_ns=3_600_000 * MS, min_ns=0), Ear(on_block=lambda block: True))
    assert told.run.failure is None
    assert told.run.timings_count >= 64


def test_a_worker_measures_what_it_must_before_it_stops() -> None:
    told = measure(job(max_ns=3_600_000 * MS, min_ns=80 * MS, min_queries=1000), Ear(on_block=lambda block: True))
    assert sum(block.wall_ns for block in told.run.blocks) > 40 * MS
    assert told.run.timings_count >= 1000


def test_no_more_queries_are_issued_than_allowed() -> None:
    assert measure(job(max_queries=777, max_ns=3_600_000 * MS)).run.timings_count == 777


def test_the_best_batch_is_found_and_told() -> None:
    run = measure(job(batch=0, scenario="offline")).run
    assert run.failure is None
    sizes = [size for size, _ in run.batches_tried]
    assert sizes[:3] == [1, 2, 4]
    assert run.batch in sizes
    best = max(rate for _, rate in run.batches_tried)
    assert run.batch == min(size for size, rate in run.batches_tried if rate >= ABOUT_BEST * best)
    assert f"peak memory includes trying batches of up to {sizes[-1]} to find the best" in run.notes


def test_batches_count_their_samples() -> None:
    run = measure(job(batch=8, scenario="offline")).run
    assert run.batch == 8
    assert all(block.samples == 8 * block.count for block in run.blocks)


def test_an_adapter_that_does_not_load_is_said(tmp_path: Path) -> None:
    failure = measure(job("no.such:Thing")).run.failure
    assert failure is not None
    assert (failure.error, failure.phase) == ("DeviceUnavailable", "import")
    assert "no.such:Thing does not load" in failure.message


def test_samples_that_do_not_fit_are_said(tmp_path: Path) -> None:
    failure = measure(job(samples=str(tmp_path / "missing.npz"))).run.failure
    assert failure is not None
    assert failure.error == "SamplesRejected"
    assert "missing.npz" in failure.message


def test_an_interpreter_that_cannot_be_started_is_one_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "COMMAND", ("/no/such/python",))
    with pytest.raises(LaunchError, match="cannot start a worker with /no/such/python: No such file"):
        measure(job())


def test_without_room_for_a_temporary_file_there_is_one_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", "/no/such/folder")
    with pytest.raises(
        LaunchError, match=r"no temporary file for .*: No such file .*: make room, or say a folder with"
    ):
        measure(job())


@pytest.mark.parametrize(
    ("program", "error", "message"),
    [
        ("import sys; sys.exit(7)", "WorkerCrashed", "the worker exited with code 7"),
        ("print('not a record')", "ProtocolError", "not a record"),
        ('print(\'{"kind": "lunch"}\')', "ProtocolError", "`lunch`, which is not in the protocol"),
        ('while True: print(\'{"kind": "note", "text": ""}\')', "WorkerTimeout", "deadline"),
        ("import time; time.sleep(1000)", "WorkerTimeout", "deadline"),
        ("import os, time; os.close(1); time.sleep(1000)", "ProtocolError", "closed its pipe without a word"),
    ],
)
def test_a_worker_that_is_none_is_a_failure(
    program: str, error: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local, "COMMAND", (sys.executable, "-I", "-c", program))
    monkeypatch.setattr(local, "GRACE_S", 0.2)
    failure = measure(job(), deadline_s=1.5).run.failure
    assert failure is not None
    assert failure.error == error
    assert message in failure.message


def test_standard_error_without_end_does_not_fill_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ending, "STDERR_MOST_BYTES", 1 << 20)
    program = (
        "import sys\nfor i in range(40): sys.stderr.write(f'line {i}\\n' + 'x' * 100_000 + '\\n'); sys.stderr.flush()"
    )
    with tempfile.TemporaryFile("a+b", buffering=0) as stderr:
        for _ in range(3):
            subprocess.run([sys.executable, "-c", program], stderr=stderr, check=True)
            ending.bound(stderr)
            assert stderr.seek(0, 2) == 0
        subprocess.run(
            [sys.executable, "-c", "import sys; sys.stderr.write('the last words')"], stderr=stderr, check=True
        )
        ending.bound(stderr)
        assert ending.last_lines(stderr) == ("the last words",)


def test_a_chatty_worker_is_bounded_while_it_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []

    def bound(stderr: Any) -> None:
        keep(stderr)
        sizes.append(stderr.seek(0, 2))

    keep = ending.bound
    monkeypatch.setattr(hearing, "bound", bound)
    monkeypatch.setattr(ending, "STDERR_MOST_BYTES", 1 << 16)
    program = (
        "import sys, time\nfor i in range(20): sys.stderr.write('x' * 20_000); sys.stderr.flush(); time.sleep(0.05)"
    )
    monkeypatch.setattr(local, "COMMAND", (sys.executable, "-I", "-c", program))
    measure(job())
    assert len(sizes) >= 1
    assert max(sizes) <= 1 << 16
