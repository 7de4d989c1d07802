"""Two jobs that want the same board at the same time: one after the other, or the second says who is at work there."""

from __future__ import annotations

import json
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.remote.sshd import Sshd
from tests.remote.test_launch import processes_of
from tests.remote.test_run_there import there
from tests.remote.working import within_two_minutes
from tests.run.backends_on_path import offer
from tests.run.test_run_command import Place

OFFERED = {"Alone": "tests.remote.alone:Alone"}
TIMEOUT_S = 240


@pytest.fixture
def place(tmp_path: Path, sshd: Sshd) -> Place:
    place = Place(tmp_path)
    place.environment = offer(tmp_path / "offered", OFFERED)
    (tmp_path / "room").mkdir()
    room = f", options: {{room: {tmp_path / 'room'}}}"
    place.write({"first": there("Alone", more=room), "second": there("Alone", more=room)}, processes=2)
    return place


def start(place: Place, target: str, after: Path | None = None) -> subprocess.Popen[str]:
    """A run of that target alone, once there is the file ``after``."""
    assert after is None or within_two_minutes(after.exists)
    words = ("run", str(place.contract), "--on", target, "--results", str(place.folder / target), "-v")
    return subprocess.Popen(
        place.command(*words), cwd=place.folder, env=place.environment, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


def agents(sshd: Sshd) -> int:
    """How many agents are there whose worker is at work or waits for its turn."""
    return sum(b"\0work\0" in words_of(pid) for pid in processes_of(sshd))


def words_of(pid: int) -> bytes:
    with suppress(OSError):  # it has ended
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    return b""


def case(place: Place, target: str) -> dict[str, Any]:
    (path,) = (place.folder / target).glob(f"*/cases/{target}.single-stream.json")
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def test_they_take_turns_and_both_come_to_their_end(place: Place, sshd: Sshd) -> None:
    room = place.folder / "room"
    with start(place, "first") as first, start(place, "second", after=room / "taken") as second:
        try:
            assert within_two_minutes(lambda: agents(sshd) == 2), "one works, one waits for its turn"
            (room / "go on").touch()
            said = {one: one.communicate(timeout=TIMEOUT_S)[0] for one in (first, second)}
        finally:
            first.kill()
            second.kill()
    for process, target in ((first, "first"), (second, "second")):
        assert process.returncode == 0, said[process]
        runs = case(place, target)["process_runs"]
        assert [one["failure"] for one in runs] == [None, None], said[process]
    assert within_two_minutes(lambda: processes_of(sshd) == [])
