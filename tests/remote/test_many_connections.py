"""Two hundred connections in a row: no process, no open file, no socket and no folder is left, here or there."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from bench.remote.client import Client
from tests.remote.sshd import HOST, Sshd
from tests.remote.working import within_two_minutes

LOGINS, EACH = 10, 20


def held(sshd: Sshd) -> set[str]:
    """What this process, and the host beside it, hold at the moment; the processes are ours and those of the host."""
    files = {f"open file {number}" for number in range(len(list(Path("/proc/self/fd").iterdir())))}
    processes = {f"process {one.pid}" for one in psutil.Process().children(recursive=True)}
    return files | processes | {str(one) for one in [*Path(tempfile.gettempdir()).iterdir(), *sshd.home.rglob("*")]}


@pytest.fixture(autouse=True)
def temporary_folder(sshd: Sshd, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A folder of this test's own for what is temporary; its path is short, as a socket's must be."""
    with tempfile.TemporaryDirectory(prefix="b-", dir="/tmp") as folder:
        monkeypatch.setattr(tempfile, "tempdir", folder)
        yield


def connect(client: Client) -> None:
    assert client.run("cat", b"x" * 1000, timeout_s=60, most_bytes=2000).stdout == b"x" * 1000


def test_two_hundred_connections_leave_nothing(sshd: Sshd) -> None:
    before = held(sshd)  # with whoever asked whether it is up, for a moment still
    for _ in range(LOGINS):
        with Client(HOST) as client:  # one login, shared
            for _ in range(EACH):
                connect(client)
        connect(Client(HOST))  # one of its own
    assert within_two_minutes(lambda: held(sshd) <= before), held(sshd) - before
