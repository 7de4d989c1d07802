"""``Dockerfile.gpu``, as far as no container is built: hadolint does not complain, and what it copies installs."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.gpu_tools.environments import ROOT, place

pytestmark = pytest.mark.gpu_tools
DOCKERFILE = ROOT / "Dockerfile.gpu"


def complaints(path: Path) -> str:
    command: list[str | Path] = [place("hadolint") / "bin" / "hadolint", "--no-color", path]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False).stdout


def test_hadolint_has_no_complaint_and_would_have_one(tmp_path: Path) -> None:
    assert complaints(DOCKERFILE) == ""
    planted = tmp_path / "Dockerfile"
    planted.write_text(DOCKERFILE.read_text().replace("python:3.12-slim", "python"))
    assert "DL3006" in complaints(planted)  # an image without its version


def test_what_it_copies_is_the_whole_package(tmp_path: Path) -> None:
    """The wheel that pip makes of the copied files alone has every module that the checkout has."""
    copied = tmp_path / "copied"
    for words in re.findall(r"(?m)^COPY (.+)$", DOCKERFILE.read_text()):
        *sources, target = words.split()
        for source in sources:
            place_of = copied / target / (source if target.endswith("/") else "")
            copy = shutil.copytree if (ROOT / source).is_dir() else shutil.copyfile
            place_of.parent.mkdir(parents=True, exist_ok=True)
            copy(ROOT / source, place_of)
    command: list[str | Path] = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation"]
    done = subprocess.run([*command, "-w", tmp_path, copied], capture_output=True, text=True, timeout=250, check=False)
    assert done.returncode == 0, done.stderr
    (wheel,) = tmp_path.glob("*.whl")
    packed = {name for name in zipfile.ZipFile(wheel).namelist() if name.endswith(".py")}
    ours = {str(path.relative_to(ROOT)) for room in ("bench", "backends") for path in (ROOT / room).rglob("*.py")}
    assert packed == ours
