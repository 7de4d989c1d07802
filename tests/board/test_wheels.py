"""The wheels are the board's, and they are downloaded once."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.board import boards, wheels


def test_the_wheelhouse_holds_every_package_for_the_boards_machine(wheelhouse: Path) -> None:
    names = {wheel.name.split("-")[0] for wheel in wheelhouse.iterdir()}

    assert {"numpy", "onnxruntime", "ai_edge_litert"} <= names
    for wheel in wheelhouse.iterdir():
        assert wheel.name.endswith(("aarch64.whl", "-any.whl")), wheel.name


def test_it_is_downloaded_once(wheelhouse: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(*_: object, **__: object) -> None:
        pytest.fail("pip was started for what is there already")

    monkeypatch.setattr(subprocess, "run", run)

    assert wheels.wheelhouse() == wheelhouse


def test_what_pip_cannot_find_is_said_and_leaves_no_half_wheelhouse(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BENCHPACT_CACHE", str(tmp_path))
    monkeypatch.setenv("PIP_NO_INDEX", "1")

    with pytest.raises(wheels.WheelsUnavailable, match="No matching distribution found for numpy"):
        wheels.wheelhouse(("numpy==2.4.6",))

    assert [path.name for path in boards.cache().iterdir() if path.is_dir() and any(path.iterdir())] == []
