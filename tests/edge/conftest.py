from __future__ import annotations

import sys
import sysconfig
from pathlib import Path

import numpy as np
import pytest

from tests.edge.wheel_files import make_wheel
from tests.remote.sshd import new_sshd as sshd

__all__ = ["house", "sshd"]

VERSION = f"cp{sys.version_info[0]}{sys.version_info[1]}"


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """A wheelhouse with a wheel of the numpy that these tests run on."""
    base = Path(np.__file__).parent
    files = {}
    for folder in (base, base.with_name("numpy.libs")):
        for path in folder.rglob("*") if folder.is_dir() else ():
            wanted = path.suffix in (".py", ".so", ".json") or ".so." in path.name
            if path.is_file() and wanted and "tests" not in path.parts:
                files[str(path.relative_to(base.parent))] = path.read_bytes()
    platform = sysconfig.get_platform().replace("-", "_").replace(".", "_")
    make_wheel(tmp_path / "house", "numpy", np.__version__, f"{VERSION}-{VERSION}-{platform}", files)
    return tmp_path / "house"
