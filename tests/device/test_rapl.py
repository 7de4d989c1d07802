"""Energy by the kernel's counters: sums, counters that begin anew, and why there is none."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.device import rapl
from bench.device.metering import NO_GPU
from bench.device.rapl import READABLE, Rapl, zones

RANGE_UJ = 262_143_328_850


def put(root: Path, name: str, kind: str, energy_uj: object) -> Path:
    folder = root / name
    folder.mkdir(exist_ok=True)
    (folder / "name").write_text(f"{kind}\n")
    (folder / "energy_uj").write_text(f"{energy_uj}\n")
    (folder / "max_energy_range_uj").write_text(f"{RANGE_UJ}\n")
    return folder


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The time, in its only place."""
    now = [1_000_000_000]
    monkeypatch.setattr(rapl, "perf_counter_ns", lambda: now[0])
    return now


def server(root: Path, package: int, dram: int) -> None:
    put(root, "intel-rapl:0", "package-0", package)
    put(root, "intel-rapl:0:0", "core", 7)
    put(root, "intel-rapl:0:1", "dram", dram)
    put(root, "intel-rapl:1", "psys", 9)
    put(root, "intel-rapl-mmio:0", "package-0", package)


def test_packages_and_memory_count_once(tmp_path: Path, clock: list[int]) -> None:
    server(tmp_path, 1000, 50)
    meter = Rapl(tmp_path)
    assert [name for _, name in zones(tmp_path)] == ["package-0", "dram"]
    meter.begin()
    clock[0] += 2_000_000_000
    server(tmp_path, 31_000, 2_050)
    meter.end()
    told = meter.metering()
    assert (told.energy_uj, told.window_ns) == (32_000, 2_000_000_000)
    assert told.energy_by == "RAPL: dram, package-0, of all that runs there"
    assert (told.gpu_bytes, told.gpu_by) == (None, NO_GPU)
    assert meter.ended


def test_a_counter_that_begins_anew_goes_on(tmp_path: Path, clock: list[int]) -> None:
    put(tmp_path, "intel-rapl:0", "package-0", RANGE_UJ - 100)
    meter = Rapl(tmp_path)
    meter.begin()
    for energy in (RANGE_UJ // 2, RANGE_UJ - 50, 150):  # looked at often enough to see it go round twice
        clock[0] += rapl.LOOK_NS
        put(tmp_path, "intel-rapl:0", "package-0", energy)
        meter.look()
    meter.end()
    assert meter.metering().energy_uj == RANGE_UJ + 250


def test_between_two_looks_nothing_is_read(tmp_path: Path, clock: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path, "intel-rapl:0", "package-0", 5)
    meter = Rapl(tmp_path)
    meter.begin()
    monkeypatch.setattr(rapl, "number", lambda path: pytest.fail(f"{path} was read"))
    clock[0] += rapl.LOOK_NS - 1
    meter.look()


def test_a_machine_without_counters_says_so(tmp_path: Path) -> None:
    meter = Rapl(tmp_path)
    meter.begin()
    meter.end()
    assert meter.metering().energy_uj is None
    assert meter.metering().energy_by == rapl.NONE_HERE


def test_counters_that_only_root_may_read_come_with_the_command(
    tmp_path: Path, clock: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path, "intel-rapl:0", "package-0", 5)

    def refused(path: Path) -> bytes:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(rapl, "number", lambda path: None)
    monkeypatch.setattr(Path, "read_bytes", refused)
    meter = Rapl(tmp_path)
    meter.begin()
    meter.end()
    assert meter.metering().energy_by == f"only root may read this machine's energy counters: {READABLE}"


@pytest.mark.parametrize("energy", ["much", "", "-5"])
def test_a_counter_that_is_none_is_a_reason(energy: str, tmp_path: Path, clock: list[int]) -> None:
    put(tmp_path, "intel-rapl:0", "package-0", 5)
    meter = Rapl(tmp_path)
    meter.begin()
    clock[0] += 1_000_000_000
    put(tmp_path, "intel-rapl:0", "package-0", energy)
    meter.end()
    assert meter.metering().energy_uj is None
    assert meter.metering().energy_by


def test_a_counter_that_stands_still_or_runs_away_is_nonsense(tmp_path: Path, clock: list[int]) -> None:
    for after in (5, 200_000_000_000):
        put(tmp_path, "intel-rapl:0", "package-0", 5)
        meter = Rapl(tmp_path)
        meter.begin()
        clock[0] += 1_000_000_000
        put(tmp_path, "intel-rapl:0", "package-0", after)
        meter.end()
        assert meter.metering().energy_uj is None
        assert "cannot be" in meter.metering().energy_by


def test_a_moment_is_too_short(tmp_path: Path, clock: list[int]) -> None:
    put(tmp_path, "intel-rapl:0", "package-0", 5)
    meter = Rapl(tmp_path)
    meter.begin()
    clock[0] += rapl.LEAST_NS - 1
    put(tmp_path, "intel-rapl:0", "package-0", 500)
    meter.end()
    assert "too short" in meter.metering().energy_by
