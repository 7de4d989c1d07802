"""From nothing to a verdict on a real aarch64 Linux without internet: probe, prepare twice, smoke, run, clean."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from bench.__main__ import main
from bench.remote.command import CONFIG
from bench.store import open_run
from tests.board.boards import Board
from tests.board.wheels import wheelhouse
from tests.run.test_run_command import make_model

CONTRACT = """\
benchpact: 1
model: {name: absolute, version: "1"}
artifacts: {onnx: {path: model.onnx}}
inputs: {x: {dtype: float32, shape: [batch, 3]}}
outputs: {y: {dtype: float32, shape: [batch, 3]}}
batch: batch
validation: {samples: samples.npz, predictions: predictions.npz}
limits:
  single-stream: {latency p50: 10 s, peak memory: 300 MiB, time: 300 ms, min time: 50 ms, processes: 2}
  agreement: {max abs difference: 1e-5}
targets: {emulated: }
"""


@pytest.fixture
def place(board: Board, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with a contract and a site whose target is the board; the board is clean before and after."""
    make_model(tmp_path / "model.onnx")
    samples = np.random.default_rng(1).normal(size=(16, 3)).astype(np.float32)
    np.savez(tmp_path / "samples.npz", x=samples)
    np.savez(tmp_path / "predictions.npz", y=np.abs(samples))
    (tmp_path / "contract.yaml").write_text(CONTRACT)
    (tmp_path / "targets.yaml").write_text(
        f"targets:\n  emulated: {{host: {board.host}, backend: onnxruntime, cores: 0-1}}\n"
    )
    monkeypatch.setenv(CONFIG, str(board.ssh_config))
    monkeypatch.chdir(tmp_path)
    board.ssh("rm -rf ~/.cache/benchpact")
    yield tmp_path
    board.ssh("rm -rf ~/.cache/benchpact")


def said(words: list[str], code: int, capsys: pytest.CaptureFixture[str]) -> str:
    """What a command says, in one line, once it ended as it should."""
    found = main(words)
    told = capsys.readouterr()
    assert found == code, told.out + told.err
    return " ".join((told.out + told.err).split())


@pytest.mark.timeout(3600)  # many logins to an emulated machine, perhaps beside other work
def test_from_nothing_to_a_verdict_and_back(place: Path, board: Board, capsys: pytest.CaptureFixture[str]) -> None:
    site = ["--targets", "targets.yaml"]
    everything = "find ~ -xdev ! -path ~/.cache | sort"  # the folder of all caches may stay, with nothing of ours in it
    before = board.ssh(everything).stdout

    told = said(["device", "probe", "emulated", *site, "--json", "board.json"], 3, capsys)
    assert "2 × Cortex-A72 (0-1)" in told and "aarch64" in told and "it is emulated (qemu)" in told
    assert "it cannot run onnxruntime yet: benchpact device prepare emulated" in told
    facts = json.loads((place / "board.json").read_text())
    assert (facts["machine"], facts["emulated"], facts["libc"]["kind"]) == ("aarch64", True, "glibc")
    assert 900 << 20 < facts["memory_bytes"] < 1 << 30

    told = said(["smoke", "contract.yaml", *site], 3, capsys)
    assert "benchpact device prepare emulated" in told

    prepare = ["device", "prepare", "emulated", *site, "--wheelhouse", str(wheelhouse())]
    told = said(prepare, 0, capsys)
    assert "emulated is prepared: numpy " in told and "onnxruntime 1." in told
    assert "nothing was done" in said(prepare, 0, capsys)
    assert "onnxruntime 1." in said(["device", "probe", "emulated", *site], 0, capsys)

    told = said(["smoke", "contract.yaml", *site], 0, capsys)
    assert "measured on an emulated board" in told and "3 met" in told
    told = said(["run", "contract.yaml", *site], 0, capsys)
    assert "measured on an emulated board" in told
    case = open_run("latest", place / "results").cases[0]
    assert {one.machine["arch"] for one in case.process_runs} == {"aarch64"}
    assert all(
        one.memory is not None and 20 << 20 < (one.memory.peak_bytes or 0) < 200 << 20 for one in case.process_runs
    )

    assert "freed" in said(["device", "clean", "emulated", *site], 0, capsys)
    assert board.ssh(everything).stdout == before
    assert not board.processes()
