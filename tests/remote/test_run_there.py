"""`benchpact run` on this machine and on hosts: one contract, one report; hosts side by side; Ctrl-C ends them all."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bench.remote.command import CONFIG
from tests.remote.sshd import HOST, Sshd, running
from tests.remote.test_launch import processes_of
from tests.remote.working import within_two_minutes
from tests.run.backends_on_path import offer
from tests.run.test_run_command import Place

OFFERED = {"Meets": "tests.remote.meeting:Meets", "Hangs": "tests.reliability.faulty:HangsInRun"}
CORE = min(os.sched_getaffinity(0))


@pytest.fixture
def place(tmp_path: Path, sshd: Sshd) -> Place:
    """Made after the host, whose config is then in its environment."""
    return Place(tmp_path)


def there(backend: str, host: str = HOST, more: str = "") -> str:
    return f"{{backend: {backend}, host: {host}, python: {sys.executable}{more}}}"


def cases(place: Place) -> dict[str, dict[str, Any]]:
    return {path.stem: json.loads(path.read_text()) for path in (place.only_run() / "cases").glob("*.json")}


def metrics(case: dict[str, Any]) -> list[str]:
    """Of its figures, without the percentiles that only many calls have: how many there are is the machine's."""
    return [one["metric"] for one in case["figures"] if not one["metric"].startswith("latency p99")]


def test_one_contract_is_measured_here_and_there_with_the_same_figures(place: Place, sshd: Sshd) -> None:
    place.write({"here": "onnxruntime", "there": there("onnxruntime", more=f", cores: {CORE}")})
    done = place.run("--json", "r.json")
    assert done.returncode == 0, done.stderr
    found = cases(place)
    (here, far) = (found["here.single-stream"], found["there.single-stream"])
    assert metrics(far) == metrics(here)
    assert (far["settings"]["host"], far["settings"]["cores"]) == (HOST, str(CORE))
    assert "host" not in here["settings"]
    assert f"on {HOST} · cores {CORE} · " in done.stdout
    assert within_two_minutes(lambda: processes_of(sshd) == [])


def test_a_model_is_profiled_where_its_target_is(place: Place, sshd: Sshd) -> None:
    place.write({"there": there("onnxruntime", more=f", cores: {CORE}")})
    command = place.command("profile", str(place.contract), "--json", "-")
    done = subprocess.run(
        command, cwd=place.folder, env=place.environment, capture_output=True, text=True, timeout=250, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (target,) = json.loads(done.stdout)["targets"]
    assert [one["kind"] for one in target["profile"]["operators"]] == ["Abs"]
    assert within_two_minutes(lambda: processes_of(sshd) == [])


def test_a_host_out_of_reach_is_a_failure_of_its_case_and_the_others_go_on(place: Place) -> None:
    place.write({"gone": there("onnxruntime", "no-such-host.invalid"), "here": "onnxruntime"})
    done = place.run()
    assert done.returncode == 3, done.stderr
    failed = cases(place)["gone.single-stream"]
    assert "HostUnreachable" in json.dumps(failed["failure"])
    assert len(failed["process_runs"]) == 1
    assert "no host of that name is known" in done.stdout
    assert cases(place)["here.single-stream"]["failure"] is None
    run = place.only_run()
    assert f"once it does: benchpact run {place.contract} --resume {run}" in done.stdout.replace("\n", " ")
    config = Path(place.environment[CONFIG])
    config.write_text(config.read_text().replace(f"Host {HOST}\n", f"Host {HOST} no-such-host.invalid\n"))
    again = place.run("--resume", str(run))
    assert again.returncode == 0, again.stderr
    assert cases(place)["gone.single-stream"]["failure"] is None
    assert "once it does" not in again.stdout


def test_what_was_measured_there_is_not_measured_again(place: Place, sshd: Sshd) -> None:
    place.write({"there": there("onnxruntime")})
    assert place.run().returncode == 0
    run = place.only_run()
    before = (run / "cases" / "there.single-stream.json").read_bytes()
    assert place.run("--resume", str(run)).returncode == 0
    assert (run / "cases" / "there.single-stream.json").read_bytes() == before
    place.write({"there": there("onnxruntime", more=f", cores: {CORE}")})
    again = place.run("--resume", str(run))
    assert again.returncode == 2, again.stderr


def test_check_and_targets_do_not_connect(place: Place, sshd: Sshd) -> None:
    place.write({"there": there("onnxruntime", more=", cores: 0-1")})
    sshd.stop()
    for command in ("check", "targets"):
        words = place.command(command, str(place.contract))
        done = subprocess.run(
            words, cwd=place.folder, env=place.environment, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stderr
        assert command == "check" or f"{HOST}, cores 0-1" in done.stdout


def two_hosts(tmp_path: Path, sshd: Sshd, second: Sshd) -> None:
    """Both in one config: a second alias, and a known_hosts file that holds both keys."""
    with sshd.config.open("a") as file:
        file.write(second.config.read_text().replace(HOST, "other-host", 1))


def test_hosts_work_side_by_side_and_ctrl_c_ends_both(tmp_path: Path, sshd: Sshd) -> None:
    (tmp_path / "second").mkdir()
    (tmp_path / "meet").mkdir()
    with running(tmp_path / "second") as second:
        two_hosts(tmp_path, sshd, second)
        place = Place(tmp_path)
        place.environment = offer(tmp_path / "offered", OFFERED)
        meet = f", options: {{meet: {tmp_path / 'meet'}}}"
        place.write({"one": there("Meets", more=meet), "two": there("Meets", "other-host", meet)})
        done = place.run("-v", timeout=250)
        assert done.returncode == 0, done.stderr + done.stdout
        assert len(cases(place)) == 2
        assert all(case["failure"] is None for case in cases(place).values())
        assert "[1/2] one.single-stream" in done.stderr
        assert "[2/2] two.single-stream" in done.stderr
        place.write({"one": there("Hangs"), "two": there("Hangs", "other-host")})
        words = place.command("run", str(place.contract), "--results", str(tmp_path / "interrupted"), "-v")
        with subprocess.Popen(
            words, cwd=tmp_path, env=place.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process:
            try:
                assert within_two_minutes(lambda: len(processes_of(sshd)) >= 2 and len(processes_of(second)) >= 2)
                process.send_signal(signal.SIGINT)
                _, said = process.communicate(timeout=60)
            finally:
                process.kill()
        assert process.returncode == 130, said
        assert "Traceback" not in said, said
        assert list((tmp_path / "interrupted").glob("*/cases/*.json")) == []
        assert within_two_minutes(lambda: processes_of(sshd) == [] and processes_of(second) == [])
