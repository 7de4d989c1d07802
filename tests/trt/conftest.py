"""One software GPU for every test here."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.trt.software import Software, compiled, loaded


@pytest.fixture(scope="session")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Compiled once a process: whatever asks for libcuda.so.1 keeps the first one."""
    return compiled(tmp_path_factory.mktemp("driver"))


@pytest.fixture(scope="module", autouse=True)
def gpu(driver: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Software]:
    with pytest.MonkeyPatch.context() as patch, loaded(driver) as software:
        patch.setenv("BENCHPACT_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield software


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of engines."""
    monkeypatch.setenv("BENCHPACT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "engines"
