"""What is seen between two looks: counters of a made-up machine, and the real one under real load."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.device.disturbance import MOST_FILES, Watch
from bench.judge.disturbed import marked
from bench.results import ProcessRun, Seen
from tests.launch.talk import MS, job, measure

TICK_NS = 1_000_000_000 // os.sysconf("SC_CLK_TCK")
ENDLESS_NS = 1 << 60


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """Two hyperthreads of one core and two of another, all in one package; the thread is on the third."""
    write(tmp_path / "proc/stat", "cpu  100 10 50 9000 20 5 5 30 0 0\ncpu0 1 2 3 4 5 6 7 8 0 0\n")
    write(tmp_path / "proc/self/schedstat", "123456 1000 7\n")
    write(tmp_path / "proc/self/stat", f"1 (a name) of (work) S {' '.join(['0'] * 35)} 2 0 0\n")
    write(tmp_path / "proc/pressure/cpu", "some avg10=1.00 avg60=0.5 avg300=0.1 total=500\nfull avg10=0 total=9\n")
    for index in range(4):
        folder = tmp_path / f"cpu/cpu{index}"
        write(folder / "cpufreq/scaling_cur_freq", f"{1_000_000 + index}\n")
        write(folder / "topology/core_id", f"{index // 2}\n")
        write(folder / "topology/physical_package_id", "0\n")
        write(folder / "thermal_throttle/core_throttle_count", "3\n")
        write(folder / "thermal_throttle/package_throttle_count", "5\n")
    return tmp_path


def watch(machine: Path) -> Watch:
    return Watch(machine / "proc", machine / "cpu", ENDLESS_NS)


def test_what_each_counter_grew_by_is_seen(machine: Path) -> None:
    looking = watch(machine)
    looking.begin()
    write(machine / "proc/stat", "cpu  110 11 52 9000 20 6 7 33 0 0\ncpu0 1 2 3 4 5 6 7 8 0 0\n")
    write(machine / "proc/self/schedstat", "123456 5000 8\n")
    write(machine / "proc/pressure/cpu", "some avg10=1.00 avg60=0.5 avg300=0.1 total=507\nfull avg10=0 total=9\n")
    write(machine / "cpu/cpu0/thermal_throttle/package_throttle_count", "6\n")
    write(machine / "cpu/cpu2/thermal_throttle/core_throttle_count", "4\n")
    seen = looking.seen()
    assert seen.pop("switches") >= 0
    assert seen.pop("own_ns") >= 0
    assert seen == {
        "machine_ns": 16 * TICK_NS, "steal_ns": 3 * TICK_NS, "waited_ns": 4000, "pressure_ns": 7000,
        "frequency_khz": 1_000_002, "throttled": 2,
    }  # fmt: skip
    Seen(**{name: value for name, value in looking.seen().items() if name != "switches"})


def test_a_counter_that_goes_back_has_not_grown(machine: Path) -> None:
    looking = watch(machine)
    looking.begin()
    write(machine / "proc/stat", "cpu  100 10 50 9000 20 5 5 29 0 0\n")
    assert looking.seen()["steal_ns"] == 0


def test_the_frequency_follows_the_thread(machine: Path) -> None:
    looking = watch(machine)
    write(machine / "proc/self/stat", f"1 (a name) of (work) S {' '.join(['0'] * 35)} 1 0 0\n")
    looking.begin()
    assert looking.seen()["frequency_khz"] == 1_000_001


def test_a_machine_that_tells_nothing_is_no_error(tmp_path: Path) -> None:
    looking = watch(tmp_path)
    looking.begin()
    assert looking.seen().keys() <= {"switches", "own_ns"}


@pytest.mark.parametrize("text", ["", "nonsense\n", "cpu\n", "cpu  a b c d e f g h\n"])
def test_files_that_are_not_as_known_tell_nothing(machine: Path, text: str) -> None:
    for name in ("stat", "self/schedstat", "self/stat", "pressure/cpu"):
        write(machine / "proc" / name, text)
    looking = watch(machine)
    looking.begin()
    assert looking.seen().keys() == {"switches", "own_ns", "throttled"}


def test_a_source_that_ends_while_it_is_watched_is_left_out_of_that_look(machine: Path) -> None:
    looking = watch(machine)
    looking.begin()
    write(machine / "proc/pressure/cpu", "gone\n")
    assert "pressure_ns" not in looking.seen()
    assert "steal_ns" in looking.seen()


def test_a_source_that_is_slow_to_read_is_not_watched(machine: Path) -> None:
    looking = Watch(machine / "proc", machine / "cpu", slow_ns=0)
    looking.begin()
    assert looking.seen().keys() == {"switches", "own_ns"}


def test_counters_of_throttling_are_read_of_some_cores_only(machine: Path) -> None:
    for index in range(400):
        write(machine / f"cpu/cpu{index}/topology/core_id", f"{index}\n")
        write(machine / f"cpu/cpu{index}/topology/physical_package_id", "0\n")
        write(machine / f"cpu/cpu{index}/thermal_throttle/core_throttle_count", "1\n")
    before = len([*Path("/proc/self/fd").iterdir()])
    looking = watch(machine)
    looking.begin()
    assert "throttled" in looking.seen()
    assert len([*Path("/proc/self/fd").iterdir()]) - before <= MOST_FILES + 8


@pytest.fixture
def one_busy_processor() -> Iterator[None]:
    """Everything this test starts shares one processor with a process that never rests."""
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(allowed)})
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as spinning:
        yield
        spinning.kill()
    os.sched_setaffinity(0, allowed)


@pytest.mark.usefixtures("one_busy_processor")
def test_work_beside_the_worker_on_its_processor_is_seen_and_marked() -> None:
    told = measure(job(min_ns=400 * MS, max_ns=400 * MS))
    run = told.run
    assert run.failure is None
    assert marked(run).disturbed
    reasons = {why for one in marked(run).disturbed for why in one.why}
    assert {"waited for a processor", "pressure"} & reasons
    waited = sum(block.seen.waited_ns or 0 for block in run.blocks)
    assert waited > 0.2 * sum(block.wall_ns for block in run.blocks)


def test_a_real_process_run_tells_what_it_saw() -> None:
    run: ProcessRun = measure(job()).run
    assert all(block.seen.own_ns is not None for block in run.blocks)
    own, wall = (sum(getattr(one, name) for one in blocks) for name, blocks in
                 (("own_ns", [block.seen for block in run.blocks]), ("wall_ns", run.blocks)))  # fmt: skip
    assert 0 < own <= (wall + 10 * MS) * (os.cpu_count() or 1)
