"""Every command of docs/edge.md, in its order, on the emulated board, which is called ``pi4`` here."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.board.boards import Board
from tests.docs.fresh import fresh_copy
from tests.docs.test_commands import commands

PAGE = "docs/edge.md"
TIMEOUT_S = 900


@pytest.mark.board_long
@pytest.mark.timeout(3600)  # many logins to an emulated machine, perhaps beside other work
def test_the_page_leads_from_nothing_to_a_clean_board(board: Board, tmp_path: Path) -> None:
    place = fresh_copy(tmp_path / "benchpact")
    config = tmp_path / "ssh_config"
    config.write_text(
        re.sub(rf"^Host {board.host}\b(?!-)", f"Host pi4 {board.host}", board.ssh_config.read_text(), flags=re.M)
    )
    assert "Host pi4 " in config.read_text()
    targets = place / "configs/targets.yaml"  # the emulated board has two cores
    targets.write_text(targets.read_text().replace("cores: 0-3", "cores: 0-1").replace("threads: 4", "threads: 2"))
    (tmp_path / "bin").mkdir()
    ssh = f'exec "{shutil.which("ssh")}" -F "{config}" "$@"'
    for name, words in (("ssh", ssh), ("benchpact", f'exec "{sys.executable}" -m bench "$@"')):
        (tmp_path / "bin" / name).write_text(f"#!/bin/sh\n{words}\n")
        (tmp_path / "bin" / name).chmod(0o755)
    path = os.pathsep.join([str(tmp_path / "bin"), str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = {**os.environ, "PATH": path, "PYTHONPATH": str(place), "NO_COLOR": "1"}
    board.ssh("rm -rf ~/.cache/benchpact")
    for command, codes in commands(PAGE):
        done = subprocess.run(
            ["bash", "-c", command], cwd=place, env=environment, capture_output=True, text=True, timeout=TIMEOUT_S,
            check=False,
        )  # fmt: skip
        assert done.returncode in codes, f"$ {command}\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr
    assert board.ssh("ls -A ~/.cache").stdout == ""


def test_the_page_shows_every_step() -> None:
    shown = " ".join(command for command, _ in commands(PAGE))
    for words in ("device probe", "device prepare", "smoke", "run", "device clean", "device wheels", "--wheelhouse"):
        assert f"benchpact {words}" in shown or words in shown, words

    assert commands(PAGE)[0][0] == "ssh pi4 true"
