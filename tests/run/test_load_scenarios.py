"""``multi-stream`` and ``server`` through a whole run: from the contract's words to verdicts, files and report."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.device.queues import arrivals, sojourns
from tests.run import test_run_command
from tests.run.test_run_command import Place

MS = 1_000_000


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    monkeypatch.setitem(test_run_command.FAULTY, "spinning", "tests.device.spinning:Spinning")
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
    assert done.returncode == 0, done.stdout + done.stderr
    assert "batch 5" in done.stdout
    found = case(place, "multi-stream")
    assert [one["batch"] for one in found["process_runs"]] == [5, 5]
    for process in found["process_runs"]:
        assert process["audit"]["ratio"] > 0.9
        assert all(block["samples"] == 5 * block["count"] for block in process["blocks"])
        assert process["timings_count"] == len(timings(place, process))
    assert {one["metric"] for one in found["verdicts"]} == {"latency p50", "throughput", "peak memory"}


def test_a_server_case_keeps_all_from_which_its_queue_can_be_told_again(place: Place) -> None:
    limits = "server: {rate: 100/s, latency p50: 1 s, throughput: 10/s, peak memory: 4 GiB, time: 600 ms, processes: 2}"
    place.write({"a": f"{{backend: spinning, options: {{microseconds: 2000}}, limits: {{{limits}}}}}"})
    done = place.run("--only", "server")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "poisson arrivals at 100/s · queue" in " ".join(done.stdout.split())
    found = case(place, "server")
    assert (found["settings"]["rate_per_s"], found["settings"]["arrivals"]) == (100.0, "poisson")
    seeds = [one["serving"]["seed"] for one in found["process_runs"]]
    assert len(set(seeds)) == 2
    for process, seed in zip(found["process_runs"], seeds, strict=True):
        due = arrivals(100.0, seed, 600 * MS)
        latencies = timings(place, process)
        assert len(latencies) == len(due)
        assert (latencies >= sojourns(due, np.full(len(due), 2 * MS))).all()
        assert process["audit"]["ratio"] > 0.9 and process["warm_up"]["queries"] > 5
        assert not process["serving"]["unanswered"]


def test_a_rate_that_cannot_be_kept_is_one_sentence_and_a_miss(place: Place) -> None:
    limits = "server: {rate: 400/s, latency p90: 20 ms, latency p50: 9 s, time: 500 ms, processes: 2}"
    place.write({"a": f"{{backend: spinning, options: {{microseconds: 5000}}, limits: {{{limits}}}}}"})
    done = place.run("--only", "server")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "the system cannot keep 400/s: a query takes it" in " ".join(done.stdout.split())
    outcomes = {one["metric"]: one["outcome"] for one in case(place, "server")["verdicts"]}
    assert outcomes == {"latency p90": "missed", "latency p50": "undecided"}


def test_constant_arrivals_are_asked_for(place: Place) -> None:
    limits = "server: {rate: 50/s, arrivals: constant, latency p50: 1 s, time: 400 ms, processes: 1}"
    place.write({"a": f"{{backend: onnxruntime, limits: {{{limits}}}}}"})
    assert place.run("--only", "server").returncode == 0
    (process,) = case(place, "server")["process_runs"]
    assert process["serving"]["arrivals"] == "constant"
    assert process["timings_count"] == 19
