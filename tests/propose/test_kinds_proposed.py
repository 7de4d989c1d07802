"""``init`` for every kind of artifact: the demo model in each, and what has to be filled in by hand."""

from __future__ import annotations

import hashlib
import re
import shutil
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from bench.__main__ import main
from bench.artifacts import kind_of
from bench.contract.check import check
from bench.contract.load import load
from bench.contract.model import Contract
from bench.propose import limits, propose
from bench.propose.text import FEW
from bench.stats.sequential import fewest
from tests.propose import onnx_models as models
from tests.propose.onnx_models import FLOAT

DIGITS = Path(__file__).parents[2] / "configs" / "digits"


def written(folder: Path, name: str, measure: bool = False) -> tuple[Contract, str]:
    """The contract proposed for a file in the folder, loaded, without anything wrong in it, and its text."""
    text = propose(folder / name, measure=measure)
    (folder / "contract.yaml").write_text(text)
    contract = load(folder / "contract.yaml")
    assert [str(problem) for problem in check(contract).problems] == []
    return contract, text


@pytest.mark.parametrize("name", ["digits.onnx", "digits.pt2", "digits.xml"])
def test_an_artifact_that_tells_its_tensors_gives_a_whole_contract(tmp_path: Path, name: str) -> None:
    for file in DIGITS.glob("digits.*"):
        shutil.copy(file, tmp_path)
    contract, text = written(tmp_path, name)
    assert (contract.batch_dim, dict(contract.dims), contract.parameters) == ("batch", {}, 9930)
    assert [one.spec.shape for one in contract.inputs] == [("batch", 1, 8, 8)]
    assert [(one.dtype, one.shape) for one in contract.outputs] == [("float32", ("batch", 10))]
    assert [artifact.kind for artifact in contract.artifacts] == [kind_of(tmp_path / name)]
    assert [len(artifact.companions) for artifact in contract.artifacts] == [int(name == "digits.xml")]
    assert all(sha256 for artifact in contract.artifacts for _, sha256 in artifact.companions)
    assert "`outputs`:" not in text


def test_a_torchscript_archive_gives_names_and_says_what_is_missing(tmp_path: Path) -> None:
    shutil.copy(DIGITS / "digits.ts.pt", tmp_path)
    contract, text = written(tmp_path, "digits.ts.pt")
    assert contract.parameters == 9930
    assert len(contract.inputs) == 1
    assert "# TO DO: `inputs`: TorchScript tells names" in text
    assert "# TO DO: `outputs`: the artifact does not tell them" in text
    assert "limits could not be proposed" in text


class Mixed(torch.nn.Module):
    """Takes a tensor, plain numbers, and what no contract can hold."""

    def forward(
        self, x: torch.Tensor, gain: float, count: int, flag: bool, h: torch.Tensor | None = None
    ) -> torch.Tensor:
        return x * gain + count if flag else x


def scripted(folder: Path) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.jit.save(torch.jit.script(Mixed()), str(folder / "m.pt"))
    return folder / "m.pt"


def test_plain_numbers_of_a_scripted_model_are_scalars_and_what_is_left_out_is_said(tmp_path: Path) -> None:
    contract, text = written(tmp_path, scripted(tmp_path).name)
    assert [(one.spec.name, one.spec.dtype, one.spec.shape) for one in contract.inputs] == [
        ("x", "float32", (1,)),
        ("gain", "float32", ()),
        ("count", "int64", ()),
        ("flag", "bool", ()),
    ]
    left_out = "`forward` also takes `h` (Optional), which is neither a tensor nor a number: it is left out here"
    assert f"# TO DO: `inputs`: {left_out}" in text


def test_the_scripted_model_runs_as_it_is_proposed(tmp_path: Path) -> None:
    model = scripted(tmp_path)
    arrays: dict[str, Any] = {
        "x": np.ones((4, 3), np.float64),
        "gain": np.float32(2),
        "count": np.int64(1),
        "flag": np.bool_(True),
    }
    np.savez(tmp_path / "s.npz", **arrays)
    text = propose(model, samples=tmp_path / "s.npz", measure=False)
    text = text.replace("output: {dtype: float32, shape: []}", "output: {dtype: float64, shape: [batch, 3]}")
    text = text.replace("limits:\n", "limits:\n  single-stream: {latency p50: 10 s, processes: 1}\n", 1)
    (tmp_path / "contract.yaml").write_text(text)
    assert main(["run", str(tmp_path / "contract.yaml"), "-q", "--results", str(tmp_path / "results")]) == 0


def test_samples_name_the_inputs_where_nothing_else_does(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    save_file({"w": torch.ones(3, 4)}, tmp_path / "m.safetensors")
    np.savez(tmp_path / "s.npz", image=np.zeros((5, 2, 8), np.float16), rate=np.int64(4))
    text = propose(tmp_path / "m.safetensors", samples=tmp_path / "s.npz", measure=False)
    assert "  image: {dtype: float16, shape: [batch, 2, 8]}\n  rate: {dtype: int64, shape: []}\n" in text


def test_a_state_alone_asks_for_the_code_that_builds_its_module(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    save_file({"w": torch.ones(3, 4)}, tmp_path / "m.safetensors")
    (tmp_path / "my_model.py").write_text("def build():\n    raise AssertionError('nothing here runs it')\n")
    _, text = written(tmp_path, "m.safetensors")
    assert "# TO DO: `factory`: weights alone cannot run" in text
    assert "  parameters: 12 " in text


def test_external_weights_are_named_beside_the_model(tmp_path: Path) -> None:
    import onnx

    source = onnx.load(str(models.dense(tmp_path / "inner.onnx", 64, ["batch", 64])))
    onnx.save_model(source, str(tmp_path / "m.onnx"), save_as_external_data=True, location="w.bin", size_threshold=0)
    contract, _ = written(tmp_path, "m.onnx")
    digest = hashlib.sha256((tmp_path / "w.bin").read_bytes()).hexdigest()
    assert [(path.name, sha256) for path, sha256 in contract.artifacts[0].companions] == [("w.bin", digest)]


def test_limits_are_proposed_from_a_measurement_with_headroom(tmp_path: Path) -> None:
    model = models.average(tmp_path / "m.onnx", {"x": ["batch", 8]}, ["batch"])
    contract, text = written(tmp_path, model.name, measure=True)
    wanted = {one.id for one in contract.targets[0].limits.requirements}
    assert wanted == {
        "single-stream latency p50",
        "single-stream latency p99",
        "single-stream peak memory",
        "offline throughput",
        "cold-start cold start",
        "cold-start load time",
        "artifact size",
    }
    assert text.count("proposed: measured") == 6
    assert "\n    processes:" not in text
    assert f"as decide at an error rate of 1 %: {fewest()} or more" in text
    assert all(one.adaptive for one in contract.targets[0].limits.scenarios)


@pytest.mark.parametrize("given", [False, True])
def test_a_model_that_answered_no_number_is_said_to_be_one(tmp_path: Path, given: bool) -> None:
    nodes: list[Any] = [("Neg", ["x"], ["z"], {}), ("Log", ["z"], ["y"], {})]
    model = models.save(tmp_path / "m.onnx", nodes, {"x": (FLOAT, ["batch", 4])}, {"y": (FLOAT, ["batch", 4])})
    np.savez(tmp_path / "s.npz", x=np.ones((8, 4), np.float32))
    told: list[str] = []
    text = propose(model, samples=tmp_path / "s.npz" if given else None, tell=told.append)
    wanted = "give --samples that it answers" if given else "set the ranges to values that really occur"
    (remark,) = [one for one in told if "`y` was not a number (NaN) in all queries" in one]
    assert wanted in remark and f"# TO DO: {remark}" in text


def test_few_processes_are_proposed_with_a_comment_where_a_start_takes_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "SLOW_START_NS", 1)
    model = models.average(tmp_path / "m.onnx", {"x": ["batch", 8]}, ["batch"])
    contract, text = written(tmp_path, model.name, measure=True)
    found = [(one.adaptive, one.processes) for one in contract.targets[0].limits.scenarios]
    assert found == [(False, FEW)] * 3
    assert len(re.findall(r"processes: 3 +# a quick look: a process takes [\d.]+ m?s to start\n", text)) == 3
    assert "# TO DO: 3 processes promise no error rate. To gate on the answer take `processes: 3` out:\n" in text


def test_a_dtype_that_no_contract_can_hold_is_named(tmp_path: Path) -> None:
    from onnx import TensorProto

    from bench.errors import ContractError

    model = models.save(
        tmp_path / "m.onnx",
        [("Identity", ["x"], ["y"], {})],
        {"x": (TensorProto.STRING, ["batch"])},
        {"y": (TensorProto.STRING, ["batch"])},
        {"unused": np.ones(1, np.float32)},
    )
    with pytest.raises(ContractError, match="`x` is string, which cannot be measured"):
        propose(model)
