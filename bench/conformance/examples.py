"""Small models with their queries and right answers, computed by numpy alone; written as ONNX files where asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.device.adapter import Arrays, ModelFiles, Query, Settings, TensorSpec

BATCH = "batch"
OPSET, IR_VERSION = 17, 8
"""Old enough for every framework of the last years."""


@dataclass(frozen=True)
class Example:
    """A model, queries for it in order, and the right answer to each.

    With state, the queries are one sequence from zeros. ``rtol`` and ``atol`` bound how far
    floating-point outputs may be off; all others must be equal.
    """

    name: str
    model: ModelFiles
    queries: tuple[Query, ...]
    answers: tuple[Arrays, ...]
    settings: Settings = field(default_factory=Settings)
    batch_dim: str | None = BATCH
    rtol: float = 1e-4
    atol: float = 1e-5

    def with_artifacts(self, artifacts: Mapping[str, Path], **settings: Any) -> Example:
        """The same model in other files, or run with other settings."""
        files = replace(self.model, artifacts=dict(artifacts))
        return replace(self, model=files, settings=replace(self.settings, **settings))


def weights(name: str, *shape: int) -> NDArray[np.float32]:
    """The same small weights for the same name everywhere."""
    rng = np.random.default_rng(list(name.encode()))
    return np.asarray(rng.standard_normal(shape) / np.sqrt(shape[0]), np.float32)


def mlp() -> Example:
    """Two layers, and batches of 1, 2 and 7."""
    first, bias, second = weights("first", 8, 16), weights("bias", 16), weights("second", 16, 4)

    def answer(x: Any) -> Arrays:
        return {"y": np.maximum(x @ first + bias, 0) @ second}

    return _example("mlp", [("x", "float32", (BATCH, 8))], [("y", "float32", (BATCH, 4))], answer, (1, 2, 7))


def mixed() -> Example:
    """Several inputs and outputs of several dtypes, one a scalar."""
    inputs = [
        ("a", "int64", (BATCH, 3)),
        ("b", "int32", (BATCH, 3)),
        ("flag", "bool", (BATCH, 3)),
        ("half", "float16", (BATCH, 3)),
        ("k", "int64", ()),
    ]
    outputs = [("total", "float32", (BATCH, 3)), ("scaled", "int64", (BATCH, 3)), ("inverse", "bool", (BATCH, 3))]

    def answer(a: Any, b: Any, flag: Any, half: Any, k: Any) -> Arrays:
        scaled = (a + b) * k
        return {"total": np.where(flag, scaled, 0) + half.astype(np.float32), "scaled": scaled, "inverse": ~flag}

    return _example("mixed", inputs, [*outputs, ("again", "float16", (BATCH, 3))], _doubling(answer), (1, 3))


def recurrent() -> Example:
    """A recurrent cell whose hidden state comes back: a sequence of four queries of two samples."""
    inward, around, outward = weights("inward", 4, 6), weights("around", 6, 6), weights("outward", 6, 3)
    hidden = np.zeros((2, 6), np.float32)

    def answer(x: Any) -> Arrays:
        nonlocal hidden
        hidden = np.tanh(x @ inward + hidden @ around)
        return {"y": hidden @ outward, "h_out": hidden}

    inputs = [("x", "float32", (BATCH, 4)), ("h", "float32", (BATCH, 6))]
    outputs = [("y", "float32", (BATCH, 3)), ("h_out", "float32", (BATCH, 6))]
    return _example("recurrent", inputs, outputs, answer, (2, 2, 2, 2), state={"h": "h_out"})


def wide() -> Example:
    """Two layers of 1024, in batches of 256: work enough for several threads, weights enough to miss."""
    first, second = weights("wide", 1024, 1024), weights("wider", 1024, 1024)

    def answer(x: Any) -> Arrays:
        return {"y": np.maximum(x @ first, 0) @ second}

    return _example("wide", [("x", "float32", (BATCH, 1024))], [("y", "float32", (BATCH, 1024))], answer, (256,))


def onnx_examples(folder: Path) -> list[Example]:
    """``mlp``, ``mixed`` and ``recurrent`` as ONNX files in ``folder``."""
    layers = {"first": (8, 16), "bias": (16,), "second": (16, 4)}
    return [
        _written(mlp(), folder, _mlp_nodes("first", "second", "bias"), layers),
        _written(mixed(), folder, _mixed_nodes(), {}),
        _written(recurrent(), folder, _recurrent_nodes(), {"inward": (4, 6), "around": (6, 6), "outward": (6, 3)}),
    ]


def wide_onnx_example(folder: Path) -> Example:
    """``wide`` as an ONNX file in ``folder``."""
    return _written(wide(), folder, _mlp_nodes("wide", "wider"), {"wide": (1024, 1024), "wider": (1024, 1024)})


Tensors = Sequence[tuple[str, str, tuple[int | str, ...]]]


def _example(
    name: str,
    inputs: Tensors,
    outputs: Tensors,
    answer: Callable[..., Arrays],
    batches: Sequence[int],
    state: Mapping[str, str] | None = None,
) -> Example:
    """Draw queries of these batch sizes and answer them in order."""
    rng = np.random.default_rng(7)
    model = ModelFiles(
        {}, tuple(TensorSpec(*one) for one in inputs), tuple(TensorSpec(*one) for one in outputs), state or {}
    )
    fed = [spec for spec in model.inputs if spec.name not in model.state]
    queries = tuple(Query({spec.name: _draw(rng, spec, batch) for spec in fed}, batch) for batch in batches)
    return Example(name, model, queries, tuple(answer(**query.arrays) for query in queries))


def _draw(rng: np.random.Generator, spec: TensorSpec, batch: int) -> NDArray[Any]:
    shape = [batch if size == BATCH else int(size) for size in spec.shape]
    kind = np.dtype(spec.dtype).kind
    drawn = rng.standard_normal(shape) if kind == "f" else rng.integers(0, 2 if kind == "b" else 9, shape)
    return np.asarray(drawn).astype(spec.dtype)


def _doubling(answer: Callable[..., Arrays]) -> Callable[..., Arrays]:
    def doubled(**arrays: Any) -> Arrays:
        return {**answer(**arrays), "again": arrays["half"] + arrays["half"]}

    return doubled


Nodes = Sequence[tuple[str, Sequence[str], str]]
"""(operator, inputs, output); ``Cast:TYPE`` is a cast."""


def _mlp_nodes(first: str, second: str, bias: str | None = None) -> Nodes:
    middle: Nodes = [("Add", ["m", bias], "sum")] if bias else [("Identity", ["m"], "sum")]
    return [("MatMul", ["x", first], "m"), *middle, ("Relu", ["sum"], "r"), ("MatMul", ["r", second], "y")]


def _mixed_nodes() -> Nodes:
    return [
        ("Cast:INT64", ["b"], "b64"),
        ("Add", ["a", "b64"], "sum"),
        ("Mul", ["sum", "k"], "scaled"),
        ("Sub", ["sum", "sum"], "nothing"),
        ("Where", ["flag", "scaled", "nothing"], "kept"),
        ("Cast:FLOAT", ["kept"], "kept32"),
        ("Cast:FLOAT", ["half"], "half32"),
        ("Add", ["kept32", "half32"], "total"),
        ("Not", ["flag"], "inverse"),
        ("Add", ["half", "half"], "again"),
    ]


def _recurrent_nodes() -> Nodes:
    return [
        ("MatMul", ["x", "inward"], "in"),
        ("MatMul", ["h", "around"], "back"),
        ("Add", ["in", "back"], "sum"),
        ("Tanh", ["sum"], "h_out"),
        ("MatMul", ["h_out", "outward"], "y"),
    ]


def _written(example: Example, folder: Path, nodes: Nodes, tensors: Mapping[str, tuple[int, ...]]) -> Example:
    """The example with its model as an ONNX file."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    def info(spec: TensorSpec) -> Any:
        return helper.make_tensor_value_info(
            spec.name, helper.np_dtype_to_tensor_dtype(np.dtype(spec.dtype)), spec.shape
        )

    def node(operator: str, inputs: Sequence[str], output: str) -> Any:
        kind, _, to = operator.partition(":")
        return helper.make_node(kind, inputs, [output], **({"to": getattr(TensorProto, to)} if to else {}))

    graph = helper.make_graph(
        [node(*one) for one in nodes],
        example.name,
        [info(spec) for spec in example.model.inputs],
        [info(spec) for spec in example.model.outputs],
        [numpy_helper.from_array(weights(name, *shape), name) for name, shape in tensors.items()],
    )
    path = folder / f"{example.name}.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION), path)
    return example.with_artifacts({"onnx": path})
