"""ONNX: every tensor a model stores, and which of them its nodes multiply by."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bench.artifacts.facts import ArtifactError
from bench.artifacts.parameters import Count, Stored, in_graph

if TYPE_CHECKING:
    from onnx import FunctionProto, GraphProto, ModelProto, NodeProto, TensorProto

MAX_GRAPHS = 10_000
_COMPARED_BYTES = 4096
_MERGED_ELEMENTS = 1024
"""PyTorch's exporter keeps equal tensors of up to so many elements once (onnx_ir, initializer_deduplication)."""
_MULTIPLY = frozenset(("Conv", "ConvTranspose", "MatMul", "Gemm", "LSTM", "GRU", "RNN")) | {
    *("ConvInteger", "MatMulInteger", "QLinearConv", "QLinearMatMul", "FusedConv", "FusedMatMul", "MatMulNBits"),
}
_UNPACK = frozenset(("Identity", "Cast", "Transpose", "Reshape", "Squeeze", "Unsqueeze", "DequantizeLinear"))
_FACTORS = 4
"""Inputs of a node among which its factors are; behind them are biases and first states."""
_RUNNING = {"BatchNormalization": (3, 4)}
"""Inputs that hold what a normalisation keeps and does not learn."""
_DTYPES = {"float": "float32", "double": "float64"}


def graphs(model: ModelProto, path: Path) -> Iterator[GraphProto | FunctionProto]:
    """The graph, its functions, and the graphs inside them."""
    waiting: list[GraphProto | FunctionProto] = [model.graph, *model.functions]
    seen = 0
    while waiting:
        graph = waiting.pop()
        seen += 1
        if seen > MAX_GRAPHS:
            raise ArtifactError(f"{path}: has more than {MAX_GRAPHS} graphs in its graph")
        yield graph
        for node in graph.node:
            waiting += _subgraphs(node)


def tensors(graph: GraphProto | FunctionProto) -> Iterator[tuple[str, TensorProto]]:
    """Every tensor that one graph stores, initializers and constants, by the name its nodes have for it."""
    for initializer in getattr(graph, "initializer", ()):  # a function has none
        yield initializer.name, initializer
    for node in graph.node:
        if node.op_type == "Constant" and node.output:
            yield from ((node.output[0], one.t) for one in node.attribute if one.HasField("t"))


def dtype_of(path: Path, name: str, number: int) -> str:
    """The numpy name of an element type; the format's own name, in lower case, where numpy has none."""
    from onnx import TensorProto

    try:
        word: str = TensorProto.DataType.Name(number).lower()
    except ValueError:
        word = "undefined"
    if word == "undefined":
        raise ArtifactError(f"{path}: `{name}` has no known element type ({number}); is the file damaged?")
    return _DTYPES.get(word, word)


def parameters(model: ModelProto, path: Path) -> Count:
    """What the stored tensors tell; ``path`` is the model's, whose external data are known to be there.

    Names are looked at over all graphs at once: one of another graph that is called the same only widens
    the range.
    """
    all_graphs = list(graphs(model, path))
    nodes = [node for graph in all_graphs for node in graph.node]
    uses, running = _uses(nodes)
    factors, packed = _factors(nodes), _packed(nodes)
    found = []
    for name, tensor in (one for graph in all_graphs for one in tensors(graph)):
        shape = packed.get(name, tuple(tensor.dims))
        copies = max(uses[name], int(name not in running))
        found.append(
            Stored(
                dtype_of(path, name, tensor.data_type),
                shape,
                _content(path, tensor),
                copies if math.prod(shape) <= _MERGED_ELEMENTS else min(1, copies),
                name in factors,
            )
        )
    return in_graph(found)


def _uses(nodes: Iterable[NodeProto]) -> tuple[Counter[str], set[str]]:
    """How often a name is used, but as a running figure; and the names that are used as one."""
    uses: Counter[str] = Counter()
    running: set[str] = set()
    for node in nodes:
        for index, name in enumerate(node.input):
            if index in _RUNNING.get(node.op_type, ()):
                running.add(name)
            else:
                uses[name] += 1
    return uses, running


def _factors(nodes: Sequence[NodeProto]) -> set[str]:
    """The names of what nodes multiply by, straight or unpacked by other nodes first."""
    made_by = {name: node for node in nodes for name in node.output}
    waiting = [name for node in nodes if node.op_type in _MULTIPLY for name in node.input[:_FACTORS]]
    seen: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        if name in made_by and made_by[name].op_type in _UNPACK:
            waiting += made_by[name].input[:1]
    return seen


def _packed(nodes: Iterable[NodeProto]) -> dict[str, tuple[int, int]]:
    """The shapes of matrices that are kept as several elements in a byte."""
    found = {}
    for node in nodes:
        told = {one.name: one.i for one in node.attribute}
        if node.op_type == "MatMulNBits" and len(node.input) > 1:
            found[node.input[1]] = (max(0, told.get("K", 0)), max(0, told.get("N", 0)))
    return found


def _content(path: Path, tensor: TensorProto) -> Hashable:
    """Equal for equal contents; of external data only the beginning is looked at."""
    from onnx import TensorProto

    told = {one.key: one.value for one in tensor.external_data}
    if tensor.data_location == TensorProto.EXTERNAL:
        with (path.resolve().parent / told["location"]).open("rb") as file:
            file.seek(int(told.get("offset", "0")))
            return tuple(tensor.dims), file.read(_COMPARED_BYTES)
    if tensor.HasField("raw_data"):
        return tuple(tensor.dims), hash(tensor.raw_data)
    unnamed = TensorProto()
    unnamed.CopyFrom(tensor)
    unnamed.ClearField("name")
    return tuple(tensor.dims), hash(unnamed.SerializeToString())


def _subgraphs(node: NodeProto) -> Iterator[GraphProto]:
    for one in node.attribute:
        if one.HasField("g"):
            yield one.g
        yield from one.graphs
