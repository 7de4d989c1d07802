"""A whole run interrupted by Ctrl-C or killed: finished cases are kept, and ``--resume`` measures only the rest."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from bench.results import StoredRun
from bench.store import run_store as store
from tests.reliability.watching import NULL_CONTRACT, gone, soon

CASES = tuple(f"{target}.single-stream" for target in "abcd")


@pytest.fixture
def contract(tmp_path: Path) -> Path:
    path = tmp_path / "contract.yaml"
    path.write_text(NULL_CONTRACT)
    return path


def command(contract: Path, *words: str) -> list[str]:
    results = str(contract.parent / "results")
    return [sys.executable, "-m", "bench", "run", str(contract), "--results", results, *words]


@pytest.fixture
def under_way(contract: Path) -> Iterator[subprocess.Popen[str]]:
    """A run that has finished its first case and goes on with the next."""
    with subprocess.Popen(
        command(contract), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    ) as process:
        results = contract.parent / "results"
        assert soon(lambda: list(results.glob(f"*/cases/{CASES[0]}.json")) != [])
        yield process
        process.kill()


def stored(contract: Path) -> StoredRun:
    return store.open_run("latest", contract.parent / "results")


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_run_keeps_its_cases_and_goes_on(
    how: signal.Signals, under_way: subprocess.Popen[str], contract: Path
) -> None:
    workers = psutil.Process(under_way.pid).children(recursive=True)
    os.killpg(under_way.pid, how)
    told, _ = under_way.communicate(timeout=60)
    assert soon(lambda: all(gone(worker.pid) for worker in workers))
    half = stored(contract)
    finished = [case.case for case in half.cases]
    assert finished == list(CASES[: len(finished)])
    assert 1 <= len(finished) < len(CASES)
    resume = half.info.run
    if how is signal.SIGINT:
        assert under_way.returncode == 130
        assert "Traceback" not in told
        resume = told.partition("--resume ")[2].split()[0]  # as the message says
    done = subprocess.run(
        command(contract, "--resume", resume), capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    whole = stored(contract)
    assert whole.info == half.info
    assert [case.case for case in whole.cases] == list(CASES)
    assert whole.cases[: len(finished)] == half.cases  # as they were: not measured again


def test_a_run_that_goes_on_cannot_be_resumed_by_a_second_process(
    under_way: subprocess.Popen[str], contract: Path
) -> None:
    run = stored(contract).info.run
    under_way.send_signal(signal.SIGSTOP)  # or it might end before the second one looks
    second = subprocess.run(
        command(contract, "--resume", run), capture_output=True, text=True, timeout=100, check=False
    )
    under_way.send_signal(signal.SIGCONT)
    assert second.returncode == 3
    assert f"in use by process {under_way.pid}" in second.stderr
    assert "Traceback" not in second.stderr
    assert under_way.wait(60) == 0, "the run itself was disturbed"
