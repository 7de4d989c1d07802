"""The same case here and over SSH to this machine's own sshd: nothing but the launcher may differ."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from bench.remote.command import CONFIG
from tests.speed import contracts
from tests.speed.edge import native
from tests.speed.lines import Line, compared
from tests.speed.rounds import take_turns
from tests.speed.subjects import ROOT

ROUNDS, MOST_TIMES, TIME = 7, 1.05, "2 s"
SSH, HERE = "over SSH to this machine's own sshd", "here"
CONTRACT = """\
benchpact: 1
model: {{name: digits, version: "1"}}
artifacts: {{onnx: {{path: '{model}'}}}}
inputs: {{image: {{dtype: float32, shape: [batch, 1, 8, 8]}}}}
outputs: {{logits: {{dtype: float32, shape: [batch, 10]}}}}
batch: batch
limits: {{single-stream: {{latency p50: 1 s, processes: 1, time: {time}}}}}
targets:
  one: {{backend: onnxruntime, device: cpu, threads: 1, precision: fp32, residency: host, cores: {core}{where}}}
"""


def measure() -> dict[str, list[float]]:
    """The case's p50 (ns) of one process a round, in turns, on the same core."""
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        with native.boards(folder / "native", ["near"]):
            environment = {**os.environ, CONFIG: str(folder / "native" / "config")}
            there = f", host: near, python: {sys.executable}"
            sides = {
                SSH: partial(p50_ns, _contract(folder / "there", there), environment),
                HERE: partial(p50_ns, _contract(folder / "here", ""), environment),
            }
            return take_turns(sides, ROUNDS, 0)


def _contract(folder: Path, where: str) -> Path:
    folder.mkdir()
    model, core = ROOT / "configs" / "digits" / "digits.onnx", max(os.sched_getaffinity(0))
    (folder / model.name).write_bytes(model.read_bytes())
    path = folder / "contract.yaml"
    path.write_text(CONTRACT.format(model=model.name, time=TIME, core=core, where=where))
    return path


def p50_ns(contract: Path, environment: Mapping[str, str], _: float) -> float:
    """Of one run of the contract, which has one case."""
    (case,) = contracts.run(contract, environment).stored.cases
    (found,) = [one.value for one in case.figures if one.metric == "latency p50"]
    if found is None:
        raise RuntimeError(f"{contract}: {case.case} has no p50")
    return float(found)


def lines(found: Mapping[str, Sequence[float]]) -> list[Line]:
    """Either side may be so much above the other."""
    what = "p50 of the digits model, one thread, on one core"
    return [
        compared(f"{what}: {SSH}, beside {HERE}", found[SSH], found[HERE], MOST_TIMES),
        compared(f"{what}: {HERE}, beside {SSH}", found[HERE], found[SSH], MOST_TIMES),
    ]
