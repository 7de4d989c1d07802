"""What travels to a board: the device side and a backend, on the standard library and numpy alone, from Python 3.8."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipapp
from pathlib import Path

import numpy as np
import pytest

import bench
from bench.device import records
from bench.launch import local
from tests.launch.talk import job, measure

ROOT = Path(bench.__file__).parents[1]
MAIN = "import sys; sys.path.append(sys.argv[1]); from bench.device.guard import run; run()\n"
NULL_BACKEND = ("__init__.py", "null.py", "options.py", "staging.py")


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A folder with nothing of ours but ``bench.device`` and the null backend."""
    folder = tmp_path / "bundle"
    (folder / "bench").mkdir(parents=True)
    (folder / "backends").mkdir()
    shutil.copy(ROOT / "bench" / "__init__.py", folder / "bench")
    shutil.copytree(
        ROOT / "bench" / "device", folder / "bench" / "device", ignore=shutil.ignore_patterns("__pycache__")
    )
    for name in NULL_BACKEND:
        shutil.copy(ROOT / "backends" / name, folder / "backends")
    (folder / "__main__.py").write_text(MAIN)
    return folder


@pytest.fixture
def only_numpy(tmp_path: Path) -> Path:
    """A folder where numpy is all that is installed."""
    folder = tmp_path / "only-numpy"
    folder.mkdir()
    installed = Path(np.__file__).parent
    for path in (installed, installed.with_name("numpy.libs")):
        if path.exists():
            (folder / path.name).symlink_to(path)
    return folder


@pytest.mark.parametrize("as_zip", [False, True])
def test_the_worker_runs_from_a_bundle_with_only_numpy_beside_it(
    as_zip: bool, bundle: Path, only_numpy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Isolated and without site-packages: neither the environment nor the project beside it can lend a module."""
    target = bundle
    if as_zip:
        target = tmp_path / "worker.pyz"
        zipapp.create_archive(bundle, target)
        shutil.rmtree(bundle)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(local, "COMMAND", (sys.executable, "-I", "-S", str(target), str(only_numpy)))
    told = measure(job(collect_outputs=True))
    assert told.run.failure is None
    assert [phase.name for phase in told.run.phases] == [name for name in records.PHASES if name != records.SEARCH]
    assert told.run.timings_count > 0
    assert told.outputs["y"].shape == (64, 3)


def test_a_module_that_is_missing_in_the_bundle_would_be_noticed(
    bundle: Path, only_numpy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (bundle / "bench" / "device" / "warmup.py").unlink()
    monkeypatch.setattr(local, "COMMAND", (sys.executable, "-I", "-S", str(bundle), str(only_numpy)))
    failure = measure(job()).run.failure
    assert failure is not None
    assert failure.error == "WorkerCrashed"
    assert any("warmup" in line for line in failure.stderr)


def sources() -> list[str]:
    return [str(path) for folder in ("bench/device", "backends") for path in sorted((ROOT / folder).rglob("*.py"))]


def vermin(*files: str) -> subprocess.CompletedProcess[str]:
    command = [
        sys.executable,
        "-c",
        "import vermin; vermin.main()",
        "--no-tips",
        "--violations",
        "--target=3.8-",
        *files,
    ]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_device_side_and_the_backends_run_on_python_3_8() -> None:
    done = vermin(*sources())
    assert done.returncode == 0, done.stdout
    assert len(sources()) > 15


def test_a_feature_of_a_later_python_would_be_noticed(tmp_path: Path) -> None:
    (tmp_path / "later.py").write_text("from functools import cache\n")
    done = vermin(str(tmp_path / "later.py"))
    assert done.returncode == 1
    assert "functools.cache" in done.stdout
