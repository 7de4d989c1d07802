"""A board that answers garbage, without end, or of something else: one failure that says so, never a crash."""

from __future__ import annotations

import json
import shlex
import sys
import tempfile
from pathlib import Path

import pytest

from bench.errors import LaunchError, ProtocolError
from bench.launch import ending, hearing
from bench.remote.board import Board
from bench.results import Failure
from tests.launch.talk import job
from tests.remote.sshd import HOST, Sshd
from tests.remote.working import measure_there


@pytest.fixture
def sshd(lasting_sshd: Sshd) -> Sshd:
    return lasting_sshd


HELLO = '{"kind":"hello","protocol":1,"token":"TOKEN","machine":{}}'


def strange(sshd: Sshd, command: str, script: str) -> Board:
    """A board whose Python does as it should, but for one command; ``work`` has all files and its job first."""
    folder = Path(tempfile.mkdtemp(dir=sshd.folder))
    python = folder / "python3"
    real = shlex.quote(sys.executable)
    if command == "work":
        script = f"read -r asked; echo '{{\"files\": []}}'; read -r given\n{script}"
    python.write_text(f'#!/bin/sh\nif [ "$2" = {command} ]; then\n{script}\nexit\nfi\nexec {real} "$@"\n')
    python.chmod(0o755)
    return Board(HOST, str(python))


def failure_of(board: Board) -> Failure:
    """Of a process run there; what is raised before the worker began is one too, as `measure` takes it."""
    with board as there:
        try:
            failure = measure_there(there, job(), deadline_s=60).run.failure
        except LaunchError as error:
            failure = Failure(type(error).__name__, str(error))
    assert failure is not None
    return failure


@pytest.mark.parametrize(
    "script",
    [
        "echo hello there",
        "head -c 100000 /dev/urandom",
        "yes '{'",
        "yes",
        "tr '\\0' x </dev/zero",
        f"echo '{HELLO}'; sleep 60",
        'echo \'{"kind":"hello","protocol":1,"machine":{}}\'; sleep 60',
        'echo \'{"kind":"block","payload":99999999999}\'; sleep 60',
    ],
)
def test_records_that_are_none_are_a_protocol_error(script: str, sshd: Sshd) -> None:
    failure = failure_of(strange(sshd, "work", script))
    assert failure.error == "ProtocolError", failure


def test_another_jobs_results_are_not_taken_for_ours(sshd: Sshd) -> None:
    assert "is not the one that was started" in failure_of(strange(sshd, "work", f"echo '{HELLO}'; sleep 60")).message


def test_a_board_that_only_says_goodbye_is_a_crash_with_its_code_and_last_words(sshd: Sshd) -> None:
    failure = failure_of(strange(sshd, "work", "echo no luck today >&2; exit 3"))
    assert (failure.error, failure.exit_code) == ("WorkerCrashed", 3)
    assert "no luck today" in failure.stderr


@pytest.mark.parametrize(
    "script",
    [
        "echo hello",
        "head -c 1000 /dev/urandom",
        "echo []",
        "echo '{\"files\": 7}'",
        'echo \'{"files": [{"path": "/x", "whole": true, "bytes": 1}]}\'',
        "yes | head -c 100000000",
        "printf '%0100000d' 0 | tr 0 '['",
        "exit 0",
    ],
)
def test_an_answer_that_is_none_is_a_protocol_error(script: str, sshd: Sshd) -> None:
    with strange(sshd, "files", script) as there, pytest.raises(ProtocolError):
        there.ready(job())


@pytest.mark.parametrize("path", ["relative/path", 7, None])
def test_a_path_that_is_none_is_not_taken(path: object, sshd: Sshd, tmp_path: Path) -> None:
    (tmp_path / "m.onnx").write_bytes(b"m")
    answer = json.dumps({"files": [{"path": path, "whole": True, "bytes": 1}]})
    with strange(sshd, "files", f"echo '{answer}'") as there, pytest.raises(ProtocolError):
        there.ready(job(artifacts={"onnx": str(tmp_path / "m.onnx")}))


def test_a_refusal_is_told_in_its_own_words_and_bounded(sshd: Sshd) -> None:
    script = 'echo \'{"error": "its disk is full (0 bytes are free)", "cure": "clean"}\'; exit 1'
    with strange(sshd, "files", script) as there, pytest.raises(LaunchError, match="device clean bench-host"):
        there.ready(job())


def test_gigabytes_of_complaints_do_not_fill_our_disk(sshd: Sshd, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    keep = ending.bound

    def bound(stderr: object) -> None:
        keep(stderr)  # type: ignore[arg-type]
        sizes.append(stderr.seek(0, 2))  # type: ignore[attr-defined]

    monkeypatch.setattr(hearing, "bound", bound)
    monkeypatch.setattr("bench.launch.ending.STDERR_MOST_BYTES", 1 << 20)
    failure = failure_of(strange(sshd, "work", "yes | head -c 30000000 >&2; sleep 5; exit 4"))
    assert failure.error == "WorkerCrashed"
    assert sizes[-1] <= 1 << 20
