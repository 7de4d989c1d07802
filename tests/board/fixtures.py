"""Boards for tests of any folder: ask for `board` or `small_board`.

Where this machine cannot run one, the test is skipped and says why; with `BENCHPACT_CI=1` it fails instead.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import pytest

from tests.board import wheels
from tests.board.boards import Board, BoardUnavailable

FIXTURES = frozenset({"board", "small_board", "wheelhouse"})
# The first test that asks for a board also makes what all boards start from.
TIMEOUT_S = 3600


@pytest.hookimpl(tryfirst=True)  # before pytest itself leaves out by marker
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Every test that uses a board is marked so, and is given time for an emulator on a busy machine."""
    for item in items:
        if FIXTURES.isdisjoint(getattr(item, "fixturenames", ())):
            continue
        item.add_marker(pytest.mark.board)
        if item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(TIMEOUT_S))


@pytest.fixture(scope="session")
def board(wheelhouse: Path) -> Iterator[Board]:
    """One board for all tests: 1 GiB, 2 cores, numpy for INTERPRETER. A test that breaks it mends it (`restore`)."""
    yield from _lent("board", memory_mib=1024, add=wheels.with_numpy(wheelhouse))


@pytest.fixture
def small_board() -> Iterator[Board]:
    """A board of the test's own, with 256 MB."""
    yield from _lent("small", memory_mib=256)


def _lent(name: str, *, memory_mib: int, add: Path | None = None) -> Iterator[Board]:
    lent = start_or_skip(f"{name}-{os.getpid()}", memory_mib=memory_mib, add=add)  # two test runs at once do not meet
    try:
        yield lent
    finally:
        lent.remove()


@pytest.fixture(scope="session")
def wheelhouse() -> Path:
    """A folder of aarch64 wheels for the boards: numpy, ONNX Runtime, LiteRT and what they need."""
    try:
        return wheels.wheelhouse()
    except wheels.WheelsUnavailable as reason:
        _skip(f"no aarch64 wheels: {reason}")


def start_or_skip(name: str, *, memory_mib: int, add: Path | None = None) -> Board:
    """A board; where there can be none, the test that asks for it ends: in CI it fails, else it is skipped."""
    try:
        return Board.start(name, memory_mib=memory_mib, add=add)
    except BoardUnavailable as reason:
        _skip(f"no emulated board on this machine: {reason}")


def _skip(reason: str) -> NoReturn:
    if os.environ.get("BENCHPACT_CI") == "1":
        pytest.fail(f"CI must run the board's tests: {reason}", pytrace=False)
    pytest.skip(reason)
