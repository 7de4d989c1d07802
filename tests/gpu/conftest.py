"""The GPU suite: `make test-gpu`. Everything in it is marked ``gpu``, and fails, never skips, without a GPU."""

from __future__ import annotations

from pathlib import Path

import pytest

from backends import cuda_probe


@pytest.fixture(scope="session", autouse=True)
def gpu() -> cuda_probe.Gpu:
    """The first GPU that the driver has, or the reason why the suite cannot pass here."""
    found = cuda_probe.look()
    if not found.gpus:
        pytest.fail(f"the GPU suite needs a GPU: {found.reason}; {found.remedy}")
    return found.gpus[0]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the models of one file of tests are."""
    return tmp_path_factory.mktemp("models")


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of engines, empty and this test's alone."""
    monkeypatch.setenv("BENCHPACT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "engines"
