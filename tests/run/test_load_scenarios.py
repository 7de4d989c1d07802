"""``multi-stream`` and ``server`` through a whole run: from the contract's words to verdicts, files and report."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.device.records import CALLS_PER_TIMING, NEVER_NS
from bench.results import Audit
from tests.audits import is_early
from tests.device.queues import arrivals, sojourns
from tests.run import test_run_command
from tests.run.test_run_command import Place

MS = 1_000_000


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    monkeypatch.setitem(test_run_command.FAULTY, "spinning", "tests.device.spinning:Spinning")
    monkeypatch.setitem(test_run_command.FAULTY, "sleeping", "tests.device.sleeping:Sleeping")
    return Place(tmp_path)


def case(place: Place, scenario: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((place.only_run() / "cases" / f"a.{scenario}.json").read_text())
    return found


def timings(place: Place, process: dict[str, Any]) -> Any:
    return np.load(place.only_run() / "cases" / Path(process["timings"]).name, allow_pickle=False)


def test_a_multi_stream_query_has_its_samples(place: Place) -> None:
    limits = (
        "multi-stream: {samples: 5, latency p50: 1 s, throughput: 1/s, peak memory: 4 GiB, time: 200 ms, processes: 2}"
    )
    place.write({"a": f"{{backend: onnxruntime, limits: {{{limits}}}}}"})
    done = place.run("--only", "multi-stream")
    assert done.returncode in (0, 3), done.stdout + done.stderr  # 3: undecided, on a busy machine
    assert "batch 5" in done.stdout
    found = case(place, "multi-stream")
    assert [one["batch"] for one in found["process_runs"]] == [5, 5]
    for process in found["process_runs"]:
        assert not is_early(Audit(**process["audit"]))
        calls = 5 * process["facts"].get(CALLS_PER_TIMING, 1)  # more than one where they are so short
        assert all(block["samples"] == calls * block["count"] for block in process["blocks"])
        assert process["timings_count"] == len(timings(place, process))
    assert {one["metric"] for one in found["verdicts"]} == {"latency p50", "throughput", "peak memory"}


def test_a_server_case_keeps_all_from_which_its_queue_can_be_told_again(place: Place) -> None:
    limits = (
        "server: {rate: 40/s, latency p50: 1000 s, throughput: 0.001/s, peak memory: 4 GiB, time: 900 ms, processes: 2}"
    )
    place.write({"a": f"{{backend: spinning, options: {{microseconds: 2000}}, limits: {{{limits}}}}}"})
    done = place.run("--only", "server")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "poisson arrivals at 40/s · " in " ".join(done.stdout.split())
    found = case(place, "server")
    assert (found["settings"]["rate_per_s"], found["settings"]["arrivals"]) == (40.0, "poisson")
    seeds = [one["serving"]["seed"] for one in found["process_runs"]]
    assert len(set(seeds)) == 2
    for process, seed in zip(found["process_runs"], seeds, strict=True):
        due = arrivals(40.0, seed, 900 * MS)
        latencies = timings(place, process)
        assert len(latencies) == len(due)
        assert (latencies >= sojourns(due, np.full(len(due), 2 * MS))).all()
        assert not is_early(Audit(**process["audit"])) and process["warm_up"]["queries"] > 5
        assert not process["serving"]["unanswered"]


def test_a_rate_that_cannot_be_kept_is_one_sentence_and_a_miss(place: Place) -> None:
    # Each query takes more than 4 ms: a miss, whatever the machine makes of the queue.
    limits = "server: {rate: 400/s, latency p90: 4 ms, latency p50: 9 s, time: 500 ms, processes: 1}"
    place.write({"a": f"{{backend: spinning, options: {{microseconds: 5000}}, limits: {{{limits}}}}}"})
    done = place.run("--only", "server")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "the system cannot keep 400/s: a query takes it" in " ".join(done.stdout.split())
    outcomes = {one["metric"]: one["outcome"] for one in case(place, "server")["verdicts"]}
    assert outcomes == {"latency p90": "missed", "latency p50": "undecided"}


def test_a_queue_that_grew_far_past_the_limit_is_missed_though_its_latencies_have_no_narrow_interval(
    place: Place,
) -> None:
    """A query takes twice as long as the rate leaves for it: the last ones wait for half a second."""
    limits = "server: {rate: 400/s, latency p50: 40 ms, latency p90: 60 s, time: 500 ms, processes: 2}"
    place.write({"a": f"{{backend: spinning, options: {{microseconds: 5000}}, limits: {{{limits}}}}}"})
    done = place.run("--only", "server")
    assert done.returncode == 1, done.stdout + done.stderr
    told = {one["metric"]: (one["outcome"], one["reason"]) for one in case(place, "server")["verdicts"]}
    assert {metric: outcome for metric, (outcome, _) in told.items()} == {
        "latency p50": "missed",
        "latency p90": "undecided",
    }
    assert all("the queue was still growing" in reason for _, reason in told.values())


def test_constant_arrivals_are_asked_for(place: Place) -> None:
    limits = "server: {rate: 25/s, arrivals: constant, latency p50: 1 s, time: 800 ms, processes: 1}"
    place.write({"a": f"{{backend: onnxruntime, limits: {{{limits}}}}}"})
    assert place.run("--only", "server").returncode == 0
    (process,) = case(place, "server")["process_runs"]
    assert process["serving"]["arrivals"] == "constant"
    assert process["timings_count"] == 19


def test_bursts_are_what_their_seed_says(place: Place) -> None:
    limits = "server: {rate: 40/s, arrivals: bursts of 4, latency p50: 1 s, time: 900 ms, processes: 1}"
    place.write({"a": f"{{backend: spinning, options: {{microseconds: 1000}}, limits: {{{limits}}}}}"})
    done = place.run("--only", "server")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "arrivals in bursts of 4 at 40/s · " in " ".join(done.stdout.split())
    (process,) = case(place, "server")["process_runs"]
    due = arrivals(40.0, process["serving"]["seed"], 900 * MS, "bursts of 4")
    latencies = timings(place, process)
    assert len(latencies) == len(due)
    assert (latencies >= sojourns(due, np.full(len(due), 1 * MS))).all()
    assert max(block["queue_max"] for block in process["blocks"]) >= 4


def test_a_recorded_trace_is_played_whole_in_every_process(place: Place) -> None:
    offsets = np.cumsum([0, 3, 0, 0, 50, 1, 1, 200, 0, 40]) * MS
    (place.folder / "traffic.csv").write_text("seconds\n" + "\n".join(str(one / 1e9) for one in offsets))
    limits = "server: {trace: traffic.csv, latency p50: 1000 s, throughput: 0.001/s, processes: 2}"
    place.write({"a": f"{{backend: spinning, options: {{microseconds: 2000}}, limits: {{{limits}}}}}"})
    done = place.run("--only", "server")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "arrivals of the trace at 33.9/s" in " ".join(done.stdout.split())
    found = case(place, "server")
    assert (found["settings"]["trace"], found["settings"]["arrivals"]) == ("traffic.csv", "trace")
    assert len(found["settings"]["trace_sha256"]) == 64
    assert len(found["process_runs"]) == 2
    for process in found["process_runs"]:
        latencies = timings(place, process)
        assert len(latencies) == len(offsets)
        assert (latencies >= sojourns(offsets, np.full(len(offsets), 2 * MS))).all()
        assert process["serving"]["rate_per_s"] == pytest.approx(10 / 0.295, rel=1e-6)


def test_a_trace_that_is_no_trace_measures_nothing(place: Place) -> None:
    (place.folder / "traffic.csv").write_text("seconds\n1\n0\n")
    place.write({"a": "{backend: onnxruntime, limits: {server: {trace: traffic.csv, latency p50: 1 s}}}"})
    done = place.run("--only", "server")
    assert done.returncode == 2
    assert "contract.yaml:10:" in done.stderr and "sort them" in done.stderr
    assert not (place.folder / "results").exists()


def test_workers_batches_and_a_bounded_queue_go_from_the_contract_to_the_report(place: Place) -> None:
    words = "rate: 400/s, workers: 2, max batch: 4, max wait: 1 ms, queue: 6, timeout: 1 us, time: 500 ms, processes: 2"
    limits = f"server: {{{words}, latency p99: 9 s, dropped: 0 %, timed out: 100 %}}"
    place.write({"a": f"{{backend: sleeping, options: {{microseconds: 60000}}, limits: {{{limits}}}}}"})
    done = place.run("--only", "server", "-v")
    assert done.returncode == 1, done.stdout + done.stderr
    text = " ".join(done.stdout.split())
    assert "2 workers on one session" in text and "4 at most" in text and "dropped" in text and "never" in text
    found = case(place, "server")
    assert found["settings"]["workers"] == 2 and found["settings"]["queue"] == 6
    outcomes = {one["metric"]: one["outcome"] for one in found["verdicts"]}
    assert outcomes == {"latency p99": "missed", "dropped": "missed", "timed out": "met"}
    for process in found["process_runs"]:
        crew = process["serving"]["crew"]
        assert crew["dropped"] == np.count_nonzero(timings(place, process) == NEVER_NS) > 0
        assert crew["answered"] + crew["dropped"] == process["timings_count"]
    again = subprocess.run(
        place.command("report", str(place.only_run())),
        cwd=place.folder, env=place.environment, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert again.returncode == 0 and "2 workers on one session" in " ".join(again.stdout.split())


@pytest.mark.parametrize(("backend", "sessions"), [("onnxruntime", 1), ("openvino", 2)])
def test_real_backends_answer_with_two_workers(place: Place, backend: str, sessions: int) -> None:
    limits = "server: {rate: 50/s, workers: 2, max batch: 2, latency p50: 1 s, time: 400 ms, processes: 1}"
    place.write({"a": f"{{backend: {backend}, limits: {{{limits}}}}}"})
    done = place.run("--only", "server")
    assert done.returncode == 0, done.stdout + done.stderr
    (process,) = case(place, "server")["process_runs"]
    assert process["serving"]["crew"]["sessions"] == sessions
    assert process["timings_count"] == len(arrivals(50.0, process["serving"]["seed"], 400 * MS))


def test_an_adaptive_server_case_is_decided_by_its_processes_votes(place: Place) -> None:
    limits = "server: {rate: 25/s, latency p50: 1 s, throughput: 1/s, time: 500 ms, processes: adaptive}"
    place.write({"a": f"{{backend: spinning, options: {{microseconds: 1000}}, limits: {{{limits}}}}}"})
    done = place.run("--only", "server")
    assert done.returncode == 0, done.stdout + done.stderr
    found = case(place, "server")
    assert len(found["process_runs"]) == 8
    told = {one["metric"]: one["reason"] for one in found["verdicts"]}
    assert "the typical fresh process keeps its p50 (8 of 8 processes" in told["latency p50"]


def test_no_vote_makes_a_growing_queue_met(place: Place) -> None:
    """All eight processes are within the limit, and would not be had they gone on."""
    limits = "server: {rate: 400/s, latency p50: 60 s, time: 200 ms, processes: adaptive}"
    place.write({"a": f"{{backend: spinning, options: {{microseconds: 5000}}, limits: {{{limits}}}}}"})
    done = place.run("--only", "server")
    assert done.returncode == 3, done.stdout + done.stderr
    found = case(place, "server")
    assert len(found["process_runs"]) == 8
    (one,) = found["verdicts"]
    assert one["outcome"] == "undecided"
    assert "the queue was still growing" in one["reason"]


def test_an_adaptive_multi_stream_case_votes_on_whole_queries(place: Place) -> None:
    limits = "multi-stream: {samples: 5, latency p90: 1 s, time: 100 ms, min time: 20 ms, processes: adaptive}"
    place.write({"a": f"{{backend: onnxruntime, limits: {{{limits}}}}}"})
    done = place.run("--only", "multi-stream")
    assert done.returncode == 0, done.stdout + done.stderr
    found = case(place, "multi-stream")
    assert len(found["process_runs"]) == 8
    assert {one["batch"] for one in found["process_runs"]} == {5}


def test_the_highest_rate_is_searched_for_and_stored_whole(place: Place) -> None:
    """The limits are far off: what is found between them is the machine's. Virtual time proves the search."""
    limits = (
        "server: {max rate under p50 10 s: 1/s, max rate under p50 1 ms: 1/s, search time: 2 s, processes: 2, "
        "peak memory: 4 GiB, rate: 20/s, time: 200 ms}"
    )
    place.write({"a": f"{{backend: spinning, options: {{microseconds: 4000}}, limits: {{{limits}}}}}"})
    done = place.run("--only", "server", "-v")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "process 1: search" in done.stderr
    found = case(place, "server")
    outcomes = {one["metric"]: one["outcome"] for one in found["verdicts"]}
    assert outcomes["max rate under p50 10 s"] == "met"
    assert outcomes["max rate under p50 1 ms"] == "missed", "a query alone takes four times as long"
    figures = {one["metric"]: one for one in found["figures"]}
    assert 10 < figures["max rate under p50 10 s"]["value"] <= 250
    for process in found["process_runs"]:
        searched = process["searched"]
        assert searched["aims"] == [[0.5, 10_000_000_000], [0.5, 1_000_000]]
        assert 2 <= len(searched["tried"]) <= 20
        assert all(trial["queries"] > 5 for trial in searched["trials"])
        assert [one["name"] for one in process["phases"]][-3:] == ["measure", "search", "close"]


def test_rates_alone_are_searched_without_a_measurement_at_one(place: Place) -> None:
    limits = "server: {max rate under p50 10 s: 1/s, search time: 1 s, processes: 1}"
    place.write({"a": f"{{backend: spinning, options: {{microseconds: 1000}}, limits: {{{limits}}}}}"})
    done = place.run("--only", "server")
    assert done.returncode in (0, 3), done.stdout + done.stderr
    (process,) = case(place, "server")["process_runs"]
    assert [one["name"] for one in process["phases"]][-3:] == ["audit", "search", "close"]
    assert process["timings"] is None
