"""NVIDIA's library as a stand-in, compiled once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.device.fake_nvml import Fake, compiled, driver


@pytest.fixture(scope="session")
def nvml_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compiled(tmp_path_factory.mktemp("nvml"))


@pytest.fixture(scope="session")
def driver_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return driver(tmp_path_factory.mktemp("driver"))


@pytest.fixture
def fake(nvml_folder: Path) -> Iterator[Fake]:
    library = Fake(nvml_folder)
    library.reset()
    yield library
    library.reset()
