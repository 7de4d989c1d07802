"""The README's first command on a machine that has nothing of ours yet."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.docs.fresh import fresh_copy, until_decided


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    return fresh_copy(tmp_path / "benchpact")


def make(folder: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in ("VIRTUAL_ENV", "MAKEFLAGS", "MAKELEVEL", "PYTHONPATH")
    }
    return subprocess.run(
        ["make", *words], cwd=folder, env={**kept, "NO_COLOR": "1", **environment}, capture_output=True, text=True,
        timeout=550, check=False,
    )  # fmt: skip


@pytest.mark.timeout(1200)
def test_make_run_installs_measures_and_shows_the_verdicts(clone: Path) -> None:
    done = until_decided({0}, lambda: make(clone, "run"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "latency p99" in done.stdout
    assert "results: results/" in done.stdout
    assert not list((clone / ".venv").glob("lib/python*/site-packages/torch"))
    assert len(list((clone / "results").glob("*/cases/*.json"))) >= 5


def test_a_python_too_old_is_said_in_one_line_with_the_mend(clone: Path, tmp_path: Path) -> None:
    old = tmp_path / "oldpython"
    old.write_text('#!/bin/sh\ncase "$1" in -V) echo "Python 3.8.1";; *) exit 1;; esac\n')
    old.chmod(0o755)
    done = make(clone, "run", f"PYTHON={old}")
    assert done.returncode != 0
    told = [line for line in (done.stdout + done.stderr).splitlines() if not line.startswith("make: ***")]
    assert len(told) == 1
    assert "Python 3.8.1" in told[0]
    assert "make PYTHON=" in told[0]


def test_a_missing_venv_module_is_said_in_one_line_with_the_mend(clone: Path, tmp_path: Path) -> None:
    bare = tmp_path / "barepython"
    bare.write_text('#!/bin/sh\ncase "$2" in *ensurepip*) exit 1;; *) exit 0;; esac\n')
    bare.chmod(0o755)
    done = make(clone, "run", f"PYTHON={bare}")
    assert done.returncode != 0
    assert "sudo apt install python3-venv" in done.stdout + done.stderr


def test_a_missing_python_is_said_in_one_line_with_the_mend(clone: Path) -> None:
    done = make(clone, "run", "PYTHON=no-such-python")
    assert done.returncode != 0
    assert "there is no no-such-python" in done.stdout + done.stderr


NOWHERE = "http://somebody:secret@127.0.0.1:9/simple"


@pytest.mark.parametrize(
    ("words", "variable"),
    [(("run", f"PIP_INDEX_URL={NOWHERE}"), "PIP_INDEX_URL"), (("lint", f"TORCH_INDEX={NOWHERE}"), "TORCH_INDEX")],
)
def test_an_index_that_cannot_be_reached_is_named_in_the_last_line_with_the_mend(
    clone: Path, tmp_path: Path, words: tuple[str, ...], variable: str
) -> None:
    alone = {"PIP_CONFIG_FILE": os.devnull, "PIP_FIND_LINKS": "", "PIP_EXTRA_INDEX_URL": "", "PIP_RETRIES": "0"}
    alone |= {"PIP_CACHE_DIR": str(tmp_path / "cache"), "PIP_NO_INDEX": "0"}
    done = make(clone, *words, **alone)
    assert done.returncode != 0
    last = done.stdout.splitlines()[-1]
    assert "reached no index (http://127.0.0.1:9/simple), this machine is offline or needs another" in last
    assert last.endswith(f"make {words[0]} {variable}=https://my.mirror/...")
    assert "secret" not in last
    assert not list((clone / ".venv").glob(".installed*"))
