"""Ctrl-C at any moment, once or many times: exit code 130, no traceback, and the last words are said."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import psutil
import pytest

from tests.reliability.watching import ROOT, gone, soon
from tests.run.test_run_command import Place


@pytest.mark.parametrize("module", ["click", "rich"])
def test_while_modules_are_still_imported(tmp_path: Path, module: str) -> None:
    """On a slow disk this is a long time; ``rich`` is imported by the command itself."""
    ready = tmp_path / "ready"
    program = f"import pathlib, time; pathlib.Path({str(ready)!r}).touch(); time.sleep(60)"
    (tmp_path / f"{module}.py").write_text(program)
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    command = [sys.executable, "-m", "bench", "backends"]
    with subprocess.Popen(
        command, env={**os.environ, "PYTHONPATH": path}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert soon(ready.exists)
        process.send_signal(signal.SIGINT)
        told, _ = process.communicate(timeout=60)
    assert (process.returncode, told.strip()) == (130, "")


def test_pressed_again_and_again_it_still_says_how_to_go_on_and_leaves_no_worker(tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.write({"a": "onnxruntime", "b": "HangsInRun"})
    results = tmp_path / "results"
    command = place.command("run", str(place.contract), "--results", str(results))
    with subprocess.Popen(
        command, cwd=tmp_path, env=place.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        host = psutil.Process(process.pid)
        assert soon(lambda: list(results.glob("*/cases/*.json")) != [] and host.children() != [])
        workers = host.children(recursive=True)
        while process.poll() is None:
            process.send_signal(signal.SIGINT)
            time.sleep(0.002)
        _, told = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "1 of 2 cases" in told and "--resume" in told and "Traceback" not in told and "Exception" not in told
    assert soon(lambda: all(gone(worker.pid) for worker in workers))


def in_a_process_of_its_own(program: str) -> None:
    """Not in this one: a signal's frame may not fit on the stack that a framework, once loaded, has left for it."""
    head = "import signal\nfrom bench import interrupts\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n"
    done = subprocess.run(
        [sys.executable, "-c", head + textwrap.dedent(program) + "print('all as promised')"],
        cwd=ROOT, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "all as promised\n"), done.stderr


def test_where_cleaning_up_never_ends_it_is_heard_again() -> None:
    in_a_process_of_its_own(
        """
        def interrupted():
            try:
                signal.raise_signal(signal.SIGINT)
            except KeyboardInterrupt:
                return True
            return False

        with interrupts.heard_once():
            assert interrupted()
            assert not interrupted()  # too soon: nothing
            interrupts.CLEANING_S = 0  # as if they had gone by
            assert interrupted()
        """
    )


def test_a_caller_that_was_not_interrupted_has_its_handler_back() -> None:
    in_a_process_of_its_own(
        """
        with interrupts.ending_at_once():
            pass
        with interrupts.heard_once():
            assert signal.getsignal(signal.SIGINT) is not signal.default_int_handler
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
        """
    )


def test_who_ignores_it_goes_on_ignoring_it() -> None:
    in_a_process_of_its_own(
        """
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        with interrupts.ending_at_once(), interrupts.heard_once():
            signal.raise_signal(signal.SIGINT)
        """
    )


def test_what_can_end_well_is_asked_first_and_one_that_comes_later_is_heard() -> None:
    in_a_process_of_its_own(
        """
        asked = []

        def end():
            asked.append(1)
            return True

        with interrupts.ending_well(end):
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)  # too soon: nothing
            interrupts.AGAIN_S = 0  # as if they had gone by
            try:
                signal.raise_signal(signal.SIGINT)
            except KeyboardInterrupt:
                asked.append("raised")
        assert asked == [1, "raised"], asked
        try:
            with interrupts.ending_well(lambda: False):
                signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt:
            asked.append("again")
        assert asked == [1, "raised", "again"]
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
        """
    )
