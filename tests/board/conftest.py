"""A board on which `benchpact run` works, for the tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.board.boards import Board
from tests.board.working import Place, left_over


@pytest.fixture(scope="module")
def working_board(board: Board) -> Iterator[Board]:
    board.restore()
    yield board
    board.restore()
    board.ssh("rm -rf /home/bench/.cache", root=True)


@pytest.fixture
def place(working_board: Board, tmp_path: Path) -> Iterator[Place]:
    yield Place(tmp_path, working_board, working_board.ssh_config)
    working_board.restore()
    assert left_over(working_board) == []
