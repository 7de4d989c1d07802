"""Shell completion, by a real bash that was given the script which ``benchpact completion bash`` prints."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def complete(line: str) -> list[str]:
    """What bash offers at the end of the line."""
    script = f"""
        eval "$(benchpact completion bash)"
        COMP_WORDS=({line}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))
        _benchpact_completion benchpact; printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    done = subprocess.run(
        ["bash", "-c", script], cwd=ROOT, env={**os.environ, "PATH": path}, capture_output=True, text=True, timeout=60,
        check=True,
    )  # fmt: skip
    return done.stdout.split()


def test_commands_and_options_are_completed() -> None:
    assert complete("benchpact re") == ["report"]
    assert "--time-budget" in complete("benchpact run --t")


def test_targets_are_completed_from_the_contract_on_the_line() -> None:
    assert complete("benchpact run configs/demo.yaml --on o") == ["ort-1", "ort-2", "openvino-1"]


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_the_other_shells_get_a_script(shell: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bench", "completion", shell], capture_output=True, text=True, timeout=60, check=True
    )
    assert "_BENCHPACT_COMPLETE" in done.stdout
