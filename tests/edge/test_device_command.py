"""``benchpact device`` on a real sshd: this machine as a board of its own, with a home of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from bench.__main__ import main
from bench.edge.tended import Tended
from bench.errors import LaunchError, ProtocolError
from bench.remote.client import Completed
from tests.remote.sshd import HOST, Sshd

HERE = ("--python", sys.executable)


def prepare(house: Path) -> int:
    return main(["device", "prepare", HOST, *HERE, "--backend", "null", "--wheelhouse", str(house)])


def cache(sshd: Sshd) -> Path:
    return sshd.home / "cache" / "benchpact"


def test_a_board_is_looked_at_before_anything_is_on_it(
    sshd: Sshd, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "board.json"
    assert main(["device", "probe", HOST, *HERE, "--json", str(file)]) in (0, 3)
    told = capsys.readouterr().out
    assert told.startswith(f"{HOST}: ")
    assert all(f"\n  {label} " in told for label in ("cores", "memory", "system", "Python", "backends", "disk"))
    found = json.loads(file.read_text())
    assert found["machine"] == os.uname().machine
    assert found["prepared"] is None


def test_prepare_then_again_then_clean(sshd: Sshd, house: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert prepare(house) == 0
    assert f"{HOST} is prepared: numpy {np.__version__}" in capsys.readouterr().out
    python = cache(sshd) / "env/current/bin/python"
    program = "import numpy; print(numpy.__file__)"
    done = subprocess.run([python, "-I", "-c", program], capture_output=True, text=True, check=True)
    assert str(cache(sshd).resolve()) in done.stdout
    shutil.rmtree(house)
    house.mkdir()  # what is there needs no wheels
    assert prepare(house) == 0
    assert "nothing was done" in capsys.readouterr().out
    assert main(["device", "clean", HOST, *HERE]) == 0
    assert "freed" in capsys.readouterr().out
    assert not cache(sshd).exists()


def test_a_wheelhouse_that_lacks_a_package_leaves_the_board_as_it_was(
    sshd: Sshd, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty").mkdir()
    assert prepare(tmp_path / "empty") == 3
    assert "no wheel of numpy fits the board" in capsys.readouterr().err
    assert not (cache(sshd) / "env").exists()


def test_cleaning_waits_for_no_worker_and_says_whose_it_is(sshd: Sshd, capsys: pytest.CaptureFixture[str]) -> None:
    import fcntl

    cache(sshd).mkdir(parents=True)
    with (cache(sshd) / "lock").open("w+b", buffering=0) as lock:
        lock.write(b"pi4.single-stream of somebody")
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert main(["device", "clean", HOST, *HERE]) == 3
    assert "pi4.single-stream of somebody" in capsys.readouterr().err
    assert cache(sshd).exists()


def test_a_host_that_is_a_target_of_the_site_is_found_by_its_name(
    sshd: Sshd, house: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    site = tmp_path / "targets.yaml"
    site.write_text(f"targets:\n  pi4: {{host: {HOST}, backend: 'null'}}\n  own: {{backend: 'null'}}\n")
    command = ["device", "prepare", "pi4", "--targets", str(site), *HERE, "--wheelhouse", str(house)]
    assert main(command) == 0
    assert "pi4 is prepared" in capsys.readouterr().out
    assert main(["device", "probe", "pi4", "--targets", str(site), *HERE]) == 0
    assert main(["device", "probe", "own", "--targets", str(site)]) == 2
    assert "it runs on this machine" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["device", "prepare", HOST], "say what it is to run"),
        (["device", "prepare", HOST, "--backend", "nul"], "did you mean `null`"),
        (["device", "prepare", HOST, "--backend", "null", "--wheelhouse", "no-such-folder"], "no such folder"),
        (["device", "probe", "$(touch x)"], "no host's name"),
        (["device", "probe", "--", "-oProxyCommand=x"], "no host's name"),
        (["device", "wheels", "no.json", "w", "--backend", "null"], "No such file"),
    ],
)
def test_wrong_input_is_one_clear_line(
    words: list[str], told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(words) == 2
    assert told in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("described", "told"),
    [
        ("{}", "it describes no board"),
        ("[]", "it describes no board"),
        ("{", "it is no JSON"),
        ('{"implementation": "cpython", "python": "3.11"}', "it describes no board"),
    ],
)
def test_a_file_that_describes_no_board_is_wrong_input(
    described: str, told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    board = tmp_path / "board.json"
    board.write_text(described)
    assert main(["device", "wheels", str(board), str(tmp_path / "wheels"), "--backend", "null"]) == 2
    said = capsys.readouterr().err
    assert str(board) in said and told in said and "benchpact device probe HOST --json" in said
    assert not (tmp_path / "wheels").exists()


def test_a_host_without_python_says_what_to_install(sshd: Sshd, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["device", "probe", HOST, "--python", "/no/python3"]) == 3
    assert "there is no Python on" in capsys.readouterr().err


@pytest.mark.parametrize(
    "answer", [b"", b"garbage", b"[]", b"null", b'{"model": 7}', b"[" * 10_000, b"{}", b'{"error": null}', b"\xff\xfe"]
)
def test_a_board_that_answers_nonsense_is_a_launch_error(answer: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    board = Tended("nowhere", None)
    monkeypatch.setattr(board, "_do", lambda *_, **__: Completed(0, answer, ""))
    with pytest.raises(ProtocolError):
        board.look([])
    assert board.probe("x:Y") == (False, "its probe ended with code 0: it says nothing")


def test_what_a_board_refuses_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    board = Tended("nowhere", None)
    monkeypatch.setattr(board, "_do", lambda *_, **__: Completed(1, b'{"error": "the disk is full"}', ""))
    with pytest.raises(LaunchError, match="the disk is full"):
        board.install([], "0" * 24, {})
