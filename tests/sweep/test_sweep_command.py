"""``benchpact sweep`` as a user meets it: real processes, real backends, real files."""

from __future__ import annotations

import csv
import json
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.run import test_run_command
from tests.run.test_run_command import Place

QUICK = "processes: 1, time: 60 ms, min time: 20 ms"
SINGLE = f"single-stream: {{latency p50: 9 s, peak memory: 4 GiB, {QUICK}}}"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    monkeypatch.setitem(test_run_command.FAULTY, "spinning", "tests.device.spinning:Spinning")
    return Place(tmp_path)


def command(place: Place, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        place.command(*words), cwd=place.folder, env=place.environment, capture_output=True, text=True, timeout=100,
        check=False,
    )  # fmt: skip


def sweep(place: Place, *words: str) -> subprocess.CompletedProcess[str]:
    return command(place, "sweep", "contract.yaml", *words)


def cases(place: Place) -> list[str]:
    return sorted(file.stem for file in (place.only_run() / "cases").glob("*.json"))


def test_every_configuration_is_measured_judged_shown_and_kept(place: Place) -> None:
    offline = f"offline: {{latency p50: 9 s, {QUICK}}}"
    place.write({"a": f"{{backend: onnxruntime, limits: {{{SINGLE}, {offline}}}}}"})
    done = sweep(place, "--over", "threads=1,2", "--over", "batch=1,8", "--json", "s.json", "--csv", "s.csv")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "4 configurations" in done.stdout and "◆" in done.stdout
    assert "The cheapest configuration that keeps the contract: a threads=1 batch=" in done.stdout
    assert "run " in done.stderr and "[6/6]" in done.stderr and "Traceback" not in done.stderr
    assert cases(place) == [
        "a-threads-1-batch-1.offline", "a-threads-1-batch-8.offline", "a-threads-1.single-stream",
        "a-threads-2-batch-1.offline", "a-threads-2-batch-8.offline", "a-threads-2.single-stream",
    ]  # fmt: skip
    stored = json.loads((place.only_run() / "cases" / "a-threads-2-batch-8.offline.json").read_text())
    assert {one["facts"]["threads"] for one in stored["process_runs"]} == {2}
    assert {one["batch"] for one in stored["process_runs"]} == {8}
    document = json.loads((place.folder / "s.json").read_text())
    assert [one["outcome"] for one in document["configurations"]] == ["met"] * 4
    assert document["exit_code"] == 0 and document["cheapest"].startswith("a threads=1")
    with (place.folder / "s.csv").open(newline="") as file:
        assert [one["batch"] for one in csv.DictReader(file)] == ["1", "8", "1", "8"]


def test_both_spellings_of_several_axes_are_the_same_sweep(place: Place) -> None:
    place.write({"a": "onnxruntime"})
    for words in (["--over", "threads=1,2", "batch=1"], ["--over", "batch=1", "--over", "threads=1,2"]):
        done = sweep(place, *words, "--only", "throughput")
        assert done.returncode == 2 and "--only throughput" in done.stderr, done.stderr
        done = sweep(place, *words, "--over", "disk=1")
        assert "--over disk=1: `disk` cannot be varied: known are threads, streams, batch, rate" in done.stderr
    done = command(place, "sweep", "--over", "threads=1,2", "batch=1", "contract.yaml", "-q")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "The cheapest configuration that keeps the contract: a threads=1 batch=1 "
        "(fewest threads, then least peak memory, then lowest latency)"
    ]
    assert not done.stderr


def test_none_that_keeps_it_is_1_and_the_nearest_is_named(place: Place) -> None:
    place.write({"a": "{backend: onnxruntime, limits: {single-stream: {peak memory: 1 B}}}"})
    done = sweep(place, "--over", "threads=1,2", "-q")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "No configuration keeps the contract; a threads=" in done.stdout
    assert "its single-stream peak memory is " in done.stdout and "(≤ 1 B, " in done.stdout


def test_a_target_that_crashes_is_not_measured_and_the_others_are(place: Place) -> None:
    place.write({"bad": "SegfaultInRun", "good": "onnxruntime"})
    done = sweep(place, "--over", "threads=1")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "SIGSEGV" in done.stdout and "good threads=1" in " ".join(done.stdout.split())  # wrapped anywhere
    alone = sweep(place, "--over", "threads=1", "--on", "bad")
    assert alone.returncode == 3
    assert "No configuration is shown to keep the contract: 1 not measured" in alone.stdout


def test_rising_rates_show_where_a_system_saturates(place: Place) -> None:
    limits = "server: {rate: 1/s, latency p99: 60 s, time: 400 ms, processes: 2}"
    place.write({"a": f"{{backend: spinning, options: {{microseconds: 5000}}, limits: {{{limits}}}}}"})
    done = sweep(place, "--over", "rate=25,800", "--only", "server", "--json", "-")
    document = json.loads(done.stdout)
    (curve,) = document["load"]
    slow, fast = curve["points"]
    assert (slow["rate"], fast["rate"]) == (25.0, 800.0)
    assert "the system cannot keep 800/s" in fast["saturated"]
    assert fast["p50_ns"] > slow["p50_ns"] >= 5_000_000
    assert "a under load: saturates" in done.stderr and "█" in done.stderr
    assert document["configurations"][1]["outcome"] != "met"


def test_a_rate_that_the_contract_does_not_ask_for_is_measured_all_the_same(place: Place) -> None:
    place.write({"a": '{backend: "null"}'})
    done = sweep(place, "--over", "rate=200,400")
    assert done.returncode in (0, 3), done.stdout + done.stderr
    for rate in (200, 400):
        (one, *_) = json.loads((place.only_run() / "cases" / f"a-rate-{rate}.server.json").read_text())["process_runs"]
        assert one["serving"]["rate_per_s"] == rate and one["timings_count"] >= rate * 0.3 * 0.5


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], "nothing is varied: say over what, such as --over threads=1,2,4"),
        (["--over", "thread=1"], "did you mean `threads`?"),
        (["--over", "batch=8..1"], "write the lower end first"),
        (["--over", "streams=1,2"], "null has no option `streams`: leave it out"),
        (["--over", "threads=1", "other.yaml"], "`other.yaml` is one too many"),
        (["--over", "threads=1", "-q", "-v"], "choose one of them"),
        (["--over", "threads=1", "--json", "no/such/s.json"], "no/such"),
        (["--over", "threads=1", "--csv", "contract.yaml"], "would be lost"),
        (["--over", "threads=1", "--csv", "s", "--json", "s"], "two reports cannot be written to one place"),
        (["--over", "threads=1", "--on", "b"], "--on b: the contract has no such target"),
        (["--over", "threads=1", "--time-budget", "soon"], "--time-budget soon"),
        (["--resume", "nope"], "there is no run in results"),
    ],
)
def test_wrong_input_is_one_line_and_2_and_leaves_no_results(place: Place, words: list[str], told: str) -> None:
    place.write({"a": '{backend: "null"}'})
    done = sweep(place, *words)
    assert done.returncode == 2, done.stdout + done.stderr
    assert told in done.stderr and len(done.stderr.splitlines()) == 1
    assert not (place.folder / "results").exists()


def test_a_sweep_is_gone_on_with_and_reported_from_its_files(place: Place) -> None:
    place.write({"a": "onnxruntime", "b": "onnxruntime"}, limit="1000 s", processes=2)
    short = sweep(place, "--over", "threads=1,2", "batch=2", "--on", "a", "--time-budget", "1 ms")
    assert short.returncode == 3 and "time budget" in short.stdout
    assert command(place, "run", "contract.yaml", "--resume", "latest").returncode == 2
    done = sweep(place, "--resume", "latest")
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(cases(place)) == 4
    shown = command(place, "report", "latest")
    assert shown.returncode == 0 and shown.stdout == done.stdout
    whole = command(place, "report", "latest", "-v")
    assert "a threads=2: 1 met" in whole.stdout and shown.stdout in whole.stdout
    document = json.loads(command(place, "report", "latest", "--format", "json").stdout)
    assert {row["target"] for row in document["rows"]} == {"a threads=1", "a threads=2"}


def test_a_run_is_no_sweep_to_go_on_with(place: Place) -> None:
    place.write({"a": '{backend: "null"}'})
    assert place.run("-q").returncode in (0, 3)
    done = sweep(place, "--resume", "latest")
    assert done.returncode == 2 and "it is no sweep: go on with `benchpact run" in done.stderr
    done = sweep(place, "--resume", "latest", "--over", "threads=1")
    assert done.returncode == 2 and "it was made by `benchpact run`" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_ctrl_c_keeps_what_is_done_and_says_how_the_sweep_goes_on(place: Place) -> None:
    place.write({"a": '{backend: "null"}', "b": "HangsInRun"})
    started = place.command("sweep", "contract.yaml", "--over", "threads=1,2")
    with subprocess.Popen(
        started, cwd=place.folder, env=place.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        until = time.monotonic() + 60
        while time.monotonic() < until and len(list((place.folder / "results").glob("*/cases/a-*.json"))) < 2:
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 130 and "Traceback" not in err
    assert "2 of 4 cases stored" in err
    assert "go on with the rest: benchpact sweep contract.yaml --resume" in err
