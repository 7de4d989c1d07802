"""A program of the user's own on a host: sent where it may run, with what its command names beside the contract."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from bench.contract.load import load
from bench.jobs import job_for
from bench.plan import plan
from tests.launch.talk import job
from tests.remote.sshd import HOST, Sshd
from tests.remote.working import board, measure_there

COMMAND = "backends.command:CommandAdapter"
RUNNERS = Path(__file__).parents[1] / "backends"
WORDS = "./bin/go runner_models.py Echo notes.txt"
CONTRACT = """\
benchpact: 1
model: {{name: echo, version: "1"}}
inputs: {{x: {{dtype: float32, shape: [batch, 4]}}}}
outputs: {{y: {{dtype: float32, shape: [batch, 3]}}}}
batch: batch
limits: {{single-stream: {{latency p50: 1 s}}}}
targets: {{there: {{backend: command, {host}options: {{command: "{command}"}}}}}}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A contract's folder with a program in it that says where it was started."""
    place = tmp_path / "contract"
    (place / "bin").mkdir(parents=True)
    for name in ("runner.py", "runner_models.py"):
        shutil.copy(RUNNERS / name, place)
    (place / "bin" / "go").write_text(f'#!/bin/sh\npwd > ~/where\ncp notes.txt ~\nexec "{sys.executable}" "$@"\n')
    (place / "bin" / "go").chmod(0o755)
    (place / "notes.txt").write_text("of the program's\n")
    (place / "others.txt").write_text("of nobody's concern\n")
    (tmp_path / "outside").write_text("")
    (place / "link").symlink_to(tmp_path / "outside")
    return place


def programs(folder: Path, command: str, host: str = f"host: {HOST}, ", allow_code: bool = True) -> list[str]:
    """What a job takes along, relative to the contract's folder."""
    (folder / "contract.yaml").write_text(CONTRACT.format(host=host, command=command))
    contract = load(folder / "contract.yaml")
    told = job_for(contract, plan(contract).cases[0], 0, 1_000_000_000, allow_code).programs
    return [Path(one).relative_to(folder).as_posix() for one in told]


def test_the_files_that_a_command_names_in_the_contracts_folder_go_along(folder: Path) -> None:
    assert programs(folder, WORDS) == ["bin/go", "runner_models.py", "notes.txt"]
    assert programs(folder, "./bin/../bin/go {weights} others") == ["bin/go"]


@pytest.mark.parametrize("command", ["../outside", "./link", "sh ../outside link", "/bin/sh", "runner", "'", "bin"])
def test_nothing_outside_of_it_goes_along(command: str, folder: Path) -> None:
    assert programs(folder, command) == []


def test_nothing_goes_along_that_may_not_run_or_runs_here(folder: Path) -> None:
    assert programs(folder, WORDS, allow_code=False) == []
    assert programs(folder, WORDS, host="") == []


def test_it_runs_there_from_what_was_sent(folder: Path, lasting_sshd: Sshd) -> None:
    names = ["bin/go", "runner_models.py", "notes.txt"]
    one = job(COMMAND, {"command": WORDS}, code_dir=str(folder), programs=[str(folder / name) for name in names])
    with board() as there:
        run = measure_there(there, one).run
    assert run.failure is None, run.failure
    where = Path((lasting_sshd.home / "where").read_text().strip())
    assert where.is_relative_to(lasting_sshd.home / "cache" / "benchpact" / "files")
    assert sorted(path.name for path in where.iterdir() if path.is_file()) == [
        "notes.txt",
        "runner.py",
        "runner_models.py",
    ]
    assert (lasting_sshd.home / "notes.txt").read_text() == "of the program's\n"
    (where / "bin" / "go").chmod(0o600)  # as whatever an older benchpact sent
    with board() as there:
        assert measure_there(there, one).run.failure is None
