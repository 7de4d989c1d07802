"""The launcher over SSH against a real sshd: the same worker, the same records, and nothing left behind."""

from __future__ import annotations

import fcntl
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import pytest

from bench.device import records
from bench.launch import ssh
from tests.launch.talk import Ear, job, measure
from tests.remote.sshd import Sshd
from tests.remote.working import board, measure_there, within_two_minutes


@pytest.fixture
def sshd(lasting_sshd: Sshd) -> Sshd:
    return lasting_sshd


def test_a_case_gives_there_what_it_gives_here(sshd: Sshd) -> None:
    one = job(collect_outputs=True, calls_per_timing=1)
    here = measure(one)
    with board() as there:
        told = measure_there(there, one)
        for _ in range(4):  # on a busy machine the audit may refuse calls that do next to nothing
            if told.run.failure is not None and told.run.failure.error == "MeasurementInvalid":
                told = measure_there(there, one)
    assert told.run.failure is None, told.run.failure
    assert [phase.name for phase in told.run.phases] == [phase.name for phase in here.run.phases]
    assert told.run.facts.keys() == here.run.facts.keys()
    assert told.run.timings_count > 0
    assert np.array_equal(told.outputs["y"], here.outputs["y"])
    assert told.run.phases[0].name == records.START
    assert 0 < told.run.phases[0].duration_ns < 120 * 10**9


def processes_of(sshd: Sshd) -> list[int]:
    """Agents and workers that were started from this test's home."""
    mark, found = f"{sshd.home}/cache/benchpact/agent/".encode(), []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if any(word.startswith(mark) for word in (folder / "cmdline").read_bytes().split(b"\0")):
                found.append(int(folder.name))
    return found


def worker_of(sshd: Sshd) -> int:
    """The process that measures: the guard beside it leads no group."""
    (leader,) = [
        pid
        for pid in processes_of(sshd)
        if b"\0worker\0" in Path(f"/proc/{pid}/cmdline").read_bytes() and os.getpgid(pid) == pid
    ]
    return leader


def all_gone(sshd: Sshd) -> bool:
    return within_two_minutes(lambda: not processes_of(sshd))


def in_the_middle(action: Callable[[], object]) -> Ear:
    """An ear that acts once, when the third block has come."""
    ear = Ear()
    ear.on_block = lambda block: action() and False if len(ear.payloads) == 3 else False
    return ear


LONG = 600 * 10**9


def test_a_worker_that_is_killed_there_is_told_from_a_link_that_died_and_its_blocks_are_kept(sshd: Sshd) -> None:
    with board() as there:
        ear = in_the_middle(lambda: os.kill(worker_of(sshd), signal.SIGKILL))
        killed = measure_there(there, job(max_ns=LONG, min_ns=LONG), ear).run
        assert killed.failure is not None
        assert (killed.failure.error, killed.failure.signal) == ("WorkerCrashed", "SIGKILL"), killed.failure
        assert killed.failure.phase == records.MEASURE
        assert len(killed.blocks) >= 3
        assert all_gone(sshd)
        cut = measure_there(there, job(max_ns=LONG, min_ns=LONG), in_the_middle(lambda: end_connections(sshd))).run
        assert cut.failure is not None
        assert (cut.failure.error, cut.failure.phase) == ("HostUnreachable", records.MEASURE), cut.failure
        assert "the link to `bench-host` died" in cut.failure.message
        assert len(cut.blocks) >= 3
        assert all_gone(sshd)
        assert measure_there(there, job()).run.failure is None  # over a connection of its own


def end_connections(sshd: Sshd) -> None:
    for pid in sshd.children():
        os.kill(pid, signal.SIGKILL)


def test_a_worker_that_hangs_is_ended_at_its_deadline_and_nothing_is_left_there(sshd: Sshd) -> None:
    with board() as there, patched_lock(0.0):
        failure = measure_there(there, job("tests.reliability.faulty:HangsInOpen"), deadline_s=10.0).run.failure
        assert failure is not None
        assert failure.error == "WorkerTimeout", failure
        assert all_gone(sshd)


@contextmanager
def patched_lock(wait_s: float) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ssh, "LOCK_S", wait_s)
        yield


def test_a_second_job_at_the_same_time_is_told_who_works_there(sshd: Sshd) -> None:
    with board() as there:
        assert measure_there(there, job()).run.failure is None
        lock = sshd.home / "cache" / "benchpact" / "lock"
        with lock.open("w") as file, patched_lock(0.2):
            fcntl.flock(file, fcntl.LOCK_EX)
            file.write("digits.offline (process 7 of lab-pc)")
            file.flush()
            failure = measure_there(there, job()).run.failure
        assert failure is not None
        assert failure.error == "HostBusy"
        assert "digits.offline (process 7 of lab-pc)" in failure.message
        assert measure_there(there, job()).run.failure is None


def test_cores_are_kept_to_there_and_one_that_is_not_there_is_refused(sshd: Sshd) -> None:
    core = min(os.sched_getaffinity(0))
    with board() as there:
        run = measure_there(there, job(cores=[core])).run
        assert run.failure is None
        assert (run.machine["usable_cores"], run.facts["cores"]) == (1, str(core))
        failure = measure_there(there, job(cores=[core, 4000])).run.failure
    assert failure is not None
    assert failure.error == "DeviceUnavailable"
    assert "core 4000 is not there for this process" in failure.message
    assert measure(job(cores=[core])).run.machine["usable_cores"] == 1


def test_every_process_starts_alike_and_only_the_first_sends_anything(new_sshd: Sshd) -> None:
    sshd = new_sshd
    with board() as there:
        assert measure_there(there, job()).run.failure is None
        (agent,) = (sshd.home / "cache" / "benchpact" / "agent").iterdir()
        before = {path: (path.stat().st_ino, path.stat().st_mtime_ns) for path in agent.rglob("*.py*")}
        assert measure_there(there, job()).run.failure is None
        after = {path: (path.stat().st_ino, path.stat().st_mtime_ns) for path in agent.rglob("*.py*")}
        assert after == before
    assert sorted(path.name for path in sshd.home.iterdir()) == ["cache"]  # and nothing else is written
    assert [path.name for path in (sshd.home / "cache").iterdir()] == ["benchpact"]
