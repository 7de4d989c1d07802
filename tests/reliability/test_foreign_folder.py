"""A contract may come from anywhere, with any files beside it: none of them runs because we stand in that folder."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from bench.doctor.probing import probe
from tests.launch.talk import NULL, job, measure
from tests.reliability.watching import NULL_CONTRACT

NAMES = ("numpy", "json", "selectors", "bench", "backends", "sitecustomize", "onnx", "platform", "click")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, full of modules that say when they are run."""
    for name in NAMES:
        (tmp_path / f"{name}.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\nraise SystemExit('{name}')\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PYTHONPATH", raising=False)
    return tmp_path


def test_a_worker_does_not_import_from_it(folder: Path) -> None:
    assert measure(job(only_start=True)).run.failure is None
    assert not (folder / "ran").exists()


def test_a_probe_does_not_import_from_it(folder: Path) -> None:
    assert probe("null", NULL).usable
    assert not (folder / "ran").exists()


def test_a_whole_run_does_not_import_from_it(folder: Path) -> None:
    (folder / "contract.yaml").write_text(NULL_CONTRACT.replace(', b: "null", c: "null", d: "null"', ""))
    script = Path(sys.executable).with_name("benchpact")
    done = subprocess.run([script, "run", "contract.yaml"], capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert not (folder / "ran").exists()


def test_these_modules_would_have_said_so(folder: Path) -> None:
    done = subprocess.run([sys.executable, "-c", "import numpy"], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert (folder / "ran").exists()
