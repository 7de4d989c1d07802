"""What is installed beside this program cannot end it, hold it up, or open a gate, unless a contract names it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from bench.__main__ import main
from tests.run.backends_on_path import offer
from tests.run.test_run_command import make_model

CONTRACT = """\
benchpact: 1
model: {name: nothing, version: "1"}
artifacts:
  KIND: {path: model.onnx}
inputs: {x: {dtype: float32, shape: [batch, 3], range: [0, 1]}}
outputs: {y: {dtype: float32, shape: [batch, 3]}}
batch: batch
limits:
  single-stream: {latency p50: 1 s, processes: 1, time: 50 ms, min time: 10 ms}
targets:
  a: BACKEND
"""
AT_IMPORT = {
    "quits": "import sys\nsys.exit(0)\n",
    "ends": "import os\nos._exit(0)\n",
    "sleeps": "import time\ntime.sleep(1000)\n",
    "raises": "raise RuntimeError('no licence')\n",
    "garbled": "def (\n",
    "shapeless": "class Adapter: pass\n",
    "one_word": (
        "class Adapter:\n    artifact_kinds = ('onnx',)\n    options = {'program': 'what runs'}\n    packages = ()\n"
        "    concurrent_runs = False\n    code_options = ('program')\n    probe = open = None\n"
    ),
    "no_options": (
        "class Adapter:\n    artifact_kinds = ('onnx',)\n    options = None\n    packages = ()\n"
        "    concurrent_runs = False\n    probe = open = None\n"
    ),
    "odd_option": (
        "class Adapter:\n    artifact_kinds = ('onnx',)\n    options = {'level': 3}\n    packages = ()\n"
        "    concurrent_runs = False\n    probe = open = None\n"
    ),
    "undecided": (
        "class Adapter:\n    artifact_kinds = ('onnx',)\n    options = {}\n    packages = ()\n"
        "    concurrent_runs = False\n    probe = open = None\n"
        "    def conflict(self, model, settings):\n        raise RuntimeError('one\\ntwo')\n"
    ),
    "own_kind": (
        "class Adapter:\n    artifact_kinds = ('own-kind',)\n    options = {}\n    packages = ()\n"
        "    concurrent_runs = False\n    probe = open = None\n"
    ),
}


class Place:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        site = folder / "site"
        self.environment = offer(site, {name.replace("_", "-"): f"foreign_{name}:Adapter" for name in AT_IMPORT})
        for name, text in AT_IMPORT.items():
            (site / f"foreign_{name}.py").write_text(f"open({str(folder / name)!r}, 'w').close()\n{text}")
        make_model(folder / "model.onnx")

    def bench(self, *words: str, backend: str = "onnxruntime", kind: str = "onnx") -> subprocess.CompletedProcess[str]:
        text = CONTRACT.replace("BACKEND", backend).replace("KIND", kind)
        (self.folder / "contract.yaml").write_text(text)
        return subprocess.run(
            [sys.executable, "-m", "bench", *words],
            cwd=self.folder, env=self.environment, capture_output=True, text=True, timeout=100, check=False,
        )  # fmt: skip

    def imported(self) -> set[str]:
        return {name for name in AT_IMPORT if (self.folder / name).exists()}


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_a_backend_that_no_target_names_is_never_imported(place: Place) -> None:
    done = place.bench("check", "contract.yaml")
    assert (done.returncode, "nothing wrong" in done.stdout) == (0, True), done.stderr
    done = place.bench("run", "contract.yaml", "-q")
    assert done.returncode == 0, done.stderr
    assert place.imported() == set()


@pytest.mark.parametrize(
    ("backend", "reason"),
    [
        ("quits", "SystemExit: 0"),
        ("raises", "RuntimeError: no licence"),
        ("garbled", "SyntaxError: "),
        ("shapeless", "it is no adapter: it has no `artifact_kinds`"),
        ("one-word", "its `code_options` is 'program': it must be a tuple of words"),
        ("no-options", "its `options` is None: it must be a dictionary"),
        ("odd-option", "its option 'level' is declared as 3: it must be a OneOf, Count, Size or a line of help"),
    ],
)
def test_a_named_backend_that_does_not_load_is_missing_with_its_reason(place: Place, backend: str, reason: str) -> None:
    done = place.bench("check", "contract.yaml", backend=backend)
    assert (done.returncode, done.stderr) == (3, "")
    assert f"backend `{backend}` (foreign_{backend.replace('-', '_')}:Adapter) does not load: {reason}" in done.stdout
    done = place.bench("run", "contract.yaml", "-q", backend=backend)
    assert done.returncode == 3, done.stderr
    assert "Traceback" not in done.stderr


def test_no_worker_opens_what_declares_nonsense(place: Place) -> None:
    """Without its comma ``("program")`` names no option: nobody would have asked for --allow-code."""
    done = place.bench("run", "contract.yaml", backend="one-word")
    assert done.returncode == 3, done.stderr
    assert "does not load: its `code_options` is 'program': it must be a tuple" in " ".join(done.stdout.split())


def test_a_backend_whose_conflict_fails_is_told_and_stands_in_nobodys_way(place: Place) -> None:
    """It is the adapter's mistake, not the contract's: what it does not take, ``open`` says."""
    done = place.bench("check", "contract.yaml", backend="undecided")
    assert (done.returncode, done.stderr) == (0, "")
    assert "`undecided` cannot tell whether it takes what target `a` asks for: its `conflict` failed" in done.stdout
    assert "RuntimeError: one two" in done.stdout


def test_a_kind_of_artifact_is_taken_where_a_named_backend_takes_it(place: Place) -> None:
    done = place.bench("check", "contract.yaml", backend="own-kind", kind="own-kind")
    assert done.returncode == 0, done.stdout + done.stderr
    assert place.imported() == {"own_kind"}


def test_a_kind_that_only_a_backend_takes_that_is_not_named_is_a_problem(place: Place) -> None:
    done = place.bench("check", "contract.yaml", kind="own-kind")
    assert done.returncode == 2
    assert "contract.yaml:4:3: `artifacts`: `own-kind` is not a kind of artifact that a target's backend" in done.stderr
    assert place.imported() == set()


def test_an_exit_from_within_is_never_the_program_s_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.commands.contracts.check_contract", lambda *_: sys.exit(0))
    assert main(["check", "contract.yaml"]) == 3
    assert main(["--version"]) == 0


def test_init_takes_our_own_backend_before_a_foreign_one_that_likes_the_kind_as_well(tmp_path: Path) -> None:
    """The foreign one's name comes first, and its probe would end whoever asks it in its own process."""
    site = tmp_path / "site"
    environment = offer(site, {"a-first": "foreign_first:Adapter"})
    (site / "foreign_first.py").write_text(
        "class Adapter:\n    artifact_kinds = ('onnx',)\n    options = {}\n    packages = ()\n"
        "    concurrent_runs = False\n    open = None\n    def probe(self):\n        raise SystemExit('no')\n"
    )
    make_model(tmp_path / "model.onnx")
    done = subprocess.run(
        [sys.executable, "-m", "bench", "init", "model.onnx", "--no-measure", "-o", "contract.yaml"],
        cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    text = (tmp_path / "contract.yaml").read_text()
    assert "backend: onnxruntime" in text
    assert "a-first" not in text
