"""Small graphs for providers that stand in for a GPU."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

SCALE = 3.0


def saved(path: Path, nodes: list[Any], x: list[Any], y: list[Any], tensors: list[Any] | None = None) -> dict[str, Any]:
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in (("x", x), ("y", y))]
    graph = helper.make_graph(nodes, "g", ends[:1], ends[1:], tensors or [])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return {"model": str(path), "inputs": {"x": x}, "outputs": {"y": y}}


def scaling(folder: Path) -> dict[str, Any]:
    """``y = relu(3 x)`` over 64 values a sample."""
    scale = numpy_helper.from_array(np.full((64, 64), 0, np.float32) + np.eye(64, dtype=np.float32) * SCALE, "w")
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["h"], name="scale"),
        helper.make_node("Relu", ["h"], ["y"], name="relu"),
    ]
    return saved(folder / "scaling.onnx", nodes, ["batch", 64], ["batch", 64], [scale])


def working(folder: Path) -> dict[str, Any]:
    """Eight layers of 256: work that takes a software device tens of milliseconds."""
    rng, layers, size = np.random.default_rng(1), 8, 256
    tensors = [
        numpy_helper.from_array((rng.standard_normal((size, size)) / 16).astype(np.float32), f"w{at}")
        for at in range(layers)
    ]
    names = ["x", *(f"h{at}" for at in range(1, layers)), "y"]
    nodes = [helper.make_node("MatMul", [names[at], f"w{at}"], [names[at + 1]], name=f"m{at}") for at in range(layers)]
    return saved(folder / "working.onnx", nodes, ["batch", size], ["batch", size], tensors)


def mixed(folder: Path) -> dict[str, Any]:
    """A graph with one node, ``det``, that no provider but the CPU's has."""
    nodes = [
        helper.make_node("Abs", ["x"], ["a"], name="abs"),
        helper.make_node("Softmax", ["a"], ["s"], name="softmax"),
        helper.make_node("Det", ["s"], ["d"], name="det"),
        helper.make_node("Relu", ["d"], ["y"], name="relu"),
    ]
    return saved(folder / "mixed.onnx", nodes, [1, 4, 4], [1])
