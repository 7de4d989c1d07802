"""An environment made of wheels: whole or not there, hashes checked, nothing written outside of it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bench.device import install
from bench.device.cache import NoRoom, OutsideCache
from bench.device.install import BadWheel, answer, current, key_of
from tests.edge.wheel_files import make_wheel

KEY = "0123456789abcdef01234567"


def python(place: Path, program: str) -> str:
    """What a program prints in the environment, isolated: nothing of ours can lend it a module."""
    command = [str(place / "bin" / "python"), "-I", "-c", program]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout.strip()


def below(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def test_the_environment_has_the_wheels_and_an_interpreter_of_its_own(tmp_path: Path) -> None:
    wheels = [make_wheel(tmp_path / "w"), make_wheel(tmp_path / "w", "other", "2.1")]
    place = install.install(wheels, tmp_path / "cache", KEY, {"requirements": ["tiny"]})
    told = python(place, "import sys, tiny, other; print(tiny.VERSION, other.VERSION, sys.prefix)")
    assert told == f"1.0 2.1 {place}"
    assert (
        python(place, "import importlib.util as u; print(u.find_spec('numpy'), u.find_spec('pytest'))") == "None None"
    )
    assert (tmp_path / "cache/env/current").resolve() == place
    found = current(tmp_path / "cache")
    assert found is not None
    assert (found["key"], found["requirements"]) == (KEY, ["tiny"])


def test_what_it_starts_is_in_the_environment_too(tmp_path: Path) -> None:
    place = install.install([make_wheel(tmp_path / "w")], tmp_path / "cache", KEY, {})
    child = "import subprocess, sys; print(subprocess.check_output([sys.executable, '-c', 'import tiny; print(7)']))"
    assert "7" in python(place, child)


def test_an_environment_that_is_there_is_not_made_again(tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path / "w")
    place = install.install([wheel], tmp_path / "cache", KEY, {})
    (place / "mark").write_text("")
    wheel.unlink()
    assert install.install([wheel], tmp_path / "cache", KEY, {}) == place
    assert (place / "mark").exists()


def test_scripts_name_the_environments_interpreter_and_data_goes_where_it_belongs(tmp_path: Path) -> None:
    files = {
        "tiny-1.0.data/scripts/say": b"#!python\nimport tiny; print(tiny.VERSION)\n",
        "tiny-1.0.data/purelib/more.py": b"X = 1\n",
        "tiny-1.0.data/data/share/tiny.txt": b"text",
    }
    place = install.install([make_wheel(tmp_path / "w", files=files)], tmp_path / "cache", KEY, {})
    assert subprocess.run([place / "bin/say"], capture_output=True, text=True, check=True).stdout == "1.0\n"
    assert python(place, "import more; print(more.X)") == "1"
    assert (place / "share/tiny.txt").read_text() == "text"


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"record": {"tiny/__init__.py": "sha256=AAAA"}}, "its hash differs"),
        ({"record": {"tiny/__init__.py": ""}}, "has no hash"),
        ({"record": {"tiny/__init__.py": "md5=AAAA"}}, "has no hash"),
        ({"files": {"../outside.py": b""}}, "leads out"),
        ({"files": {"tiny/../../outside.py": b""}}, "leads out"),
        ({"files": {"/outside.py": b""}}, "leads out"),
        ({"files": {"tiny\\..\\outside.py": b""}}, "leads out"),
        ({"files": {"tiny-1.0.data/scripts/../../outside": b""}}, "leads out"),
        ({"files": {"tiny-1.0.data/strange/x": b""}}, "nothing that a wheel may hold"),
    ],
)
def test_a_wheel_that_is_not_what_it_says_leaves_nothing(
    changes: dict[str, dict[str, bytes]], told: str, tmp_path: Path
) -> None:
    wheel = make_wheel(tmp_path / "w", **changes)  # type: ignore[arg-type]
    before = below(tmp_path)
    with pytest.raises(BadWheel, match=told):
        install.install([wheel], tmp_path / "cache", KEY, {})
    assert below(tmp_path) - before == {"cache", "cache/env"}


@pytest.mark.parametrize("damage", [b"", b"not a zip", b"PK\x05\x06"])
def test_a_damaged_wheel_is_refused(damage: bytes, tmp_path: Path) -> None:
    wheel = tmp_path / "tiny-1.0-py3-none-any.whl"
    wheel.write_bytes(damage)
    with pytest.raises(BadWheel):
        install.install([wheel], tmp_path / "cache", KEY, {})


def test_a_wheel_cut_short_is_refused(tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path / "w", files={"tiny/big.bin": os.urandom(100_000)})
    data = bytearray(wheel.read_bytes())
    data[50_000] ^= 0xFF
    wheel.write_bytes(bytes(data))
    with pytest.raises(BadWheel):
        install.install([wheel], tmp_path / "cache", KEY, {})


def test_a_failed_install_leaves_the_one_in_use(tmp_path: Path) -> None:
    place = install.install([make_wheel(tmp_path / "w")], tmp_path / "cache", KEY, {})
    bad = make_wheel(tmp_path / "bad", files={"../x": b""})
    with pytest.raises(BadWheel):
        install.install([bad], tmp_path / "cache", "f" * 24, {})
    assert (tmp_path / "cache/env/current").resolve() == place


def test_what_an_interrupted_install_left_is_made_anew(tmp_path: Path) -> None:
    part = tmp_path / "cache/env" / f"{KEY}.part"
    (part / "lib").mkdir(parents=True)
    (tmp_path / "cache/env" / KEY).mkdir()  # a name of ours, without its manifest
    place = install.install([make_wheel(tmp_path / "w")], tmp_path / "cache", KEY, {})
    assert python(place, "import tiny; print(tiny.VERSION)") == "1.0"
    assert not part.exists()


def test_a_link_where_the_environments_should_be_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache/env").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OutsideCache):
        install.install([make_wheel(tmp_path / "w")], tmp_path / "cache", KEY, {})
    assert not list((tmp_path / "elsewhere").iterdir())


def test_a_link_under_the_environments_name_is_replaced_not_followed(tmp_path: Path) -> None:
    outside = tmp_path / "elsewhere"
    (tmp_path / "cache/env").mkdir(parents=True)
    for name in (KEY, f"{KEY}.part", "current"):
        (outside / name).mkdir(parents=True)
        (tmp_path / "cache/env" / name).symlink_to(outside / name)
    place = install.install([make_wheel(tmp_path / "w")], tmp_path / "cache", KEY, {})
    assert place.is_dir() and not place.is_symlink()
    assert below(outside) == {KEY, f"{KEY}.part", "current"}


def test_a_disk_without_room_is_said_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel = make_wheel(tmp_path / "w")
    monkeypatch.setattr(install, "unpacked_bytes", lambda _: 1 << 60)
    with pytest.raises(NoRoom, match="MiB are needed"):
        install.install([wheel], tmp_path / "cache", KEY, {})
    assert below(tmp_path / "cache") == {"env"}


@pytest.mark.parametrize("key", ["", "..", "../x", "a/b", "current", "Z" * 24])
def test_only_a_hash_names_an_environment(key: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="name"):
        install.install([], tmp_path, key, {})


def test_the_key_depends_on_each_wheel_and_on_the_python_and_not_on_the_order() -> None:
    keys = {key_of(["a", "b"], "3.11"), key_of(["b", "a"], "3.11"), key_of(["a"], "3.11"), key_of(["a", "b"], "3.8")}
    assert len(keys) == 3


def test_a_wheel_that_did_not_arrive_whole_is_not_installed(tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path / "w")
    sha = "0" * 64
    (tmp_path / "cache/files" / sha).mkdir(parents=True)
    wheel.rename(tmp_path / "cache/files" / sha / wheel.name)
    told = answer({"wheels": [[sha, wheel.name]], "key": KEY, "manifest": {}}, tmp_path / "cache")
    assert told == {"error": f"the wheel {wheel.name} did not arrive whole"}


def test_an_interpreter_that_does_not_start_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\nexit 7\n")
    broken.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(broken))
    with pytest.raises(OSError, match="does not work from an environment"):
        install.install([make_wheel(tmp_path / "w")], tmp_path / "cache", KEY, {})
    assert below(tmp_path / "cache") == {"env"}
