"""``soak`` through a whole run: memory that grows, a model that gets slower, and Ctrl-C in the midst of it."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from typing import Any

import pytest

from bench.judge.soak import held
from bench.results import Outcome, StoredRun
from bench.store import open_run
from tests.reliability.watching import soon
from tests.run import test_run_command
from tests.run.test_run_command import Place


@pytest.fixture
def place(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> Place:
    for name in ("Leaking", "Slowing"):
        monkeypatch.setitem(test_run_command.FAULTY, name, f"tests.run.leaking:{name}")
    return Place(tmp_path)


def soaked(place: Place, backend: str, options: str, limits: str) -> subprocess.CompletedProcess[str]:
    place.write({"a": f"{{backend: {backend}, options: {{{options}}}, limits: {{soak: {{{limits}}}}}}}"})
    return place.run("--only", "soak")


def outcomes(place: Place) -> dict[str, str]:
    found = json.loads((place.only_run() / "cases" / "a.soak.json").read_text())
    return {one["metric"]: one["outcome"] for one in found["verdicts"]}


def stored(place: Place) -> StoredRun:
    return open_run(place.only_run(), place.folder / "results")


def test_a_model_that_leaks_misses_its_memory_growth_and_the_report_shows_it(place: Place) -> None:
    words = "rate: 100/s, time: 4 s, memory growth: 100 MiB/h, latency p50: 1 s"
    done = soaked(place, "Leaking", "leak: 20000", words)
    assert done.returncode == 1, done.stdout + done.stderr
    assert outcomes(place)["memory growth"] == "missed"
    (case,) = stored(place).cases
    (figure,) = [one for one in case.figures if one.metric == "memory growth"]
    assert figure.value == pytest.approx(2e6 * 3600, rel=0.3)
    at_h, held_bytes = held(case.process_runs[0])
    assert len(at_h) > 50 and held_bytes[-1] - held_bytes[0] > 4e6
    text = " ".join(done.stdout.split())
    assert "memory ▁" in text and "█" in text and "at last, in 4" in text


def test_a_model_that_holds_what_it_holds_is_not_missed(place: Place) -> None:
    words = (
        "rate: 100/s, time: 4 s, memory growth: 500 GiB/h, latency drift: 100 %, peak memory: 4 GiB, "
        "throughput: 0.001/s"
    )
    done = soaked(place, "Leaking", "leak: 0", words)
    assert done.returncode in (0, 3), done.stdout + done.stderr
    found = outcomes(place)
    assert found.pop("latency drift") != "missed"  # on a busy machine four seconds may leave it open
    assert set(found.values()) == {"met"}


def test_seconds_never_tell_that_memory_grows_little_in_an_hour(place: Place) -> None:
    assert soaked(place, "Leaking", "leak: 0", "rate: 100/s, time: 2 s, memory growth: 1 MiB/h").returncode == 3
    assert outcomes(place) == {"memory growth": "undecided"}


def test_a_model_that_gets_slower_is_never_said_to_keep_its_drift(place: Place) -> None:
    words = "rate: 50/s, arrivals: constant, time: 4 s, latency drift: 10 %, frequency drop: 90 %"
    done = soaked(place, "Slowing", "more: 2000", words)
    found = outcomes(place)
    assert found["latency drift"] in ("missed", "undecided"), done.stdout + done.stderr
    assert found["frequency drop"] != "missed"


def test_ctrl_c_keeps_what_a_soak_measured_and_resuming_measures_it_anew(place: Place) -> None:
    words = "rate: 100/s, time: 1 h, memory growth: 100 GiB/h, latency p50: 1 s"
    place.write({"a": f"{{backend: Leaking, limits: {{soak: {{{words}}}}}}}"})
    results = place.folder / "results"
    command = place.command("run", str(place.contract), "--results", str(results), "--only", "soak")
    with subprocess.Popen(
        command, cwd=place.folder, env=place.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert soon(lambda: list(results.glob("*/cases/*.tmp")) != [])
        time.sleep(4)  # timings come in a buffer: nothing outside tells when the first are there
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=60)
    assert process.returncode == 130, told
    assert "what it measured is kept" in told and "--resume" in told and "benchpact report" in told
    (case,) = stored(place).cases
    verdicts = {one.metric: one for one in case.verdicts}
    assert verdicts["latency p50"].outcome is Outcome.UNDECIDED
    assert verdicts["latency p50"].reason.rstrip(")").endswith("of 3 600 s were measured: let it measure to its end")
    assert verdicts["memory growth"].outcome is not Outcome.MET
    assert case.process_runs[0].is_whole and case.process_runs[0].timings_count > 10
    with subprocess.Popen(
        [*command, "--resume", stored(place).info.run], cwd=place.folder, env=place.environment, stderr=subprocess.PIPE
    ) as again:
        assert soon(lambda: list(results.glob("*/cases/*.tmp")) != []), "it was not measured again"
        again.kill()
