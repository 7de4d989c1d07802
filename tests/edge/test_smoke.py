"""``benchpact smoke``: a short run of the same cases, here and on a host over a real sshd."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from bench.__main__ import main
from bench.device.install import install
from bench.store import open_run
from tests.remote.sshd import HOST, Sshd

CONTRACT = f"""\
benchpact: 1
model: {{name: absolute, version: "1"}}
artifacts: {{onnx: {{path: model.onnx}}}}
inputs: {{x: {{dtype: float32, shape: [batch, 3]}}}}
outputs: {{y: {{dtype: float32, shape: [batch, 3]}}}}
batch: batch
validation: {{samples: samples.npz, predictions: predictions.npz}}
limits:
  single-stream: {{latency p50: LIMIT, peak memory: 4 GiB, time: 5 min}}
MORE
targets:
  here: {{backend: onnxruntime}}
  there: {{host: {HOST}, backend: onnxruntime, python: {sys.executable}}}
"""


@pytest.fixture
def contract(tmp_path: Path) -> Path:
    """A model with samples and the predictions that it should give."""
    from tests.run.test_run_command import make_model

    make_model(tmp_path / "model.onnx")
    samples = np.random.default_rng(1).normal(size=(32, 3)).astype(np.float32)
    np.savez(tmp_path / "samples.npz", x=samples)
    np.savez(tmp_path / "predictions.npz", y=np.abs(samples))
    return write(tmp_path)


def write(folder: Path, limit: str = "1 s", more: str = "") -> Path:
    path = folder / "contract.yaml"
    path.write_text(CONTRACT.replace("LIMIT", limit).replace("MORE", more))
    return path


def smoke(contract: Path, *words: str) -> int:
    return main(["smoke", str(contract), "--results", str(contract.parent / "results"), *words])


def test_a_host_is_looked_at_sent_to_measured_and_judged(
    contract: Path, sshd: Sshd, capsys: pytest.CaptureFixture[str]
) -> None:
    assert smoke(contract, "--on", "there") == 0
    said = capsys.readouterr()
    steps = [line.partition(": ")[2] for line in said.err.splitlines() if line.startswith("there: ")]
    wanted = ("reached: ", "ready: ", "sending ", "loading ", "measuring", "comparing outputs", "loaded in ",
              "max abs difference ", "latency p50 ", "peak memory ", "single-stream: 2 met")  # fmt: skip
    found = [next((at for at, step in enumerate(steps) if step.startswith(one)), None) for one in wanted]
    assert None not in found, steps
    assert found == sorted(found)  # type: ignore[type-var]
    assert "a smoke test" in said.out and "max abs difference" not in said.out  # shown, but nobody asked for it
    case = open_run("latest", contract.parent / "results").cases[0]
    assert len(case.process_runs) == 1
    assert case.settings["max_ns"] == 1_000_000_000


def test_a_board_that_only_the_site_names_is_measured(contract: Path, sshd: Sshd) -> None:
    written, there = contract.read_text(), f"{{host: {HOST}, backend: onnxruntime, python: {sys.executable}}}"
    contract.write_text("".join(line for line in written.splitlines(True) if not line.startswith("  there:")))
    (contract.parent / "targets.yaml").write_text(f"targets:\n  pi4: {there}\n")
    assert smoke(contract, "--on", "pi4") == 0
    assert open_run("latest", contract.parent / "results").cases[0].target == "pi4"


def test_a_missed_limit_is_missed_in_a_smoke_test_too(contract: Path) -> None:
    assert smoke(write(contract.parent, "1 ns"), "--on", "here") == 1


def test_outputs_that_differ_are_judged(contract: Path) -> None:
    np.savez(contract.parent / "predictions.npz", y=np.full((32, 3), 9.0, np.float32))
    assert smoke(write(contract.parent, more="  agreement: {max abs difference: 1e-5}"), "--on", "here") == 1


def test_a_host_that_cannot_run_it_says_what_to_do(
    contract: Path, sshd: Sshd, capsys: pytest.CaptureFixture[str]
) -> None:
    contract.write_text(contract.read_text().replace(f", python: {sys.executable}", ""))
    install([], sshd.home / "cache" / "benchpact", "0" * 24, {})  # nothing is in it
    assert smoke(contract, "--on", "there") == 3
    assert "benchpact device prepare there --backend onnxruntime" in capsys.readouterr().err
    assert not (contract.parent / "results").exists()


def test_a_soak_is_left_out(contract: Path, capsys: pytest.CaptureFixture[str]) -> None:
    more = "  soak: {latency p99: 1 s, rate: 50/s, time: 1 h}"
    assert smoke(write(contract.parent, more=more), "--on", "here") == 0
    said = capsys.readouterr().out
    assert "soak is left out" in " ".join(said.split())
    assert smoke(contract, "--on", "here", "--only", "soak*") == 2
