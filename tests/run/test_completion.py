"""Shell completion, by a real bash that was given the script which ``benchpact completion bash`` prints."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.store.runs import FIRST, stored_run

ROOT = Path(__file__).parents[2]


def complete(line: str, folder: Path = ROOT) -> list[str]:
    """What bash offers at the end of the line; its words are split, quotes and all, as readline does."""
    words = " ".join(shlex.quote(word) for word in re.findall(r"(?:\\.|'[^']*'?|[^\s=\\])+|=|(?<=\s)$", line))
    script = f"""
        eval "$(benchpact completion bash)"
        COMP_WORDS=({words}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))
        _benchpact_completion benchpact; printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        ["bash", "-c", script], cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stderr == "", "it would stand in the middle of what is typed"
    return [line for line in done.stdout.splitlines() if line]


def test_a_shell_that_asks_is_answered_with_success() -> None:
    asked = {"_BENCHPACT_COMPLETE": "bash_complete", "COMP_WORDS": "benchpact re", "COMP_CWORD": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "bench"],
        cwd=ROOT, env={**os.environ, **asked}, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, "plain,report\n", "")


def test_commands_and_options_are_completed() -> None:
    assert complete("benchpact re") == ["report"]
    assert "--time-budget" in complete("benchpact run --t")


def test_targets_are_completed_from_the_contract_on_the_line() -> None:
    assert complete("benchpact run configs/demo.yaml --on o") == ["ort-1", "openvino-1"]
    assert complete("benchpact profile configs/demo.yaml --on o") == ["ort-1", "openvino-1"]


CONTRACT = """\
benchpact: 1
model: {name: nothing, version: "1"}
limits: {single-stream: {latency p99: 5 ms, throughput: 1/s}}
targets: {pi4: , here: {backend: "null", limits: {cold-start: {cold start: 2 s}}}}
"""


@pytest.fixture
def lab(tmp_path: Path) -> Path:
    """A folder without a site's targets file, and a contract that names one that no file describes."""
    (tmp_path / "contract.yaml").write_text(CONTRACT)
    return tmp_path


@pytest.mark.parametrize("option", ["--targets lab.yaml", "--targets=lab.yaml"])
def test_a_targets_file_before_the_contract_is_not_taken_for_it(lab: Path, option: str) -> None:
    (lab / "lab.yaml").write_text("targets: {pi4: {backend: onnxruntime}, other: {backend: onnxruntime}}\n")
    assert complete(f"benchpact run {option} contract.yaml --on ", lab) == ["pi4", "here"]
    assert complete(f"benchpact run --on pi4 {option} contract.yaml --on h", lab) == ["here"]


def test_where_no_contract_is_named_yet_the_sites_targets_are_offered(lab: Path) -> None:
    assert complete("benchpact run --on ", lab) == []
    (lab / "lab.yaml").write_text("targets: {pi4: {backend: onnxruntime}, other: {backend: onnxruntime}}\n")
    assert complete("benchpact run --targets lab.yaml --on ", lab) == ["pi4", "other"]
    assert "ort-1" in complete("benchpact run --on o")


def test_a_target_that_no_file_describes_is_offered_all_the_same(lab: Path) -> None:
    assert complete("benchpact run contract.yaml --on ", lab) == ["pi4", "here"]


def test_requirements_are_offered_as_bash_wants_them_typed(lab: Path) -> None:
    ids = ["single-stream latency p99", "single-stream throughput", "cold-start cold start"]
    assert complete("benchpact run contract.yaml --only ", lab) == [typed(one) for one in ids]
    assert complete(r"benchpact run contract.yaml --only single-stream\ la", lab) == [typed(ids[0])]
    assert complete("benchpact run contract.yaml --only 'single-stream la", lab) == [ids[0]]
    assert complete("benchpact run --only ", lab) == []


def typed(name: str) -> str:
    return name.replace(" ", "\\ ")


def test_what_is_no_contract_offers_nothing_and_says_nothing(lab: Path) -> None:
    (lab / "contract.yaml").write_bytes(b"\xff{")
    for option in ("--on", "--only"):
        assert complete(f"benchpact run contract.yaml {option} ", lab) == []
        assert complete(f"benchpact run nowhere.yaml {option} ", lab) == []


def test_runs_are_offered_from_the_folder_on_the_line(lab: Path) -> None:
    run = stored_run(lab / "kept", FIRST)
    assert complete("benchpact report --results kept l", lab) == ["latest"]
    assert complete("benchpact run contract.yaml --results kept --resume ", lab) == ["latest", run.name]


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_the_other_shells_get_a_script(shell: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bench", "completion", shell], capture_output=True, text=True, timeout=60, check=True
    )
    assert "_BENCHPACT_COMPLETE" in done.stdout


def test_axes_of_a_sweep_are_completed_and_those_on_the_line_are_left_out() -> None:
    assert complete("benchpact sweep configs/demo.yaml --over t") == ["threads="]
    assert complete("benchpact sweep configs/demo.yaml --over threads=1,2 --over s") == ["streams="]
    assert complete("benchpact sweep configs/demo.yaml --over threads=1 --over t") == []
    assert complete("benchpact sweep configs/demo.yaml batch=1..4 t") == ["threads="]


def test_an_axis_is_not_taken_for_the_contract() -> None:
    for line in (
        "configs/demo.yaml --over threads=1",
        "--over threads=1 configs/demo.yaml",
        "batch=1 configs/demo.yaml",
    ):
        assert complete(f"benchpact sweep {line} --on o") == ["ort-1", "openvino-1"]
