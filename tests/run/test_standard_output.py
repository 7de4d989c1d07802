"""Standard output that cannot be written to: one clear line, exit code 3, for every command."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.store.runs import FIRST, stored_run

ROOT = Path(__file__).parents[2]
COMMANDS = [["--help"], ["schema"], ["targets", "configs/demo.yaml"], ["report", "latest"], ["report", "latest", "-v"],
            ["report", "latest", "--format", "json"]]  # fmt: skip


@pytest.fixture
def results(tmp_path: Path) -> Path:
    stored_run(tmp_path, FIRST)
    return tmp_path


def said(
    words: list[str], results: Path, redirection: str = "", stdout: int = subprocess.PIPE, **environment: str
) -> subprocess.CompletedProcess[str]:
    more = ["--results", str(results)] if words[0] == "report" else []
    command = ["sh", "-c", f'exec "$@" {redirection}', "sh", sys.executable, "-m", "bench", *words, *more]
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    return subprocess.run(
        command, cwd=ROOT, env={**os.environ, "PYTHONPATH": path, **environment}, stdout=stdout,
        stderr=subprocess.PIPE, text=True, timeout=60, check=False,
    )  # fmt: skip


@pytest.mark.skipif(not Path("/dev/full").is_char_device(), reason="this system has no /dev/full")
@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_full_disk_behind_it_is_one_line(words: list[str], results: Path, unbuffered: str) -> None:
    done = said(words, results, ">/dev/full", PYTHONUNBUFFERED=unbuffered)
    assert done.stderr == "benchpact: cannot write to standard output: No space left on device\n"
    assert done.returncode == 3


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_closed_it_is_one_line_before_anything_is_done(words: list[str], results: Path) -> None:
    done = said(words, results, ">&-")
    assert done.stderr == "benchpact: standard output is closed; to be rid of it, say > /dev/null\n"
    assert done.returncode == 3


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_a_reader_that_is_gone_is_no_verdict(words: list[str], results: Path) -> None:
    """Exit code 1 would say that a limit is missed."""
    reader, writer = os.pipe()
    os.close(reader)
    done = said(words, results, stdout=writer)
    os.close(writer)
    assert (done.returncode, done.stderr) == (3, "")


def test_wrong_input_is_wrong_input_whoever_reads_of_it(results: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "bench", "report", "nope", "--results", str(results)]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=writer, timeout=60, check=False)
    os.close(writer)
    assert (done.returncode, done.stdout) == (2, b"")


def test_without_standard_error_nothing_is_said_on_standard_output_in_its_place(results: Path) -> None:
    done = said(["report", "nope"], results, "2>&-")
    assert (done.returncode, done.stdout) == (2, "")
