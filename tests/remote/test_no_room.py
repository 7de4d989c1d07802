"""A host where a file may not grow: said with its reason, nothing half under its name, and whole the next time."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path

import pytest

from bench.errors import LaunchError
from bench.remote.board import Board
from tests.launch.talk import job
from tests.remote.sshd import HOST, Sshd
from tests.remote.working import board

MIB = 1 << 20


def test_a_file_that_does_not_fit_is_said_and_gone_on_with(sshd: Sshd, tmp_path: Path) -> None:
    model, python = tmp_path / "model.onnx", tmp_path / "python3"
    model.write_bytes(os.urandom(3 * MIB))
    python.write_text(f'#!/bin/sh\nulimit -f 2048\nexec {shlex.quote(sys.executable)} "$@"\n')  # of 512 bytes
    python.chmod(0o755)
    one, files = job(artifacts={"onnx": str(model)}), sshd.home / "cache" / "benchpact" / "files"

    with Board(HOST, str(python)) as small, pytest.raises(LaunchError, match=r"cannot write .*File too large"):
        small.ready(one)
    assert [path for path in files.rglob("*") if path.is_file()] == []

    with board() as there:
        assert Path(there.ready(one).artifacts["onnx"]).read_bytes() == model.read_bytes()
