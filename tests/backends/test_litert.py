"""LiteRT: the promises of every adapter for TFLite models, and those of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backends.litert import LiteRtAdapter
from bench.artifacts import read
from bench.conformance import AdapterConformance, Example
from bench.device.adapter import AdapterError, ModelRejected, TensorSpec
from tests.backends.tflite_model import Graph, floats, quantized_example, tflite_examples, wide_tflite_example

LITERT = "backends.litert:LiteRtAdapter"


class TestLiteRt(AdapterConformance):
    adapter = LITERT

    def make_examples(self, folder: Path) -> Sequence[Example]:
        return [*tflite_examples(folder), quantized_example(folder)]

    def make_wide_example(self, folder: Path) -> Example:
        return wide_tflite_example(folder)


class TestLiteRtWithoutDelegate(AdapterConformance):
    adapter = LITERT

    def make_examples(self, folder: Path) -> Sequence[Example]:
        found = tflite_examples(folder)
        return [one.with_artifacts(one.model.artifacts, extra={"xnnpack": False}) for one in found]


@pytest.fixture
def mlp(tmp_path: Path) -> Example:
    return tflite_examples(tmp_path)[0]


def facts_of(example: Example, **settings: Any) -> dict[str, Any]:
    with LiteRtAdapter().open(example.model, replace(example.settings, **settings)) as session:
        return dict(session.facts())


def test_facts_say_whether_the_delegate_runs_and_how_much_of_the_graph(mlp: Example, tmp_path: Path) -> None:
    assert facts_of(mlp)["xnnpack"] == "takes 1 part of the graph"
    assert facts_of(mlp, extra={"xnnpack": False})["xnnpack"] == "off"
    graph = Graph()
    spec = TensorSpec("x", "bool", (4,))
    x = graph.tensor(spec)
    y = graph.operator("LOGICAL_NOT", [x], TensorSpec("y", "bool", (4,)))
    path = graph.save(tmp_path / "logic.tflite", [x], [y])
    model = replace(mlp.model, artifacts={"tflite": path}, inputs=(spec,), outputs=(TensorSpec("y", "bool", (4,)),))
    assert facts_of(replace(mlp, model=model))["xnnpack"] == "takes nothing of the graph"


def test_a_quantized_model_takes_and_gives_its_own_integers(tmp_path: Path) -> None:
    example = quantized_example(tmp_path)
    found = facts_of(example)
    assert found["weights"] == {"int8": 32, "int32": 4}
    floating = replace(example.model, inputs=(floats("x", "batch", 8),))
    with pytest.raises(ModelRejected, match="input `x` is int8 in the artifact, not float32"):
        facts_of(replace(example, model=floating))


def test_a_precision_that_the_graph_does_not_have_is_refused(mlp: Example) -> None:
    for word in ("fp16", "bf16"):
        with pytest.raises(ModelRejected, match=f"precision {word} was asked for, but the graph's is fp32"):
            facts_of(mlp, precision=word)


def test_inputs_elsewhere_than_on_the_host_are_refused(mlp: Example) -> None:
    with pytest.raises(AdapterError, match="residency"):
        facts_of(mlp, residency="device")


@pytest.mark.parametrize(
    ("change", "because"),
    [
        ({"inputs": (floats("other", "batch", 8),)}, "has no input `other`; it has x"),
        ({"outputs": (floats("z", "batch", 4),)}, "has no output `z`; it has y"),
        ({"inputs": (floats("x", "batch", 9),)}, r"has shape \[\?, 8\] in the artifact, not \[batch, 9\]"),
        ({"outputs": (floats("y", "batch", 4, 1),)}, "has shape"),
        ({"inputs": (floats("x", "batch", 8), floats("more", "batch"))}, "has no input `more`"),
    ],
)
def test_a_contract_of_another_model_is_refused(mlp: Example, change: dict[str, Any], because: str) -> None:
    with pytest.raises(ModelRejected, match=because):
        facts_of(replace(mlp, model=replace(mlp.model, **change)))


def test_what_litert_refuses_is_told_in_its_own_words(mlp: Example, tmp_path: Path) -> None:
    graph = Graph()
    x = graph.tensor(floats("x", 1, 8))
    y = graph.operator(
        "ADD", [x, graph.constant("more", np.zeros((1, 3), np.float32))], floats("y", 1, 8), "AddOptions"
    )
    path = graph.save(tmp_path / "unfit.tflite", [x], [y])
    model = replace(mlp.model, artifacts={"tflite": path}, inputs=(floats("x", 1, 8),), outputs=(floats("y", 1, 8),))
    with pytest.raises(ModelRejected, match=r"litert does not take unfit\.tflite: .*(roadcast|dims|shape)"):
        facts_of(replace(mlp, model=model))


def test_a_signatures_names_are_the_contracts(mlp: Example, tmp_path: Path) -> None:
    graph = Graph()
    x = graph.tensor(floats("serving_default_x:0", "batch", 8))
    y = graph.operator("TANH", [x], floats("PartitionedCall:0", "batch", 8))
    path = graph.save(tmp_path / "named.tflite", [x], [y], {x: "x", y: "y"})
    facts = read("tflite", path)
    assert facts.inputs == (floats("x", "x:0", 8),)
    assert facts.outputs == (floats("y", "y:0", 8),)
    model = replace(mlp.model, artifacts={"tflite": path}, outputs=(floats("y", "batch", 8),))
    with LiteRtAdapter().open(model, mlp.settings) as session:
        query = mlp.queries[2]
        found = session.read(session.run(session.stage(query)))
        np.testing.assert_allclose(found["y"], np.tanh(query.arrays["x"]), atol=1e-5)


def test_a_closed_session_runs_nothing(mlp: Example) -> None:
    with LiteRtAdapter().open(mlp.model, mlp.settings) as session:
        staged = session.stage(mlp.queries[0])
    with pytest.raises(AdapterError, match="closed"):
        session.run(staged)
