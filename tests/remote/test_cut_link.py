"""A link that dies in the midst of a run: what was finished is kept, and `--resume` measures only what is missing."""

from __future__ import annotations

import os
import signal
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest

from tests.remote.sshd import Sshd
from tests.remote.test_launch import processes_of
from tests.remote.test_run_there import cases, there
from tests.remote.working import within_two_minutes
from tests.run.backends_on_path import offer
from tests.run.test_run_command import Place

OFFERED = {"Alone": "tests.remote.alone:Alone"}


@pytest.fixture
def place(tmp_path: Path, sshd: Sshd) -> Place:
    place = Place(tmp_path)
    place.environment = offer(tmp_path / "offered", OFFERED)
    (tmp_path / "room").mkdir()
    room = f", options: {{room: {tmp_path / 'room'}}}"
    place.write({"done": there("onnxruntime"), "cut": there("Alone", more=room), "after": there("onnxruntime")})
    return place


def test_only_what_is_missing_is_measured_again(place: Place, sshd: Sshd) -> None:
    taken = place.folder / "room" / "taken"
    words = place.command("run", str(place.contract), "--results", str(place.folder / "results"))
    with subprocess.Popen(
        words, cwd=place.folder, env=place.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as run:
        try:
            assert within_two_minutes(taken.exists)
            for pid in sshd.children():
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            said, _ = run.communicate(timeout=200)
        finally:
            run.kill()
    assert run.returncode == 3, said
    assert "Traceback" not in said
    first = cases(place)
    (cut,) = first["cut.single-stream"]["process_runs"]
    assert cut["failure"]["error"] == "HostUnreachable", said
    assert first["after.single-stream"]["failure"] is None, "the next case makes a login of its own"
    assert within_two_minutes(lambda: processes_of(sshd) == [])

    finished = {name: (place.only_run() / "cases" / f"{name}.json").read_bytes() for name in first if "cut" not in name}
    taken.unlink()
    (taken.parent / "go on").touch()
    again = place.run("--resume", str(place.only_run()))

    assert again.returncode == 0, again.stdout + again.stderr
    for name, before in finished.items():
        assert (place.only_run() / "cases" / f"{name}.json").read_bytes() == before
    (cut,) = cases(place)["cut.single-stream"]["process_runs"]
    assert cut["failure"] is None
