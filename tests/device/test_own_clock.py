"""What a device says by its own clock: asked after the last block, told beside the latencies, of no other session."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from backends.null import NullSession
from bench.device import own_clock
from bench.device.adapter import ModelFiles
from bench.judge import enqueued
from bench.results import DeviceTime, ProcessRun
from tests.device.telling import TellingSession
from tests.launch.talk import job, measure
from tests.run.backends_on_path import offer
from tests.run.test_run_command import Place

NOTHING = ModelFiles({}, (), ())
TELLING = "tests.device.telling:Telling"


def test_the_summary_is_of_all_that_was_told() -> None:
    session = TellingSession(NOTHING)
    told = own_clock.told(session, [()])["gpu compute"]
    asked = session.asked
    assert own_clock.FEWEST <= asked <= own_clock.MOST
    assert told["count"] == asked
    assert (told["least_ns"], told["most_ns"]) == (1000, asked * 1000)
    assert told["mean_ns"] == (asked + 1) * 500
    assert told["p50_ns"] == -(-asked // 2) * 1000
    assert told["p90_ns"] == -(-asked * 9 // 10) * 1000


def test_queries_of_the_pool_are_asked_for_in_turn() -> None:
    seen: list[str] = []

    class Noting(TellingSession):
        def device_times(self, staged: str) -> dict[str, int]:
            seen.append(staged)
            return {"gpu compute": 1}

    own_clock.told(Noting(NOTHING), ["a", "b", "c"])
    assert seen[:8] == ["a", "b", "c", "a", "b", "c", "a", "b"]


def test_a_session_without_a_clock_is_asked_nothing_and_tells_nothing() -> None:
    assert own_clock.told(NullSession(NOTHING), [()]) == {}


def test_a_measurement_tells_them_beside_its_latencies() -> None:
    told = measure(job(TELLING, calls_per_timing=1, settings={"device": "other-made-up"}))
    assert told.run.failure is None, told.run.failure
    names = {one.name: one for one in told.run.device_times}
    assert set(names) == {"gpu compute", "enqueue", "host to device"}
    assert names["gpu compute"].count >= own_clock.FEWEST
    assert sum(block.count for block in told.run.blocks) == told.run.timings_count == len(told.ear.timings)
    assert told.run.facts["asked"] == names["gpu compute"].count, "facts are told again once it was measured"
    own = [note for note in told.run.notes if note.startswith("it ")]
    assert own == ["it is made up", "it was asked"], "and so are notes, each once"
    assert measure(job()).run.device_times == ()


@pytest.mark.parametrize("device", ["cpu", "cpu:0"])
def test_a_cpu_is_asked_for_none_whatever_its_session_would_tell(device: str) -> None:
    told = measure(job(TELLING, calls_per_timing=1, settings={"device": device}))
    assert told.run.failure is None, told.run.failure
    assert (told.run.device_times, told.run.facts["asked"]) == ((), 0)


def test_a_report_names_the_times_and_warns_where_the_host_bounds_the_rate(tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.environment = {**offer(tmp_path / "telling", {"telling": TELLING}), "COLUMNS": "300"}
    place.write({"a": "{backend: telling, device: other-made-up}"})
    done = place.run()
    assert done.returncode == 0, done.stdout + done.stderr
    said = " ".join(done.stdout.split())
    assert "by the device's clock, in the median: gpu compute " in said
    assert ", enqueue " in said and ", host to device 7 ns" in said
    assert "the host bounds the rate" in said


def test_where_handing_over_takes_as_long_as_computing_a_note_says_that_the_host_bounds_the_rate() -> None:
    def run(enqueue_ns: int) -> ProcessRun:
        times = (time("gpu compute", 100_000), time("enqueue", enqueue_ns))
        return replace(ProcessRun(0), device_times=times)

    assert enqueued.note([run(80_000)]) == enqueued.note([ProcessRun(0)]) == ""
    said = enqueued.note([run(10_000), run(81_000)])
    assert said.startswith("the host takes 81 µs to hand over a query that the device computes in 100 µs")


def time(name: str, p50_ns: int) -> DeviceTime:
    return DeviceTime(name, 9, p50_ns, p50_ns, p50_ns, p50_ns, p50_ns, p50_ns)
