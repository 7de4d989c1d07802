"""The model's name, version and framework in a contract, against what the artifact's maker wrote into it."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

from bench import artifacts
from bench.contract.check import check
from bench.contract.load import load
from bench.propose import propose

CONTRACT = """\
benchpact: 1
model: {name: Digits CNN, version: 1.2.0, framework: pytorch, framework version: 2.13.0, parameters: 0}
artifacts: {onnx: {path: model.onnx}}
inputs: {x: {dtype: float32, shape: [batch, 3], range: [0, 1]}}
outputs: {y: {dtype: float32, shape: [batch, 3]}}
batch: batch
limits: {single-stream: {latency p50: 9 s}}
targets: {a: {backend: "null"}}
"""


OTHER_RELEASE = "its framework is pytorch 2.1.0, the contract says 2.13.0"


def save(folder: Path, said: dict[str, str], number: int = 0, producer: str = "") -> Path:
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", 3]) for name in "xy")
    graph = helper.make_graph([helper.make_node("Abs", ["x"], ["y"])], "g", [x], [y])
    opsets = [helper.make_opsetid("", 17)]
    made = helper.make_model(graph, opset_imports=opsets, ir_version=8, producer_name=producer, model_version=number)
    helper.set_model_props(made, said)
    onnx.save(made, folder / "model.onnx")
    return folder / "model.onnx"


def noted(folder: Path) -> list[str]:
    contract = folder / "contract.yaml"
    contract.write_text(CONTRACT)
    found = check(load(contract))
    assert found.problems == ()
    return [one.partition(" artifact says that ")[2] for one in found.notices if "artifact says that" in one]


@pytest.mark.parametrize(
    ("said", "number", "told"),
    [
        ({}, 0, []),
        ({"name": "digits-cnn", "version": "v1.2.0", "framework": "torch", "framework_version": "2.13.0+cpu"}, 1, []),
        ({"model_name": "letters"}, 0, ["the model is `letters`, the contract says `Digits CNN`"]),
        ({"Model Version": "1.3.0"}, 0, ["the model's version is 1.3.0, the contract says 1.2.0"]),
        ({}, 1, []),
        ({}, 7, ["the model's version is 7, the contract says 1.2.0"]),
        ({"version": "1.2.0"}, 7, []),
        ({"framework": "tensorflow"}, 0, ["its framework is tensorflow, the contract says pytorch"]),
        ({"framework": "pytorch", "framework_version": "2.1.0"}, 0, [OTHER_RELEASE]),
        ({"framework-version": "2.1.0"}, 0, [OTHER_RELEASE]),
        ({"name": "two\nlines", "version": "", "framework": "x" * 100}, 0, []),
    ],
)
def test_each_word_is_compared_where_the_artifact_tells_it(
    tmp_path: Path, said: dict[str, str], number: int, told: list[str]
) -> None:
    save(tmp_path, said, number)
    assert noted(tmp_path) == told


def test_what_a_converter_wrote_is_no_framework_but_what_the_maker_said_is(tmp_path: Path) -> None:
    save(tmp_path, {"framework": "tensorflow"}, producer="onnxruntime")
    assert noted(tmp_path) == ["its framework is tensorflow, the contract says pytorch"]


def test_an_artifact_that_says_nothing_tells_nothing(tmp_path: Path) -> None:
    facts = artifacts.read("onnx", save(tmp_path, {}))
    assert (facts.told.name, facts.told.version, facts.told.number) == (None, None, None)


def test_init_takes_the_words_that_the_artifact_tells(tmp_path: Path) -> None:
    said = {"name": "letters", "version": "3.1", "framework": "sklearn", "framework_version": "1.5"}
    text = propose(save(tmp_path, said, number=2), measure=False)
    contract = tmp_path / "contract.yaml"
    contract.write_text(text)
    loaded = load(contract)
    assert (loaded.name, loaded.version) == ("letters", "3.1")
    assert (loaded.framework, loaded.framework_version) == ("scikit-learn", "1.5")
    assert not [one for one in check(loaded).notices if "artifact says that" in one]


def test_init_says_which_words_are_left_to_the_user(tmp_path: Path) -> None:
    text = propose(save(tmp_path, {}), measure=False)
    assert 'version: "1"' in text and "TO DO: yours" in text
    assert "compares each of these with the artifact where that tells it too" in text
