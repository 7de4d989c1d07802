"""The block ``soak``: its words, its units, and what is wrong with others."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.contract.load import load
from bench.contract.model import Contract
from bench.contract.scenario_words import SETTINGS
from bench.errors import ContractError
from bench.plan import plan, without_disturbed

TEXT = """\
benchpact: 1
model: {name: m, version: "1"}
inputs: {x: {dtype: float32, shape: [batch, 3]}}
outputs: {y: {dtype: float32, shape: [batch, 3]}}
batch: batch
limits:
  soak: {SOAK}
targets: {a: "null"}
"""


def read(folder: Path, soak: str) -> Contract:
    path = folder / "contract.yaml"
    path.write_text(TEXT.replace("SOAK", soak))
    return load(path, None)


def test_its_words_become_one_long_process(tmp_path: Path) -> None:
    words = (
        "rate: 50/s, time: 2 h, memory growth: 1 MiB/h, latency drift: 5 %, frequency drop: 10 %, latency p99: 10 ms"
    )
    contract = read(tmp_path, words)
    (case,) = plan(contract).cases
    scenario = case.scenario
    assert (scenario.scenario, scenario.rate_per_s, scenario.processes) == ("soak", 50.0, 1)
    assert scenario.max_ns == 7200 * 10**9 and scenario.serves
    found = {one.metric: (one.unit, one.direction, one.limit) for one in case.requirements}
    assert found["memory growth"] == ("bytes_per_h", "at most", float(1 << 20))
    assert found["latency drift"] == ("ratio", "at most", 0.05)
    assert not without_disturbed(plan(contract)).cases[0].scenario.leave_out_disturbed


def test_it_lasts_ten_minutes_by_default(tmp_path: Path) -> None:
    (case,) = plan(read(tmp_path, "rate: 50/s, latency p99: 10 ms")).cases
    assert case.scenario.max_ns == 600 * 10**9


@pytest.mark.parametrize(
    ("soak", "told"),
    [
        ("memory growth: 1 MiB/h", "`soak` does not say how often queries arrive"),
        ("rate: 50/s, memory growth: 1 MiB", "did you mean `MiB/h`?"),
        ("rate: 50/s, memory growth: 0 B/h", "nothing keeps"),
        ("rate: 50/s, memory growth: 1 MiB/hour", "did you mean `MiB/h`?"),
        ("rate: 50/s, memory leak: 1 MiB/h", "did you mean `memory growth`?"),
        ("rate: 50k/s, time: 7000 s, latency p99: 1 ms", "write a lower `rate` or a shorter `time`"),
        ("rate: 50/s, processes: adaptive, latency p99: 1 ms", "`adaptive` is not a number of processes"),
        ("rate: 50/s", "`soak` asks for nothing: write limits like `{memory growth: 1 MiB/h}`"),
    ],
)
def test_what_is_wrong_is_told_with_what_is_right(tmp_path: Path, soak: str, told: str) -> None:
    with pytest.raises(ContractError) as raised:
        read(tmp_path, soak)
    assert told in str(raised.value)


def test_its_words_are_explained_as_it_takes_them() -> None:
    """A soak plays no trace, so its rate is not told to be instead of one."""
    (rate,) = [one for one in SETTINGS["soak"] if one.name == "rate"]
    assert "trace" not in {one.name for one in SETTINGS["soak"]}
    assert "trace" not in rate.help


def test_its_metrics_belong_there(tmp_path: Path) -> None:
    path = tmp_path / "contract.yaml"
    path.write_text(TEXT.replace("soak: {SOAK}", "single-stream: {memory growth: 1 MiB/h}"))
    with pytest.raises(ContractError) as raised:
        load(path, None)
    assert "it belongs into `soak`" in str(raised.value)
