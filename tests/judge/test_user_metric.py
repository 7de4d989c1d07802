"""The user's own metric in a real process: what it returns, and every way in which it can fail."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import psutil
import pytest

from bench.judge.user_metric import compute
from tests.reliability.watching import ROOT, gone, soon

LABELS = np.array([0, 1, 1, 0])
OUTPUTS = {"logits": np.array([[2.0, 1.0], [0.0, 1.0], [3.0, 0.0], [1.0, 0.0]]), "odd/name": np.arange(4)}
CODE = """
import json, os, sys, time
import numpy as np
from helper import weight

def error(outputs, labels):
    print("a print that must not matter")
    wrong = outputs["logits"].argmax(axis=1) != labels
    assert set(outputs) == {"logits", "odd/name"}
    return weight * wrong.mean()

def plain(outputs, labels): return 3
def scalar(outputs, labels): return np.array(0.25, dtype=np.float16)
def raises(outputs, labels): return outputs["scores"]
def crashes(outputs, labels): os.abort()
def leaves(outputs, labels): sys.exit("no GPU here")
def hangs(outputs, labels):
    open("hanging", "w").close()
    time.sleep(600)

def nothing(outputs, labels): return None
def text(outputs, labels): return "0.5"
def truth(outputs, labels): return True
def row(outputs, labels): return np.array([0.5])
def nan(outputs, labels): return float("nan")
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "mine.py").write_text(CODE)
    (tmp_path / "own" / "helper.py").write_text("weight = 2.0\n")
    (tmp_path / "own" / "json.py").write_text("def five(outputs, labels): return 5\n")
    (tmp_path / "own" / "kit").mkdir()
    (tmp_path / "own" / "kit" / "__init__.py").write_text("")
    (tmp_path / "own" / "kit" / "deep.py").write_text(
        "from . import __name__ as name\ndef one(o, l): return len(name)\n"
    )
    (tmp_path / "outside.py").write_text("def one(outputs, labels): return 1\n")
    (tmp_path / "own" / "link.py").symlink_to(tmp_path / "outside.py")
    return tmp_path / "own"


@pytest.mark.parametrize(
    ("entry", "value"),
    [("mine:error", 0.5), ("mine:plain", 3.0), ("mine:scalar", 0.25), ("kit.deep:one", 3.0), ("json:five", 5.0)],
)
def test_the_function_gets_outputs_and_labels_and_its_number_comes_back(folder: Path, entry: str, value: float) -> None:
    assert compute(entry, folder, OUTPUTS, LABELS) == value


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("mine:raises", "`mine:raises` failed: KeyError: 'scores'"),
        ("mine:crashes", "ended its process without an answer"),
        ("mine:leaves", "without an answer; its last words: no GPU here"),
        ("mine:nothing", "returned a NoneType: make it return one finite number"),
        ("mine:text", "returned a str"),
        ("mine:truth", "returned a bool"),
        ("mine:row", "returned a ndarray"),
        ("mine:nan", "returned nan"),
        ("mine:absent", "has no attribute 'absent'"),
        ("absent:one", "the contract's folder has no absent.py"),
        ("os:getcwd", "the contract's folder has no os.py"),
        ("link:one", "the contract's folder has no link.py"),
    ],
)
def test_a_function_that_gives_no_number_is_one_clear_sentence(folder: Path, entry: str, message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        compute(entry, folder, OUTPUTS, LABELS)
    assert "\n" not in str(caught.value)


def test_a_function_that_hangs_is_ended_at_the_deadline(folder: Path) -> None:
    with pytest.raises(ValueError, match=r"`mine:hangs` did not answer within 1.5 s"):
        compute("mine:hangs", folder, OUTPUTS, LABELS, timeout_s=1.5)


def test_a_function_that_hangs_does_not_outlive_whoever_asked_for_it(folder: Path) -> None:
    asks = f"from tests.judge.test_user_metric import *; compute('mine:hangs', Path({str(folder)!r}), OUTPUTS, LABELS)"
    with subprocess.Popen([sys.executable, "-c", asks], cwd=ROOT) as asking:
        host = psutil.Process(asking.pid)
        assert soon(lambda: bool(host.children()) and Path(host.children()[0].cwd(), "hanging").exists())
        (metric,) = host.children()
        asking.kill()
        assert soon(lambda: gone(metric.pid))
