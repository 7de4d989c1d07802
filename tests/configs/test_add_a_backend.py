"""The page on adding a backend, followed to the letter: its files written, its commands run, in a venv of its own."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "add-a-backend.md").read_text(encoding="utf-8")
FILES = dict(re.findall(r"^`([\w./-]+)`\n\n```\w+\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))
COMMANDS = [block.splitlines() for block in re.findall(r"^```sh\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)]


@dataclass(frozen=True)
class Place:
    """Where the page is followed: a folder, and a venv that sees this one's packages but changes none."""

    folder: Path
    environment: dict[str, str]

    def do(self, command: str) -> subprocess.CompletedProcess[str]:
        """One line as a person types it."""
        words = command.split()
        words[0] = shutil.which(words[0], path=self.environment["PATH"]) or words[0]
        return subprocess.run(words, cwd=self.folder, env=self.environment, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """The package written and installed as the page says, beside a copy of the demo."""
    folder = tmp_path_factory.mktemp("followed")
    venv = folder / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", venv], check=True)
    paths = sysconfig.get_path("purelib", vars={"base": str(venv), "platbase": str(venv)})
    ours = [sysconfig.get_path("purelib"), sysconfig.get_path("platlib"), str(ROOT)]
    (Path(paths) / "ours.pth").write_text("".join(f"{one}\n" for one in dict.fromkeys(ours)))
    command = venv / "bin" / "benchpact"
    command.write_text('#!/bin/sh\nexec python -m bench "$@"\n')
    command.chmod(0o755)
    shutil.copytree(ROOT / "configs", folder / "configs")
    for name, text in FILES.items():
        path = folder / name
        path.write_text(path.read_text(encoding="utf-8") + text if path.exists() else text, encoding="utf-8")
    offline = {"PIP_NO_INDEX": "1", "PIP_NO_DEPS": "1", "PIP_NO_BUILD_ISOLATION": "0", "PIP_QUIET": "1"}
    path = os.pathsep.join((str(venv / "bin"), os.environ["PATH"]))
    followed = Place(folder, {**os.environ, **offline, "PATH": path, "PYTHONDONTWRITEBYTECODE": "1"})
    done = followed.do(COMMANDS[0][0])
    assert done.returncode == 0, done.stderr
    return followed


def test_the_page_has_the_files_and_the_commands_that_it_speaks_of() -> None:
    assert list(FILES) == [
        "pyproject.toml",
        "onnx_reference_backend.py",
        "test_onnx_reference.py",
        "configs/demo.yaml",
    ]
    assert [len(block) for block in COMMANDS] == [2, 4]


def test_the_new_backend_passes_the_conformance_suite(place: Place) -> None:
    done = place.do(COMMANDS[0][1])
    assert done.returncode == 0, done.stdout[-4000:]
    assert re.search(r"\b[1-9]\d* passed", done.stdout)


def test_the_new_backend_is_listed_and_the_contract_that_names_it_is_right(place: Place) -> None:
    listed, checked = place.do(COMMANDS[1][0]), place.do(COMMANDS[1][1])
    assert "onnx-reference" in listed.stdout, listed.stderr
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_the_new_backend_answers_as_the_contract_asks(place: Place) -> None:
    done = place.do(COMMANDS[1][2])
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_new_backend_is_measured_like_any_other(place: Place) -> None:
    done = place.do(COMMANDS[1][3] + " --json report.json")
    assert done.returncode in (0, 1, 3), done.stdout + done.stderr
    report = json.loads((place.folder / "report.json").read_text(encoding="utf-8"))
    rows = {row["requirement"]: row for row in report["rows"]}
    assert {row["target"] for row in report["rows"]} == {"onnx-reference"}
    assert rows["accuracy top-1"]["outcome"] == "met"
    assert rows["single-stream latency p50"]["figure"]["value"] > 100_000, "no numpy answers in 0.1 ms"
    assert rows["artifact size"]["figure"]["value"] == (ROOT / "configs" / "digits" / "digits.onnx").stat().st_size
