"""A Jetson's GPU by files: its rails, clock, load and heat; that its memory is the machine's."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.device import gpu_sampler
from bench.device.gpu_sampler import look_at
from bench.device.jetson import NO_COUNTER, UNIFIED, Jetson, is_jetson, rails
from bench.device.nvml_refusals import NotTold
from tests.device.boards import written

HWMON = "sys/bus/i2c/devices/1-0040/hwmon/hwmon3"
ORIN = {
    "proc/device-tree/compatible": "nvidia,p3768-0000+p3767-0005\0nvidia,tegra234\0",
    "proc/device-tree/model": "NVIDIA Jetson Orin Nano\0",
    f"{HWMON}/in1_label": "VDD_IN\n",
    f"{HWMON}/in1_input": "5000\n",
    f"{HWMON}/curr1_input": "1200\n",
    f"{HWMON}/in2_label": "VDD_CPU_GPU_CV\n",
    f"{HWMON}/in2_input": "5000\n",
    f"{HWMON}/curr2_input": "400\n",
    f"{HWMON}/in7_label": "Sum of shunt voltages\n",
    "sys/class/devfreq/17000000.gpu/cur_freq": "624750000\n",
    "sys/class/devfreq/17000000.gpu/max_freq": "1020000000\n",
    "sys/class/devfreq/17000000.gpu/device/load": "734\n",
    "sys/class/thermal/thermal_zone0/type": "cpu-thermal\n",
    "sys/class/thermal/thermal_zone0/temp": "40000\n",
    "sys/class/thermal/thermal_zone1/type": "gpu-thermal\n",
    "sys/class/thermal/thermal_zone1/temp": "51500\n",
}
NANO = {
    "proc/device-tree/compatible": "nvidia,p3450-0000\0nvidia,tegra210\0",
    "sys/bus/i2c/devices/6-0040/iio:device0/rail_name_0": "POM_5V_IN\n",
    "sys/bus/i2c/devices/6-0040/iio:device0/in_power0_input": "2532\n",
    "sys/bus/i2c/devices/6-0040/iio:device0/rail_name_1": "POM_5V_GPU\n",
    "sys/bus/i2c/devices/6-0040/iio:device0/in_power1_input": "300\n",
}


def test_a_board_tells_power_clock_load_and_heat(tmp_path: Path) -> None:
    board = Jetson(written(tmp_path, ORIN))
    assert is_jetson(tmp_path)
    assert board.read() == {"power_mw": 6000, "sm_mhz": 624, "busy_percent": 73, "temperature_c": 51}
    assert board.facts() == {"name": "NVIDIA Jetson Orin Nano", "max_sm_mhz": 1020, "why_not": {}}


def test_an_older_board_has_its_rails_elsewhere(tmp_path: Path) -> None:
    assert Jetson(written(tmp_path, NANO)).read() == {"power_mw": 2532}


def test_without_a_rail_of_the_whole_board_all_are_added(tmp_path: Path) -> None:
    tree = {**NANO, "sys/bus/i2c/devices/6-0040/iio:device0/rail_name_0": "POM_5V_CPU\n"}
    assert Jetson(written(tmp_path, tree)).read() == {"power_mw": 2832}


def test_a_rail_that_stops_telling_is_no_power(tmp_path: Path) -> None:
    board = Jetson(written(tmp_path, ORIN))
    for text in ("", "much\n", "-5\n"):
        written(tmp_path, {f"{HWMON}/curr1_input": text})
        assert "power_mw" not in board.read()


def test_a_board_that_tells_nothing_says_so(tmp_path: Path) -> None:
    board = Jetson(tmp_path)
    assert (rails(tmp_path), board.read(), is_jetson(tmp_path)) == ([], {}, False)
    assert board.why_not == {"power_mw": "this board shows no power rails"}


def test_memory_is_the_machines_and_energy_is_not_counted(tmp_path: Path) -> None:
    board = Jetson(written(tmp_path, ORIN))
    with pytest.raises(NotTold) as error:
        board.used_bytes([1])
    assert str(error.value) == UNIFIED
    with pytest.raises(NotTold) as error:
        board.energy_uj()
    assert str(error.value) == NO_COUNTER


@pytest.fixture
def no_nvml(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise NotTold("there is no NVML")

    monkeypatch.setattr(gpu_sampler, "Nvml", refuse)


@pytest.mark.usefixtures("no_nvml")
def test_the_sampler_takes_the_files_only_on_a_jetson(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NotTold, match="there is no NVML"):
        look_at("", [1])
    monkeypatch.setattr(gpu_sampler, "is_jetson", lambda: True)
    monkeypatch.setattr(gpu_sampler, "Jetson", lambda: Jetson(written(tmp_path, ORIN)))
    board, facts = look_at("", [1])
    assert isinstance(board, Jetson)
    assert facts["name"] == "NVIDIA Jetson Orin Nano"
