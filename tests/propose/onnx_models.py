"""Small ONNX models, each awkward in one way that is ordinary in the field."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from onnx import ModelProto, TensorProto, helper, numpy_helper

FLOAT, INT64, FLOAT16, BOOL = TensorProto.FLOAT, TensorProto.INT64, TensorProto.FLOAT16, TensorProto.BOOL


def save(
    path: Path,
    nodes: Sequence[Any],
    inputs: Mapping[str, tuple[int, Sequence[Any] | None]],
    outputs: Mapping[str, tuple[int, Sequence[Any] | None]],
    stored: dict[str, Any] | None = None,
) -> Path:
    """Write a model; ``nodes`` are (op, inputs, outputs, attributes)."""
    graph = helper.make_graph(
        [helper.make_node(op, list(takes), list(gives), **more) for op, takes, gives, more in nodes],
        "g",
        [helper.make_tensor_value_info(name, *spec) for name, spec in inputs.items()],
        [helper.make_tensor_value_info(name, *spec) for name, spec in outputs.items()],
        [numpy_helper.from_array(np.asarray(array), name) for name, array in (stored or {}).items()],
    )
    made: ModelProto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    path.write_bytes(made.SerializeToString())
    return path


def dense(path: Path, width: int, inputs: Sequence[Any] = ("batch", None), dtype: int = FLOAT) -> Path:
    """``y = x @ w``: a free dimension that takes one value only."""
    kind = np.float16 if dtype == FLOAT16 else np.float32
    return save(
        path,
        [("MatMul", ["x", "w"], ["y"], {})],
        {"x": (dtype, inputs)},
        {"y": (dtype, [inputs[0], 3])},
        {"w": np.ones((width, 3), kind)},
    )


def average(path: Path, inputs: Mapping[str, Sequence[Any]], output: Sequence[Any]) -> Path:
    """The sum of all inputs, averaged over everything behind the first axis."""
    names = list(inputs)
    nodes: list[Any] = [("Sum", names, ["all"], {})]
    nodes.append(("ReduceMean", ["all"], ["y"], {"axes": list(range(1, len(inputs[names[0]]))), "keepdims": 0}))
    return save(path, nodes, {name: (FLOAT, shape) for name, shape in inputs.items()}, {"y": (FLOAT, output)})


def lookup(path: Path, rows: int) -> Path:
    """Token ids, a mask, and a table of ``rows`` rows: larger ids are refused."""
    nodes: list[Any] = [
        ("Gather", ["table", "ids"], ["rows"], {}),
        ("Cast", ["attention_mask"], ["mask"], {"to": FLOAT}),
        ("Unsqueeze", ["mask", "two"], ["column"], {}),
        ("Mul", ["rows", "column"], ["y"], {}),
    ]
    inputs = {"ids": (INT64, ["batch", "tokens"]), "attention_mask": (INT64, ["batch", "tokens"])}
    return save(
        path,
        nodes,
        inputs,
        {"y": (FLOAT, ["batch", "tokens", 4])},
        {"table": np.ones((rows, 4), np.float32), "two": np.array([2])},
    )


def recurrent(path: Path, names: tuple[str, str] = ("h", "hn")) -> Path:
    """``h_next = tanh(x + h)``, the batch unnamed everywhere."""
    fed, source = names
    nodes: list[Any] = [
        ("Add", ["x", fed], ["sum"], {}),
        ("Tanh", ["sum"], [source], {}),
        ("Identity", [source], ["y"], {}),
    ]
    return save(
        path,
        nodes,
        {"x": (FLOAT, [None, 8]), fed: (FLOAT, [None, 8])},
        {"y": (FLOAT, [None, 8]), source: (FLOAT, [None, None])},
    )
