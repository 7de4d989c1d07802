"""Every command that the README and the docs show is run, in the order it stands there, and ends as they say.

A command is a line that begins with ``$ `` in a ``console`` block. ``# exits with 1`` after it says which exit
code is meant where it is not 0, ``# exits with 0 or 1`` which may come. Each page is run in a copy of the
project's files.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import pytest

from tests.docs.fresh import ROOT, fresh_copy, until_decided

PAGES = sorted(path.relative_to(ROOT).as_posix() for path in [ROOT / "README.md", *ROOT.glob("docs/*.md")])
TRIED_ELSEWHERE = {
    "git clone": "the fresh copy in tests/docs/test_fresh_clone.py stands for it",
    "cd benchpact": "the fresh copy in tests/docs/test_fresh_clone.py stands for it",
    "make run": "tests/docs/test_fresh_clone.py",
    "make test": "it is what runs this",
    "make board": "tests/board starts boards",
    "make bench": "it takes minutes and needs a quiet machine; tests/speed/test_speed.py runs its parts",
}
ON_A_BOARD = {"docs/edge.md": "tests/edge/test_edge_page.py runs it on the emulated board"}
BLOCK = re.compile(r"^```console\n(.*?)^```", re.MULTILINE | re.DOTALL)
CODES = re.compile(r"#\s*exits with ([\d, or]+)")


def commands(page: str) -> list[tuple[str, set[int]]]:
    """Each command of a page with the exit codes it promises."""
    found = []
    for block in BLOCK.findall((ROOT / page).read_text(encoding="utf-8")):
        for line in re.findall(r"^\$ (.*)$", block.replace("\\\n", " "), re.MULTILINE):
            codes = CODES.search(line)
            found.append((line, {int(code) for code in re.findall(r"\d", codes[1])} if codes else {0}))
    return found


def is_tried_elsewhere(command: str) -> bool:
    return any(command == known or command.startswith(known + " ") for known in TRIED_ELSEWHERE)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The project's files as a newcomer has them, with the environment of this very test run."""
    folder = fresh_copy(tmp_path / "benchpact")
    (folder / ".venv").symlink_to(sys.prefix)
    return folder


def in_bash(command: str, folder: Path, environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-c", command], cwd=folder, env=environment, capture_output=True, text=True, timeout=600, check=False
    )


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("page", [page for page in PAGES if commands(page) and page not in ON_A_BOARD])
def test_every_command_of_the_page_ends_as_it_says(page: str, copy: Path) -> None:
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = {**os.environ, "PATH": path, "NO_COLOR": "1"}
    for command, codes in commands(page):
        if is_tried_elsewhere(command):
            continue
        done = until_decided(codes, partial(in_bash, command, copy, environment))
        assert done.returncode in codes, f"{page}: $ {command}\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr


def test_the_contract_in_the_readme_is_about_thirty_lines_and_checks_clean(copy: Path) -> None:
    (text,) = re.findall(r"^```yaml\n(.*?)^```", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL)
    (copy / "configs" / "readme.yaml").write_text(text)
    done = subprocess.run(
        [sys.executable, "-m", "bench", "check", "configs/readme.yaml"], cwd=copy, capture_output=True, text=True,
        timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(text.splitlines()) <= 36


def test_the_readme_shows_commands() -> None:
    assert len(commands("README.md")) >= 6


def test_commands_stand_only_where_they_are_run() -> None:
    for page in PAGES:
        text = (ROOT / page).read_text(encoding="utf-8")
        outside = BLOCK.sub("", text)
        assert not re.findall(r"^\s*\$ (?:benchpact|make|pip)\b.*$", outside, re.MULTILINE), page
        if page != "docs/add-a-backend.md":  # executed block by block by tests/configs/test_add_a_backend.py
            assert not re.findall(r"^```(?:sh|bash|shell)$", outside, re.MULTILINE), page


def test_every_link_between_pages_leads_somewhere() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\((?!https?:|#|mailto:)([^)#\s]+)", (ROOT / page).read_text(encoding="utf-8")):
            assert ((ROOT / page).parent / target).exists(), f"{page}: {target}"


def anchors(text: str) -> set[str]:
    """What GitHub makes of a page's headings: small letters, hyphens for spaces, nothing of other signs."""
    headings = re.findall(r"^#+ (.*)$", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", one.lower()).replace(" ", "-") for one in headings}


def test_every_link_to_a_section_leads_to_one() -> None:
    for page in PAGES:
        text = (ROOT / page).read_text(encoding="utf-8")
        for target, section in re.findall(r"\]\((?!https?:)([^)#\s]*)#([^)\s]+)\)", text):
            other = text if not target else ((ROOT / page).parent / target).read_text(encoding="utf-8")
            assert section in anchors(other), f"{page}: {target}#{section}"
