"""Ctrl-C, or a host that is killed: no worker outlives the one it works for."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from bench.device import records
from bench.launch.local import COMMAND
from tests.launch.talk import Ear, job, measure
from tests.reliability import faulty
from tests.reliability.watching import ROOT, gone, pid, soon

BUSY, STUCK, STUCK_WITH_CHILD, STUCK_WITH_DAEMON = (
    f"{kind.__module__}:{kind.__name__}"
    for kind in (faulty.NeverStops, faulty.HangsWithoutPython, faulty.StuckWithAChild, faulty.StuckWithADaemon)
)


@pytest.fixture
def host(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A host in a process group of its own, whose worker has come to the phase that the test names."""
    adapter, phase = request.param
    command = [sys.executable, "-m", "tests.reliability.host", adapter, str(tmp_path)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line == f"{phase}\n":
                break
        yield process
        process.kill()


@pytest.mark.parametrize("host", [(BUSY, "measure"), (BUSY, "warm-up"), (STUCK, "first-query")], indirect=True)
def test_ctrl_c_leaves_no_process(host: subprocess.Popen[str], tmp_path: Path) -> None:
    children = psutil.Process(host.pid).children(recursive=True)
    os.killpg(host.pid, signal.SIGINT)  # as a terminal does: to the host's group, of which the worker is none
    assert host.wait(60) == 130
    assert host.stdout is not None
    assert host.stdout.read().endswith("interrupted\n")
    assert len(children) >= 1
    assert soon(lambda: all(gone(child.pid) for child in children))


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
@pytest.mark.parametrize(
    "host",
    [(BUSY, "measure"), (STUCK_WITH_CHILD, "first-query"), (STUCK_WITH_DAEMON, "first-query")],
    indirect=True,
)
def test_a_worker_and_its_children_are_gone_when_their_host_was_killed(
    host: subprocess.Popen[str], tmp_path: Path, number: int
) -> None:
    """Also inside a C call that holds the interpreter's lock, and also a child in a session of its own."""
    worker, child = pid(tmp_path, "worker"), pid(tmp_path, "child")
    assert not gone(worker)
    assert not gone(child)
    os.kill(host.pid, number)
    host.wait(60)
    assert soon(lambda: gone(worker) and gone(child))
    assert soon(lambda: strays_in(worker) == [])


def strays_in(group: int) -> list[int]:
    """What is left of a process group, the guard included."""
    return [one.pid for one in psutil.process_iter() if not gone(one.pid) and group_of(one.pid) == group]


def group_of(process: int) -> int | None:
    try:
        return os.getpgid(process)
    except ProcessLookupError:
        return None


def test_a_worker_ends_with_its_children_when_its_input_is_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a lost SSH connection looks like to the worker: there is no parent whose death the kernel would tell."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    one = job(BUSY, {"folder": str(tmp_path)}, max_ns=3_600_000_000_000)
    with subprocess.Popen(COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True) as worker:
        assert worker.stdin is not None
        assert worker.stdout is not None
        worker.stdin.write(records.encode_job(one))
        worker.stdin.flush()
        while b'"phase":"measure"' not in worker.stdout.readline():
            pass
        worker.stdin.close()
        assert worker.wait(60) == -signal.SIGKILL
    assert soon(lambda: gone(pid(tmp_path, "child")))


def test_an_interrupt_while_a_block_is_heard_leaves_no_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))

    def interrupt(_: object) -> bool:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        measure(job(BUSY, {"folder": str(tmp_path)}), Ear(on_block=interrupt))
    assert soon(lambda: gone(pid(tmp_path, "worker")) and gone(pid(tmp_path, "child")))
