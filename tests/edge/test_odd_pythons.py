"""A host without Python, with an old one, or with one that cannot make environments: one clear line, or it works.

Its PATH holds one folder of the test's own, and in it a `python3` that is this one, but for what it is made to be.
"""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from bench.__main__ import main
from tests.edge.wheel_files import make_wheel
from tests.remote.sshd import HOST, Sshd

OLDER = """\
import collections, sys
Version = collections.namedtuple("Version", "major minor micro releaselevel serial")
sys.version_info = Version({numbers}, "final", 0)
sys.version = "{version} " + sys.version.partition(" ")[2]
"""
BARE = """\
import sys
for name in ("venv", "ensurepip", "pip"):
    sys.modules[name] = None
"""
Be = Callable[[str | None], None]


@pytest.fixture
def be(sshd: Sshd, tmp_path: Path) -> Be:
    """Lets the host's `python3` begin with these lines; None: there is no Python in its PATH."""
    path, site = tmp_path / "path", tmp_path / "site"
    path.mkdir()
    site.mkdir()

    def become(lines: str | None) -> None:
        if lines is not None:
            (site / "sitecustomize.py").write_text(lines)
            words = f"PYTHONPATH={shlex.quote(str(site))} exec {shlex.quote(sys.executable)}"
            (path / "python3").write_text(f'#!/bin/sh\n{words} "$@"\n')
            (path / "python3").chmod(0o755)
        sshd.stop()
        sshd.more += f"\nForceCommand PATH={shlex.quote(str(path))} exec /bin/sh"
        sshd.start()

    return become


def older(*numbers: int) -> str:
    return OLDER.format(numbers=", ".join(map(str, numbers)), version=".".join(map(str, numbers)))


def told(capsys: pytest.CaptureFixture[str], code: int, *words: str) -> str:
    """The one line in which a command says what is in its way."""
    assert main(["device", *words]) == code
    (line,) = capsys.readouterr().err.strip().splitlines()[-1:]
    assert "Traceback" not in line
    return line


def test_no_python(be: Be, capsys: pytest.CaptureFixture[str]) -> None:
    be(None)
    line = told(capsys, 3, "probe", HOST)
    assert f"there is no Python on `{HOST}`" in line
    assert "apt install python3" in line


def test_a_python_that_is_too_old(be: Be, capsys: pytest.CaptureFixture[str]) -> None:
    be(older(3, 7, 3))
    for command in (("probe", HOST), ("prepare", HOST, "--backend", "null")):
        assert "it is Python 3.7: 3.8 or later is needed" in told(capsys, 3, *command)


def test_python_3_8_for_which_there_is_no_wheel(
    be: Be, house: Path, sshd: Sshd, capsys: pytest.CaptureFixture[str]
) -> None:
    be(older(3, 8, 10))
    line = told(capsys, 3, "prepare", HOST, "--backend", "null", "--wheelhouse", str(house))
    assert "no wheel of numpy fits" in line and "Python 3.8" in line
    assert f"with Python 3.{sys.version_info[1]} there is one" in line
    assert not (sshd.home / "cache" / "benchpact" / "env").exists()


def test_python_3_8_for_which_there_is_one(be: Be, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    be(older(3, 8, 10))
    machine = os.uname().machine
    make_wheel(tmp_path / "house", "numpy", "1.24.4", f"cp38-cp38-linux_{machine}")
    make_wheel(tmp_path / "house", "numpy", "1.26.4", f"cp39-cp39-linux_{machine}")
    main(["device", "prepare", HOST, "--backend", "null", "--wheelhouse", str(tmp_path / "house")])
    assert "numpy 1.24.4" in capsys.readouterr().out


def test_without_venv_ensurepip_and_pip_it_is_prepared_all_the_same(
    be: Be, house: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    be(BARE)
    assert main(["device", "prepare", HOST, "--backend", "null", "--wheelhouse", str(house)]) == 0
    assert f"{HOST} is prepared: numpy {np.__version__}" in capsys.readouterr().out
