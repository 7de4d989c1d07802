"""What a board is: recorded trees of files, and this machine itself."""

from __future__ import annotations

import json
import platform
import sys
from importlib import metadata
from pathlib import Path

import pytest

from bench.device import hardware, machine
from bench.device.hardware import clusters, devfreq, facts, free_bytes, libc, temperatures_c, versions
from tests.device.boards import BIG_LITTLE, EMULATED, PI_4, written


def test_a_raspberry_pi_is_told_by_its_device_tree(tmp_path: Path) -> None:
    root = written(tmp_path, {**PI_4, "sys/devices/platform/soc/soc:firmware/get_throttled": "50001\n"})
    found = facts(root=root)
    assert found["model"] == "Raspberry Pi 4 Model B Rev 1.4"
    assert found["soc"] == "brcm,bcm2711"
    assert found["emulated"] is False
    assert found["clusters"] == [{"cores": [0, 1, 2, 3], "name": "Cortex-A72", "max_mhz": 1500.0}]
    assert found["governors"] == ["ondemand"]
    assert found["temperatures_c"] == {"cpu-thermal": 52.1}
    assert found["throttled_now"] == ["under-voltage"]
    assert found["throttled_since_boot"] == ["under-voltage", "throttled"]
    assert found["held_down"] is False
    assert found["memory_available_bytes"] == 3_500_000 * 1024


def test_big_and_little_cores_are_told_apart(tmp_path: Path) -> None:
    root = written(tmp_path, BIG_LITTLE)
    assert clusters(root) == [
        {"cores": [0, 1, 2, 3], "name": "Cortex-A55", "max_mhz": 1800.0},
        {"cores": [4, 5, 6, 7], "name": "Cortex-A76", "max_mhz": 2400.0},
    ]
    assert devfreq(root) == {"fb000000.gpu": {"mhz": 300.0, "max_mhz": 1000.0, "governor": "simple_ondemand"}}
    assert facts(root=root)["held_down"] is True


def test_an_emulated_board_says_so(tmp_path: Path) -> None:
    found = facts(root=written(tmp_path, EMULATED))
    assert found["emulated"] is True
    assert found["clusters"] == [{"cores": [0, 1, 2, 3], "name": "Cortex-A72", "max_mhz": None}]
    assert machine.is_emulated(tmp_path / "nothing") is False


def test_a_board_that_tells_nothing_is_no_error(tmp_path: Path) -> None:
    found = facts(root=tmp_path)
    assert (found["model"], found["soc"], found["clusters"], found["throttled_now"]) == (None, None, [], None)
    assert temperatures_c(tmp_path) == {}


def test_this_machine_is_told_whole_and_can_be_sent() -> None:
    found = json.loads(json.dumps(facts(["numpy", "no-such-package"])))
    assert found["python"] == platform.python_version()
    assert found["machine"] == platform.machine()
    assert found["packages"].keys() == {"numpy"}
    assert found["free_bytes"] > 0
    assert found["memory_bytes"] > 1 << 20


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="a board is Linux")
def test_the_c_library_is_told_as_wheels_name_it() -> None:
    found = libc()
    assert found is not None
    assert found["kind"] in ("glibc", "musl")
    assert all(part.isdecimal() for part in found["version"].split("."))


def test_packages_are_found_by_any_spelling_and_only_where_asked(tmp_path: Path) -> None:
    info = tmp_path / "ai_edge_litert-2.3.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: ai-edge-litert\nVersion: 2.3.0\n")
    assert versions(["AI.edge_litert", "numpy"], tmp_path) == {"AI.edge_litert": "2.3.0"}


def test_versions_are_those_that_the_names_of_metadata_tell_and_of_what_is_really_there(tmp_path: Path) -> None:
    (tmp_path / "torch-2.13.0+cpu.dist-info").mkdir()
    (tmp_path / "torch-2.13.0+cpu.dist-info" / "METADATA").write_text("")
    (tmp_path / "numpy-1.24.2-py3.11.egg-info").write_text("")
    (tmp_path / "onnxruntime-1.19.2.dist-info").mkdir()  # an uninstall left it
    (tmp_path / "onnxruntime_gpu-1.20.dist-info").mkdir()
    found = versions(["torch", "numpy", "onnxruntime", "psutil"], tmp_path)
    assert found == {"torch": "2.13.0+cpu", "numpy": "1.24.2"}
    assert versions(["torch"], tmp_path / "none") == {}


def test_what_is_installed_here_is_found_as_the_standard_library_finds_it() -> None:
    told = {one.metadata["Name"]: one.version for one in reversed(list(metadata.distributions()))}
    assert versions(list(told), None) == told


def test_free_room_is_told_before_the_folder_is_there(tmp_path: Path) -> None:
    assert free_bytes(tmp_path / "not" / "yet") is not None


def test_the_interpreters_on_the_path_are_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("python3", "python3.9", "python3-config", "python"):
        (tmp_path / name).write_text("")
        (tmp_path / name).chmod(0o755)
    (tmp_path / "python3.12").write_text("")  # not executable
    monkeypatch.setenv("PATH", f"{tmp_path}:{tmp_path / 'missing'}")
    assert hardware.pythons() == [str(tmp_path / "python3"), str(tmp_path / "python3.9")]
