"""Whether a board was held down: by its firmware's word, the kernel's cooling devices, the supply's alarm."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.device.disturbance import Watch
from bench.device.throttling import SINCE_BOOT, cores_at, during, firmware_flags, look, names_of, told
from tests.device.boards import BIG_LITTLE, EMULATED, PI_4, written

FIRMWARE = "sys/devices/platform/soc/soc:firmware/get_throttled"
ENDLESS_NS = 1 << 60


def seen(root: Path, *changes: dict[str, str]) -> dict[str, int]:
    """What a watch sees between two looks of the states that it keeps, with the changes between them."""
    watch = Watch(root / "proc", root / "sys/devices/system/cpu", ENDLESS_NS, root)
    watch.begin()
    for change in changes:
        written(root, change)
    return {name: value for name, value in watch.seen().items() if name in ("cooling", "low_voltage")}


def during_change(root: Path, before: str, after: str) -> str:
    written(root, {FIRMWARE: before})
    first = look(root)
    written(root, {FIRMWARE: after})
    return during(first, look(root))


def test_a_board_that_is_well_was_not_held_down(tmp_path: Path) -> None:
    root = written(tmp_path, PI_4)
    assert seen(root) == {"cooling": 0, "low_voltage": 0}
    assert during(look(root), look(root)) == ""


def test_a_fan_is_no_brake(tmp_path: Path) -> None:
    root = written(tmp_path, PI_4)
    assert seen(root, {"sys/class/thermal/cooling_device1/cur_state": "9\n"})["cooling"] == 0


def test_a_cooling_device_that_holds_a_processor_down_is_seen_at_either_end_of_a_block(tmp_path: Path) -> None:
    root = written(tmp_path, BIG_LITTLE)
    assert seen(root) == {"cooling": 2}
    assert seen(root, {"sys/class/thermal/cooling_device0/cur_state": "0\n"}) == {"cooling": 2}
    assert seen(root) == {"cooling": 0}
    assert seen(root, {"sys/class/thermal/cooling_device1/cur_state": "1\n"}) == {"cooling": 1}


def test_a_supply_that_is_too_weak_is_seen(tmp_path: Path) -> None:
    root = written(tmp_path, PI_4)
    assert seen(root, {"sys/class/hwmon/hwmon1/in0_lcrit_alarm": "1\n"}) == {"cooling": 0, "low_voltage": 1}


def test_files_that_are_not_as_known_tell_nothing(tmp_path: Path) -> None:
    root = written(tmp_path, {**BIG_LITTLE, "sys/class/thermal/cooling_device0/cur_state": "much\n"})
    assert seen(root) == {}


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ("0", "50005", "under-voltage, throttled"),
        ("0", "50000", "under-voltage, throttled"),  # in between, and over again
        ("50000", "50000", ""),  # before: not this measurement's
        ("50000", "d0000", "near its temperature limit"),
        ("2", "20000", "frequency capped"),
        ("", "5", ""),
        ("0", "nonsense", ""),
    ],
)
def test_only_what_happened_meanwhile_counts(before: str, after: str, words: str, tmp_path: Path) -> None:
    assert during_change(tmp_path, before, after) == words


def test_the_firmwares_word_is_named() -> None:
    assert names_of(0x50005) == ["under-voltage", "throttled"]
    assert names_of(0x50000) == []
    assert names_of(0x50000, SINCE_BOOT) == ["under-voltage", "throttled"]


def test_a_board_without_such_firmware_tells_none(tmp_path: Path) -> None:
    assert firmware_flags(written(tmp_path, EMULATED)) is None


def test_the_report_is_told_temperatures_frequencies_and_governors(tmp_path: Path) -> None:
    root = written(tmp_path, PI_4)
    before = look(root)
    written(root, {"sys/class/thermal/thermal_zone0/temp": "71500\n"})
    assert told(before, look(root)) == {
        "temperature": "52.1 °C before, 71.5 °C after",
        "core frequencies": "4 at 1500 MHz",
        "governors": "ondemand",
    }
    assert told(look(tmp_path / "nothing"), look(tmp_path / "nothing")) == {}


def test_clusters_are_told_apart() -> None:
    assert cores_at({0: 1800.0, 1: 1800.0, 4: 2016.0}) == "2 at 1800 MHz, 1 at 2016 MHz"
