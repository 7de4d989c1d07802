"""Weights counted from an ONNX file's bytes alone agree with what the onnx package reads."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from backends import onnx_arithmetic, onnx_weights
from bench.conformance import onnx_examples

TYPES = {
    "float32": TensorProto.FLOAT,
    "float16": TensorProto.FLOAT16,
    "int8": TensorProto.INT8,
    "int64": TensorProto.INT64,
}
TENSORS = st.lists(st.tuples(st.sampled_from(sorted(TYPES)), st.lists(st.integers(0, 5), max_size=3), st.booleans()))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tensors=TENSORS)
def test_every_initialiser_is_counted_whatever_way_it_is_stored(
    tmp_path: Path, tensors: list[tuple[str, list[int], bool]]
) -> None:
    kept, counts = [], Counter[str]()
    for index, (dtype, shape, raw) in enumerate(tensors):
        array = np.ones(shape, dtype)
        name = f"w{index}"
        values = array.view(np.uint16) if dtype == "float16" else array
        kept.append(
            numpy_helper.from_array(array, name)
            if raw
            else helper.make_tensor(name, TYPES[dtype], shape, array.ravel().tolist())
        )
        counts[dtype] += values.size
    end = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])
    graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "g", [end], [], kept)
    path = tmp_path / "model.onnx"
    onnx.save(helper.make_model(graph), path)
    assert onnx_weights.weight_dtypes(path) == dict(counts)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(min_size=1, max_size=300), cut=st.integers(1, 3000))
def test_no_bytes_make_it_raise(tmp_path: Path, data: bytes, cut: int) -> None:
    whole = onnx_examples(tmp_path)[0].model.artifacts["onnx"].read_bytes()
    path = tmp_path / "broken.onnx"
    for broken in (data, whole[: cut % len(whole) or 1], whole[: cut % len(whole)] + data):
        path.write_bytes(broken)
        onnx_weights.weight_dtypes(path)
        onnx_arithmetic.arithmetic(path)


def graph(path: Path, nodes: list[str], weights: dict[str, str]) -> Path:
    """Nodes as ``Operator in,in out``, a cast's type behind its name; x is float16, each weight has 6 numbers."""
    made = []
    for kind, inputs, output in map(str.split, nodes):
        name, _, to = kind.partition(":")
        attributes: dict[str, Any] = {"to": TYPES[to]} if to else {}
        made.append(helper.make_node(name, inputs.split(","), [output], **attributes))
    end = helper.make_tensor_value_info("x", TensorProto.FLOAT16, [1])
    kept = [numpy_helper.from_array(np.ones((2, 3), dtype), name) for name, dtype in weights.items()]
    onnx.save(helper.make_model(helper.make_graph(made, "g", [end], [], kept)), path)
    return path


@pytest.mark.parametrize(
    ("nodes", "weights", "computed"),
    [
        (["MatMul x,w y"], {"w": "float16"}, {"float16": 6}),
        (["Cast:float32 w v", "Cast:float32 x z", "MatMul z,v y"], {"w": "float16"}, {"float32": 6}),
        (["Transpose w t", "Cast:float32 t v", "MatMul x,v y"], {"w": "float16"}, {"float32": 6}),
        (["Relu x r", "Cast:float32 r z", "Exp z e", "Neg e y"], {}, {"float16": 1, "float32": 2}),
        (["Shape x s", "Reshape x,s y"], {}, {}),
        (["Gather w,w g", "DequantizeLinear g,q y"], {"w": "int8", "q": "float32"}, {"float32": 6}),
    ],
)
def test_a_graph_computes_in_what_its_weights_are_used_in(
    tmp_path: Path, nodes: list[str], weights: dict[str, str], computed: dict[str, int]
) -> None:
    assert onnx_arithmetic.arithmetic(graph(tmp_path / "m.onnx", nodes, weights)) == computed
