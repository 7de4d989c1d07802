"""An engine in a contract: which file is loaded is said by its SHA-256, for loading it may run what is in it."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest

from bench.contract.check import check
from bench.contract.load import load
from bench.errors import ContractError

CONTRACT = """\
benchpact: 1
model: {name: m, version: 1}
artifacts:
  tensorrt-engine: {path: m.plan}
inputs: {x: {dtype: float32, shape: [batch, 8]}}
outputs: {y: {dtype: float32, shape: [batch, 4]}}
batch: batch
limits: {single-stream: {latency p50: 1 s}}
targets:
  trt: {backend: tensorrt, device: "cuda:0"}
"""


@pytest.fixture
def engine(tmp_path: Path) -> str:
    (tmp_path / "m.plan").write_bytes(b"an engine")
    return hashlib.sha256(b"an engine").hexdigest()


def told(folder: Path, text: str) -> list[str]:
    path = folder / "contract.yaml"
    path.write_text(text)
    return [str(one).removeprefix(f"{path}:") for one in check(load(path)).problems]


def test_an_engine_without_its_sha256_is_refused_and_with_it_taken(tmp_path: Path, engine: str) -> None:
    (problem,) = told(tmp_path, CONTRACT)
    assert problem.startswith(
        "4:27: `m.plan` is a `tensorrt-engine`: loading it may run what is in it, so tensorrt takes"
    )
    assert problem.endswith("add what `sha256sum m.plan` prints")
    whole = CONTRACT.replace("{path: m.plan}", f"{{path: m.plan, sha256: {engine}}}")
    assert told(tmp_path, whole) == []
    (tmp_path / "m.plan").write_bytes(b"another engine")
    (problem,) = told(tmp_path, whole)
    assert "is not the file that was handed over" in problem


def test_nothing_is_loaded_without_it(tmp_path: Path, engine: str) -> None:
    (tmp_path / "contract.yaml").write_text(CONTRACT)
    command = [sys.executable, "-m", "bench", "run", "contract.yaml"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 2
    assert "takes it only with its `sha256` in the contract" in " ".join((done.stdout + done.stderr).split())
    assert not (tmp_path / "results").exists()


def test_the_variant_that_takes_no_engines_refuses_the_kind(tmp_path: Path, engine: str) -> None:
    text = CONTRACT.replace("backend: tensorrt", "backend: tensorrt-rtx")
    with pytest.raises(
        ContractError, match="`tensorrt-engine` is not a kind of artifact that a target's backend takes"
    ):
        told(tmp_path, text)
