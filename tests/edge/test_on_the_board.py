"""From nothing to a verdict on a real aarch64 Linux without internet: probe, prepare twice, smoke, run, clean."""

from __future__ import annotations

import importlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.__main__ import main
from bench.conformance import onnx_examples
from bench.remote.command import CONFIG
from bench.results import CaseResult
from bench.store import open_run
from tests.backends.tflite_model import tflite_examples
from tests.board.boards import Board
from tests.board.wheels import wheelhouse

CONTRACT = """\
benchpact: 1
model: {name: mlp, version: "1"}
artifacts: {onnx: {path: mlp.onnx}, tflite: {path: mlp.tflite}}
inputs: {x: {dtype: float32, shape: [batch, 8]}}
outputs: {y: {dtype: float32, shape: [batch, 4]}}
batch: batch
validation: {samples: samples.npz, predictions: predictions.npz}
limits:
  single-stream: {latency p50: 10 s, peak memory: 300 MiB, time: 300 ms, min time: 50 ms, processes: 1}
  agreement: {max abs difference: 1e-5}
targets: {here: , emulated: , lite: }
"""
SITE = """\
targets:
  here: {{backend: onnxruntime}}
  emulated: {{host: {host}, backend: onnxruntime, cores: 0-1}}
  lite: {{host: {host}, backend: litert, cores: 0-1}}
"""


@pytest.fixture
def place(board: Board, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with a contract and a site whose target is the board; the board is clean before and after."""
    onnx_examples(tmp_path)
    tflite_examples(tmp_path)
    np.savez(tmp_path / "samples.npz", x=np.random.default_rng(1).normal(size=(64, 8)).astype(np.float32))
    predict(tmp_path)
    (tmp_path / "contract.yaml").write_text(CONTRACT)
    (tmp_path / "targets.yaml").write_text(SITE.format(host=board.host))
    monkeypatch.setenv(CONFIG, str(board.ssh_config))
    monkeypatch.chdir(tmp_path)
    board.ssh("rm -rf ~/.cache/benchpact")
    yield tmp_path
    board.ssh("rm -rf ~/.cache/benchpact")


def predict(folder: Path, off_by: float = 0.0) -> None:
    """Reference predictions: what ONNX Runtime answers on this machine; one of them is off by so much."""
    onnxruntime: Any = importlib.import_module("onnxruntime")
    session = onnxruntime.InferenceSession(folder / "mlp.onnx", providers=["CPUExecutionProvider"])
    with np.load(folder / "samples.npz") as samples:
        (y,) = session.run(["y"], {"x": samples["x"]})
    y[7, 2] += off_by
    np.savez(folder / "predictions.npz", y=y)


def said(words: list[str], code: int, capsys: pytest.CaptureFixture[str]) -> str:
    """What a command says, in one line, once it ended as it should."""
    found = main(words)
    told = capsys.readouterr()
    assert found == code, told.out + told.err
    return " ".join((told.out + told.err).split())


def figure(case: CaseResult, metric: str) -> float:
    (found,) = [one.value for one in case.figures if one.metric == metric]
    assert found is not None
    return float(found)


@pytest.mark.timeout(3600)  # many logins to an emulated machine, perhaps beside other work
def test_from_nothing_to_a_verdict_and_back(place: Path, board: Board, capsys: pytest.CaptureFixture[str]) -> None:
    site = ["--targets", "targets.yaml"]
    everything = "find ~ -xdev ! -path ~/.cache | sort"  # the folder of all caches may stay, with nothing of ours in it
    before = board.ssh(everything).stdout

    told = said(["device", "probe", "emulated", *site, "--json", "board.json"], 3, capsys)
    assert "2 × Cortex-A72 (0-1)" in told and "aarch64" in told and "it is emulated (qemu)" in told
    (lacks,) = re.findall("it cannot run (.*?) yet: benchpact device prepare emulated", told)
    assert set(lacks.split(" and ")) == {"onnxruntime", "litert"}
    facts = json.loads((place / "board.json").read_text())
    assert (facts["machine"], facts["emulated"], facts["libc"]["kind"]) == ("aarch64", True, "glibc")
    assert 900 << 20 < facts["memory_bytes"] < 1 << 30

    told = said(["smoke", "contract.yaml", *site, "--on", "emulated"], 3, capsys)
    assert "benchpact device prepare emulated" in told

    prepare = ["device", "prepare", "emulated", *site, "--wheelhouse", str(wheelhouse())]
    told = said(prepare, 0, capsys)
    assert "emulated is prepared: " in told and "onnxruntime 1." in told and "ai-edge-litert 2." in told
    assert "nothing was done" in said(prepare, 0, capsys)
    assert "onnxruntime 1." in said(["device", "probe", "emulated", *site], 0, capsys)

    told = said(["smoke", "contract.yaml", *site, "--on", "emulated"], 0, capsys)
    assert "measured on an emulated board" in told and "3 met" in told

    told = said(["run", "contract.yaml", *site], 0, capsys)
    assert "measured on an emulated board" in told
    cases = {case.target: case for case in open_run("latest", place / "results").cases}
    assert cases.keys() == {"here", "emulated", "lite"}
    for name in ("emulated", "lite"):
        (one,) = cases[name].process_runs
        assert one.machine["arch"] == "aarch64"
        assert one.memory is not None and 20 << 20 < (one.memory.peak_bytes or 0) < 200 << 20
        assert figure(cases[name], "max abs difference") < 1e-5

    # Whether the board answers what x86 answered is judged: one prediction that is off is a miss, and by how much.
    predict(place, off_by=0.01)
    told = said(["smoke", "contract.yaml", *site, "--on", "emulated"], 1, capsys)
    assert "max abs difference" in told and "missed" in told
    (case,) = open_run("latest", place / "results").cases
    assert figure(case, "max abs difference") == pytest.approx(0.01, rel=0.01)

    assert "freed" in said(["device", "clean", "emulated", *site], 0, capsys)
    assert board.ssh(everything).stdout == before
    assert not board.processes()
