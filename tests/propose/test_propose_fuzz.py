"""``init`` on small models of every odd kind: a contract that ``check`` takes, or one clear line."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper

from bench.contract.check import check
from bench.contract.grammar import DTYPES
from bench.contract.load import load
from bench.errors import BenchError
from bench.propose import propose

ELEMENTS = [getattr(TensorProto, {"float32": "FLOAT", "float64": "DOUBLE"}.get(one, one.upper())) for one in DTYPES]
ODD = (
    "x",
    "true",
    "1.5",
    "a: b # c",
    "größe",
    "[0]",
    "- x",
    " lead",
    "tab\there",
    "\u2028",
    "long" * 60,
    "n",
    "?",
    "...",
)
NAMES = st.sampled_from(ODD) | st.text(st.characters(codec="utf-8"), min_size=1, max_size=8)
SIZES = st.sampled_from([None, "?", "n", "batch", "seq_len", "0", "2*n", 1, 2, 3, 7, 0, -1]) | NAMES
SHAPES = st.none() | st.lists(SIZES, max_size=4)
TENSORS = st.tuples(st.sampled_from(ELEMENTS), SHAPES)
SIDES = st.dictionaries(NAMES, TENSORS, min_size=1, max_size=3)


def write(path: Path, inputs: dict[str, Any], told: list[bool], foreign: bool) -> None:
    """Each input goes straight to an output, whose shape is told or not."""
    outputs = {f"{name}_out": (kind, shape if tell else None) for (name, (kind, shape)), tell in zip(
        inputs.items(), told, strict=False)}  # fmt: skip
    operator = "NoSuchOperator" if foreign else "Identity"
    graph = helper.make_graph(
        [helper.make_node(operator, [name], [f"{name}_out"]) for name in inputs],
        "g",
        [helper.make_tensor_value_info(name, *spec) for name, spec in inputs.items()],
        [helper.make_tensor_value_info(name, *spec) for name, spec in outputs.items()],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    path.write_bytes(made.SerializeToString())


def proposed_or_refused(inputs: dict[str, Any], told: list[bool], foreign: bool) -> None:
    """Anything but a clean contract or one line raises."""
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / "m.onnx"
        write(model, inputs, told, foreign)
        try:
            text = propose(model, measure=False)
        except BenchError as error:
            message = str(error)
            assert message.startswith(str(model))
            assert message.isprintable(), message
            return
        (Path(folder) / "contract.yaml").write_text(text, encoding="utf-8")
        contract = load(Path(folder) / "contract.yaml")
        assert [str(problem) for problem in check(contract).problems] == []
        assert [one.spec.name for one in contract.inputs] == list(inputs)
        assert [spec.name for spec in contract.outputs] == [f"{name}_out" for name in inputs]


MODELS = {"inputs": SIDES, "told": st.lists(st.booleans(), min_size=3, max_size=3), "foreign": st.booleans()}


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(**MODELS)
def test_untried_models_give_a_contract_or_one_line(
    monkeypatch: pytest.MonkeyPatch, inputs: dict[str, Any], told: list[bool], foreign: bool
) -> None:
    monkeypatch.setattr("bench.propose.backend_for", lambda kind: ("", "none here"))
    proposed_or_refused(inputs, told, foreign)


@settings(deadline=None, max_examples=6)
@given(**MODELS)
def test_models_that_are_run_give_a_contract_or_one_line(
    inputs: dict[str, Any], told: list[bool], foreign: bool
) -> None:
    proposed_or_refused(inputs, told, foreign)
