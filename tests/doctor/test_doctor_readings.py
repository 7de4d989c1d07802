"""What the machine's own files say is what the doctor reads; what they do not say is not told."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bench.device import machine
from bench.doctor import readings
from bench.doctor.diagnosis import Machine, State
from tests.doctor.machines import CONTAINER, OLD_CONTAINER, SERVER, put


def test_a_server_is_read_from_its_files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    put(monkeypatch, tmp_path, SERVER)
    found = readings.read_machine()
    assert (found.product, found.cpu_model) == ("Example Inc. Server 9", "Example CPU @ 2.40GHz")
    assert (found.threads_per_core, found.virtual, found.container) == (2, False, None)
    assert (found.memory_bytes, found.swap_bytes) == (16384000 * 1024, 2048000 * 1024)
    assert (found.cpu_limit, found.memory_limit_bytes) == (None, None)


def test_every_disturbance_is_read_from_its_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    put(monkeypatch, tmp_path, SERVER)
    found = readings.read_state(0.01)
    assert found.governors == ("performance", "powersave")
    assert (found.turbo, found.smt, found.frequency_mhz) == (True, True, 2400.0)
    assert (found.throttled, found.throttled_now, found.temperature_c) == (7, 0, 91.5)
    assert (found.swap_used_bytes, found.swapped_pages, found.memory_pressure) == (1024000 * 1024, 0, 3.5)
    assert (found.steal_share, found.steal_share_since_boot) == (None, 0.05)
    assert (found.clock_source, found.huge_pages) == ("hpet", "always")


def test_what_grows_is_told_as_what_happened_meanwhile(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    root = put(monkeypatch, tmp_path, SERVER)

    def meanwhile(_: float) -> None:
        (root / "proc/stat").write_text("cpu  860 0 100 1020 0 0 0 120 0 0\n")
        (root / "proc/vmstat").write_text("pswpin 15\npswpout 34\n")
        (root / "sys/devices/system/cpu/cpu1/thermal_throttle/core_throttle_count").write_text("6\n")

    monkeypatch.setattr(time, "sleep", meanwhile)
    found = readings.read_state(1.0)
    assert (found.steal_share, found.swapped_pages, found.throttled_now) == (0.2, 7, 2)


def test_the_lowest_limit_of_a_container_and_its_parents_counts(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    put(monkeypatch, tmp_path, SERVER, CONTAINER)
    found = readings.read_machine()
    assert (found.cpu_limit, found.memory_limit_bytes, found.container) == (1.5, 1 << 30, "docker")
    assert readings.read_state(0.0).quota_stops == 12


def test_limits_of_version_1_control_groups_are_read_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    put(monkeypatch, tmp_path, SERVER, OLD_CONTAINER)
    assert machine.container_limits() == (0.5, 512 << 20)


def test_a_group_path_that_leads_out_of_the_tree_is_not_followed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    tree = {"proc/self/cgroup": "0::/../../etc\n", "sys/fs/cgroup/cpu.max": "200000 100000\n", "sys/etc/cpu.max": "1 1"}
    put(monkeypatch, tmp_path, tree)
    assert machine.container_limits() == (2.0, None)


def test_a_system_that_tells_nothing_is_examined_all_the_same(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    put(monkeypatch, tmp_path)
    monkeypatch.setattr(platform, "processor", lambda: "")
    found, state = readings.read_machine(), readings.read_state(0.0)
    assert (found.product, found.cpu_model, found.virtual, found.threads_per_core) == (None, None, None, None)
    assert (state.governors, state.turbo, state.smt, state.throttled) == ((), None, None, None)
    assert (state.steal_share, state.memory_pressure, state.clock_source, state.huge_pages) == (None, None, None, None)
    assert found.memory_bytes == psutil.virtual_memory().total, "what psutil tells is used where /proc does not"


def test_a_mac_is_asked_its_own_way(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    put(monkeypatch, tmp_path)
    asked: list[tuple[str, ...]] = []

    def run(command: tuple[str, ...], **_: object) -> subprocess.CompletedProcess[str]:
        asked.append(command)
        return subprocess.CompletedProcess(command, 0, {"hw.model": "Mac14,2\n"}.get(command[-1], "Apple M2\n"), "")

    monkeypatch.setattr(platform, "system", lambda: "Darwin")
    monkeypatch.setattr(subprocess, "run", run)
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    found = readings.read_machine()
    assert (found.cpu_model, found.product, found.usable_cores) == ("Apple M2", "Mac14,2", None)
    assert found.swap_bytes == psutil.swap_memory().total
    assert ("/usr/sbin/sysctl", "-n", "machdep.cpu.brand_string") in asked


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(st.sampled_from(sorted(SERVER) + sorted(CONTAINER)[:-1]), st.binary(max_size=80), max_size=20))
def test_files_of_any_content_are_never_an_error(tmp_path: Path, files: dict[str, bytes]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        root = put(patch, tmp_path, SERVER, CONTAINER)
        for name, content in files.items():
            (root / name).write_bytes(content)
        assert isinstance(readings.read_machine(), Machine)
        assert isinstance(readings.read_state(0.0), State)


def test_another_process_that_computes_is_named_with_the_cores_it_takes() -> None:
    with subprocess.Popen((sys.executable, "-c", "while True: pass")) as busy:
        try:
            while sum(psutil.Process(busy.pid).cpu_times()[:2]) < 0.1:
                time.sleep(0.01)
            # Other work may hold this machine's cores: look until the process had its turn.
            for _ in range(20):
                found = readings.read_state(0.5).busy or ()
                named = [one for one in found if one.pid == busy.pid]
                if named:
                    break
        finally:
            busy.kill()
    assert named
    assert 0.2 <= named[0].cores < 1.5
    assert "python" in named[0].name.lower()


def test_this_process_is_never_called_busy() -> None:
    until = time.monotonic() + 0.3
    before = readings._counters()
    while time.monotonic() < until:
        pass
    assert os.getpid() not in {one.pid for one in readings._busy(before, readings._counters())}


def test_the_worker_and_the_doctor_read_the_same_machine() -> None:
    found, facts = readings.read_machine(), machine.facts()
    assert (found.cores, found.memory_bytes, found.kernel) == (facts["cores"], facts["memory_bytes"], facts["kernel"])
