"""What a graph computes in, by its own nodes: the type in which each weight is used, casts followed.

Read from the file's bytes as ``onnx_weights`` does (NodeProto.input = 1, output = 2, op_type = 4, attribute = 5;
AttributeProto.name = 1, i = 3; ValueInfoProto.name = 1, type = 2; TypeProto.tensor_type = 1, its elem_type = 1).
"""

from __future__ import annotations

import mmap
from collections import Counter
from pathlib import Path
from typing import Dict, List, NamedTuple

from backends.onnx_weights import DTYPES, GRAPH, INITIALIZER, Span, fields, head, messages
from backends.precision import WORDS

NODE, GRAPH_INPUT, TENSOR_NAME = 1, 11, 8
CAST = "Cast"
MOVES = frozenset((
    "Concat", "Expand", "Flatten", "Gather", "GatherElements", "GatherND", "Identity", "Pad", "Reshape", "Slice",
    "Split", "Squeeze", "Tile", "Transpose", "Unsqueeze",
))  # fmt: skip
"""Operators that only move elements: their outputs have their input's type, and they compute nothing."""
WITHOUT = frozenset((
    "And", "ArgMax", "ArgMin", "ConstantOfShape", "Equal", "Greater", "GreaterOrEqual", "If", "IsInf", "IsNaN", "Less",
    "LessOrEqual", "Loop", "NonZero", "Not", "Or", "QuantizeLinear", "Scan", "Shape", "Size",
))  # fmt: skip
"""Operators whose outputs have another type than their floating-point input."""


class Node(NamedTuple):
    """One node; ``to`` is a cast's data type."""

    kind: str
    inputs: List[str]
    outputs: List[str]
    to: str


def arithmetic(path: Path) -> Dict[str, int]:
    """Number of weights by the floating-point type that the main graph's nodes use them in.

    Of nodes, where none uses a weight; empty where no node computes, or for what is no ONNX file. A node computes in
    the type of its first floating-point input. Nodes must be in the order in which they run, as ONNX demands.
    """
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        try:
            graph = next(messages(data, (0, len(data)), GRAPH))
            return _counted(data, graph)
        except (IndexError, StopIteration, ValueError):
            return {}


def _counted(data: mmap.mmap, graph: Span) -> Dict[str, int]:
    types: Dict[str, str] = {}
    sizes: Dict[str, int] = {}
    by_weight: Dict[str, int] = Counter()
    by_node: Dict[str, int] = Counter()
    for span in messages(data, graph, GRAPH_INPUT):
        name = _text(data, span, 1)
        types[name] = _element_type(data, span)
    for span in messages(data, graph, INITIALIZER):
        name = _text(data, span, TENSOR_NAME)
        types[name], sizes[name] = head(data, span)
    for span in messages(data, graph, NODE):
        node = _node(data, span)
        floating = [one for one in node.inputs if types.get(one) in WORDS]
        if node.kind == CAST or node.kind in MOVES:
            _carry(node, floating, types, sizes)
            continue
        if floating and node.kind not in WITHOUT:
            types.update(dict.fromkeys(node.outputs, types[floating[0]]))
            by_node[types[floating[0]]] += 1
        for one in floating:
            by_weight[types[one]] += sizes.get(one, 0)
    return {dtype: count for dtype, count in by_weight.items() if count} or dict(by_node)


def _carry(node: Node, floating: List[str], types: Dict[str, str], sizes: Dict[str, int]) -> None:
    """What a cast or a move hands on: a type, and the size of a weight that only goes through it."""
    if node.kind == CAST:
        types.update(dict.fromkeys(node.outputs, node.to))
    elif floating:
        types.update(dict.fromkeys(node.outputs, types[floating[0]]))
    if node.inputs and node.inputs[0] in sizes:
        sizes.update(dict.fromkeys(node.outputs[:1], sizes[node.inputs[0]]))


def _node(data: mmap.mmap, span: Span) -> Node:
    inputs, outputs, kind, to = [], [], "", ""
    for field, value in fields(data, span):
        if not isinstance(value, tuple):
            continue
        if field == 5:
            if _text(data, value, 1) == "to":
                to = DTYPES.get(_number(data, value, 3), "")
            continue
        text = data[slice(*value)].decode(errors="replace")
        if field == 1:
            inputs.append(text)
        elif field == 2:
            outputs.append(text)
        elif field == 4:
            kind = text
    return Node(kind, inputs, outputs, to)


def _element_type(data: mmap.mmap, span: Span) -> str:
    for kind in messages(data, span, 2):
        for tensor in messages(data, kind, 1):
            return DTYPES.get(_number(data, tensor, 1), "")
    return ""


def _text(data: mmap.mmap, span: Span, wanted: int) -> str:
    return next((data[slice(*at)].decode(errors="replace") for at in messages(data, span, wanted)), "")


def _number(data: mmap.mmap, span: Span, wanted: int) -> int:
    return next((at for field, at in fields(data, span) if field == wanted and isinstance(at, int)), 0)
