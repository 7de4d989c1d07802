"""The demo's model in a folder of its own, for contracts that are changed."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

CONFIGS = Path(__file__).parents[2] / "configs"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for file in (CONFIGS / "digits").iterdir():
        if file.suffix != ".py":
            shutil.copy(file, tmp_path)
    return tmp_path
