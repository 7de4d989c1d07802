"""What a TFLite (LiteRT) model says of itself, read without TensorFlow and without LiteRT.

By the schema https://github.com/google-ai-edge/LiteRT/blob/main/tflite/converter/schema/schema.fbs, whose fields are
numbered in the order in which they stand there.
"""

from __future__ import annotations

from math import prod
from pathlib import Path
from typing import Dict, List, NamedTuple, Optional, Tuple

from .adapter import UNTOLD, TensorSpec
from .flatbuffer import Broken, Bytes, Table

IDENTIFIER = b"TFL3"
TYPES = ("float32", "float16", "int32", "uint8", "int64", "string", "bool", "int16", "complex64", "int8", "float64",
         "complex128", "uint64", "resource", "variant", "uint32", "uint16", "int4", "bfloat16", "int2", "uint4",
         "float8_e4m3fn", "float8_e5m2")  # fmt: skip
BITS = {"float64": 64, "int64": 64, "uint64": 64, "complex64": 64, "complex128": 128, "float32": 32, "int32": 32,
        "uint32": 32, "float16": 16, "bfloat16": 16, "int16": 16, "uint16": 16, "int8": 8, "uint8": 8, "bool": 8,
        "int4": 4, "uint4": 4, "int2": 2}  # fmt: skip
MULTIPLY = frozenset((3, 4, 7, 9, 16, 24, 27, 35, 44, 52, 67, 126, 132, 141))
"""Operators that multiply by what they learned: convolutions, dense and recurrent layers, embeddings."""
MOST = 200_000
"""Most tensors and operators, and buffers, that are read; the largest models have some ten thousand."""
MOST_GRAPHS, MOST_READ, MOST_DIMENSIONS = 4096, 4096, 64
"""Most graphs and kinds of operators, tensors that one operator reads or that go in and out, and dimensions of one."""
COMPARED_BYTES = 4096
MODEL_OPERATORS, MODEL_SUBGRAPHS, MODEL_DESCRIPTION, MODEL_BUFFERS = 1, 2, 3, 4
MODEL_METADATA, MODEL_SIGNATURES = 6, 7


class Constant(NamedTuple):
    """A stored tensor. ``begins`` is how its bytes begin, ``uses`` how many operators read it."""

    name: str
    dtype: str
    shape: Tuple[int, ...]
    begins: bytes
    uses: int
    multiplies: bool


class TfLite(NamedTuple):
    """A model's first graph. ``inputs`` and ``outputs`` are named as its signature does, where it has one."""

    inputs: Tuple[TensorSpec, ...]
    outputs: Tuple[TensorSpec, ...]
    input_indices: Tuple[int, ...]
    output_indices: Tuple[int, ...]
    constants: Tuple[Constant, ...]
    description: str
    metadata: Tuple[str, ...]
    """The names of what else the model keeps."""

    def weights(self) -> Dict[str, int]:
        """Number of elements of the constants by dtype."""
        counts: Dict[str, int] = {}
        for one in self.constants:
            counts[one.dtype] = counts.get(one.dtype, 0) + prod(one.shape)
        return counts


def read(path: Path) -> TfLite:
    """The model in a file. Raises Broken for one that is none, OSError where it cannot be read."""
    with path.open("rb") as file:
        data = Bytes(file, path.stat().st_size)
        if data.size < 8 or data.at(4, 4) != IDENTIFIER:
            raise Broken("it does not begin as a TFLite model does")
        return _Reader(data).model()


class _Tensor(NamedTuple):
    spec: TensorSpec
    shape: Tuple[int, ...]
    buffer: int
    sparse: bool


class _Reader:
    def __init__(self, data: Bytes) -> None:
        self._data = data
        self._root = data.root()
        self._buffers = self._root.tables(MODEL_BUFFERS, MOST)
        operators = self._root.tables(MODEL_OPERATORS, MOST_GRAPHS)
        self._codes = [max(one.number(0, "b"), one.number(3, "i")) for one in operators]
        self._left = MOST

    def model(self) -> TfLite:
        graphs = self._root.tables(MODEL_SUBGRAPHS, MOST_GRAPHS)
        if not graphs:
            raise Broken("it has no graph")
        main: List[_Tensor] = []
        constants: List[Constant] = []
        for graph in graphs:
            tensors = [self._tensor(one) for one in self._some(graph, 0)]
            constants += self._constants(graph, tensors)
            main = main or tensors
        indices = [tuple(graphs[0].numbers(field, "i", MOST_READ)) for field in (1, 2)]
        if not indices[1]:
            raise Broken("it has no output")
        specs = [self._named(main, found, side) for side, found in enumerate(indices)]
        kept = tuple(one.text(0) for one in self._root.tables(MODEL_METADATA, MOST_GRAPHS))
        description = self._root.text(MODEL_DESCRIPTION)
        return TfLite(specs[0], specs[1], indices[0], indices[1], tuple(constants), description, kept)

    def _some(self, graph: Table, field: int) -> List[Table]:
        """Tensors or operators, of all graphs together no more than are read."""
        found = graph.tables(field, self._left)
        self._left -= len(found)
        return found

    def _tensor(self, table: Table) -> _Tensor:
        name, code = table.text(3), table.number(1, "b")
        if not 0 <= code < len(TYPES):
            raise Broken("tensor `%s` is of a type that nobody knows (%d)" % (name[:80], code))
        shape = table.numbers(0, "i", MOST_DIMENSIONS)
        signature = table.numbers(7, "i", MOST_DIMENSIONS) or shape
        if any(size < 0 for size in shape) or len(signature) != len(shape) or any(size < -1 for size in signature):
            raise Broken("tensor `%s` has the shape %s, which is none" % (name[:80], str(signature)[:80]))
        free = tuple("%s:%d" % (name, axis) if size < 0 else size for axis, size in enumerate(signature))
        told = bool(shape) or bool(table.number(8, "b")) or table.number(2, "I") > 0
        return _Tensor(
            TensorSpec(name, TYPES[code], free if told else UNTOLD), tuple(shape), table.number(2, "I"), table.has(6)
        )

    def _constants(self, graph: Table, tensors: List[_Tensor]) -> List[Constant]:
        """The tensors that have bytes of their own, known to have as many as their shape wants."""
        uses, factors = self._uses(graph, len(tensors))
        found = []
        for index, one in enumerate(tensors):
            place, size = self._stored(one)
            if not size:
                continue
            spec, bits = one.spec, BITS.get(one.spec.dtype)
            if bits and not one.sparse and size != (prod(one.shape) * bits + 7) // 8:
                said = (spec.name[:80], str(list(one.shape))[:80], size)
                raise Broken("tensor `%s` of shape %s has %d bytes" % said)
            begins = self._data.at(place, min(COMPARED_BYTES, size))
            found.append(Constant(spec.name, spec.dtype, one.shape, begins, uses.get(index, 0), index in factors))
        return found

    def _stored(self, tensor: _Tensor) -> Tuple[int, int]:
        """Where a tensor's bytes lie in the file and how many there are; none for what is computed."""
        if tensor.buffer >= max(1, len(self._buffers)):
            raise Broken("tensor `%s` is stored in a buffer that is not there" % tensor.spec.name[:80])
        if not tensor.buffer:
            return 0, 0
        buffer = self._buffers[tensor.buffer]
        outside, size = buffer.number(1, "Q"), buffer.number(2, "Q")
        if outside > 1:  # behind the model's own structure, as models of more than 2 GB are stored
            if outside + size > self._data.size:
                raise Broken("stored data lie outside of the file")
            return outside, size
        return buffer.data_place(0), buffer.length(0)

    def _uses(self, graph: Table, tensors: int) -> Tuple[Dict[int, int], Dict[int, None]]:
        """How many operators read each tensor, and which of those multiply by it."""
        uses: Dict[int, int] = {}
        factors: Dict[int, None] = {}
        for operator in self._some(graph, 3):
            code = operator.number(0, "I")
            if code >= len(self._codes):
                raise Broken("an operator is of a kind that the model does not list")
            for index in operator.numbers(1, "i", MOST_READ):
                if index >= tensors:
                    raise Broken("an operator reads a tensor that is not there")
                uses[index] = uses.get(index, 0) + 1
                if self._codes[code] in MULTIPLY:
                    factors[index] = None
        return uses, factors

    def _named(self, tensors: List[_Tensor], indices: Tuple[int, ...], side: int) -> Tuple[TensorSpec, ...]:
        """Inputs (side 0) or outputs (side 1), by the names of the only signature, else by the tensors' own."""
        if any(not 0 <= index < len(tensors) for index in indices):
            raise Broken("it names a tensor that is not there")
        names = self._signature(side)
        specs = [tensors[index].spec for index in indices]
        if names is not None and all(index in names for index in indices):
            specs = [_renamed(spec, names[index]) for spec, index in zip(specs, indices)]  # noqa: B905 - Python 3.8
        if len({spec.name for spec in specs}) < len(specs) or not all(spec.name for spec in specs):
            raise Broken("two of its inputs or outputs have one name, or one has none")
        return tuple(specs)

    def _signature(self, side: int) -> Optional[Dict[int, str]]:
        """Tensor's index -> its name in the signature; None where there is none, or several to choose from."""
        found = [one for one in self._root.tables(MODEL_SIGNATURES, MOST_GRAPHS) if not one.number(4, "I")]
        if len(found) != 1:
            return None
        return {one.number(1, "I"): one.text(0) for one in found[0].tables(side, MOST_READ)}


def _renamed(spec: TensorSpec, name: str) -> TensorSpec:
    shape = spec.shape if spec.shape == UNTOLD else tuple(
        size if isinstance(size, int) else "%s:%d" % (name, axis) for axis, size in enumerate(spec.shape)
    )  # fmt: skip
    return TensorSpec(name, spec.dtype, shape)
