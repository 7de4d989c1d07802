"""Which wheels fit which board: tags, markers, and what is said where none fits. pip is the real one, offline."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bench.edge.tags import BoardPython, board_python, libc_needed, platforms
from bench.edge.wheels import choose
from bench.errors import LaunchError
from tests.edge.wheel_files import make_wheel

PI = BoardPython("aarch64", "glibc", (2, 31), (3, 9))
FACTS = {
    "implementation": "cpython", "python": "3.9.2", "machine": "aarch64", "bits": 64,
    "libc": {"kind": "glibc", "version": "2.31"},
}  # fmt: skip


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """A wheelhouse with what the worker itself needs."""
    for tag in ("cp39-cp39-manylinux_2_17_aarch64.manylinux2014_aarch64", "cp311-cp311-manylinux_2_28_aarch64"):
        make_wheel(tmp_path / "house", "numpy", "1.26", tag)
    return tmp_path / "house"


def chosen(board: BoardPython, house: Path, *packages: str) -> list[str]:
    folder = house.parent / "chosen"
    folder.mkdir()
    return [one.path.name for one in choose(board, packages, folder, house)]


def test_the_facts_of_a_board_say_what_fits_it() -> None:
    assert board_python(FACTS) == PI
    assert board_python({**FACTS, "bits": 32}).machine == "armv7l"  # a 32-bit system under a 64-bit kernel


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"implementation": "pypy"}, "wheels are made for CPython"),
        ({"python": "3.7.3"}, "at least 3.8"),
        ({"python": None}, "at least 3.8"),
        ({"libc": None}, "glibc or musl"),
        ({"libc": {"kind": "uclibc", "version": "1.0"}}, "glibc or musl"),
        ({"libc": {"kind": "glibc", "version": "x"}}, "glibc or musl"),
    ],
)
def test_a_board_that_no_wheel_can_fit_is_refused(wrong: dict[str, Any], told: str) -> None:
    with pytest.raises(LaunchError, match=told):
        board_python({**FACTS, **wrong})


def test_tags_go_from_the_boards_own_c_library_down() -> None:
    tags = platforms(PI)
    assert tags[0] == "manylinux_2_31_aarch64"
    assert {"manylinux_2_17_aarch64", "manylinux2014_aarch64", "linux_aarch64"} <= set(tags)
    assert not [tag for tag in tags if "2_32" in tag or "2_16" in tag]
    assert "manylinux1_x86_64" in platforms(BoardPython("x86_64", "glibc", (2, 36), (3, 11)))
    musl = platforms(BoardPython("armv7l", "musl", (1, 2), (3, 12)))
    assert musl == ["musllinux_1_2_armv7l", "musllinux_1_1_armv7l", "musllinux_1_0_armv7l", "linux_armv7l"]


def test_the_oldest_c_library_that_a_wheel_names_counts() -> None:
    assert libc_needed("x-1-cp311-cp311-manylinux_2_27_aarch64.manylinux_2_28_aarch64.whl") == ("glibc", 2, 27)
    assert libc_needed("x-1-cp311-cp311-manylinux2014_aarch64.whl") == ("glibc", 2, 17)
    assert libc_needed("x-1-py3-none-any.whl") is None


def test_the_wheels_are_the_boards_and_not_this_machines(house: Path) -> None:
    make_wheel(house, "fast", "2.0", "cp39-cp39-manylinux_2_27_aarch64", requires=("plain",))
    make_wheel(house, "fast", "2.0", "cp39-cp39-manylinux_2_27_x86_64", requires=("plain",))
    make_wheel(house, "fast", "3.0", "cp39-cp39-manylinux_2_35_aarch64")
    make_wheel(house, "plain")
    names = chosen(PI, house, "fast")
    assert names == [
        "fast-2.0-cp39-cp39-manylinux_2_27_aarch64.whl",
        "numpy-1.26-cp39-cp39-manylinux_2_17_aarch64.manylinux2014_aarch64.whl",
        "plain-1.0-py3-none-any.whl",
    ]


def test_what_only_the_boards_python_needs_comes_too(house: Path) -> None:
    make_wheel(
        house,
        "fast",
        requires=("old; python_version < '3.10'", "arm; platform_machine == 'aarch64'", "x; extra == 'y'"),
    )
    make_wheel(house, "old", requires=("older; python_version < '3.10'",))
    make_wheel(house, "older")
    make_wheel(house, "arm")
    assert {name.partition("-")[0] for name in chosen(PI, house, "fast")} == {"fast", "numpy", "old", "older", "arm"}


def test_no_wheel_for_this_python_says_which_would_do(house: Path) -> None:
    make_wheel(house, "fast", "1.0", "cp311-cp311-manylinux_2_27_aarch64")
    make_wheel(house, "fast", "1.0", "cp312-cp312-manylinux_2_27_aarch64")
    with pytest.raises(
        LaunchError, match=r"no wheel of fast fits .*Python 3\.9.*with Python 3\.11 or 3\.12 there is one"
    ):
        chosen(PI, house, "fast")


def test_no_wheel_for_this_c_library_says_which_is_needed(house: Path) -> None:
    make_wheel(house, "fast", "1.0", "cp39-cp39-manylinux_2_35_aarch64")
    with pytest.raises(LaunchError, match=r"glibc 2\.31.*needs glibc 2\.35 or newer"):
        chosen(PI, house, "fast")


def test_a_wheelhouse_without_it_says_what_it_has(house: Path) -> None:
    make_wheel(house, "fast", "1.0", "cp39-cp39-manylinux_2_17_x86_64")
    with pytest.raises(
        LaunchError, match=r"has fast-1\.0-cp39-cp39-manylinux_2_17_x86_64\.whl: `benchpact device wheels`"
    ):
        chosen(PI, house, "fast")


def test_a_package_that_would_be_an_option_to_pip_is_none(house: Path) -> None:
    with pytest.raises(LaunchError):
        chosen(PI, house, "--index-url=x")
