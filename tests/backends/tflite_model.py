"""TFLite models written by hand: the flatbuffer object API that LiteRT's wheel ships, no TensorFlow, no converter."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from bench.conformance import Example
from bench.conformance.examples import BATCH, mixed, mlp, recurrent, weights, wide
from bench.device.adapter import Arrays, ModelFiles, Query, TensorSpec

TYPES = {"float32": 0, "float16": 1, "int32": 2, "uint8": 3, "int64": 4, "bool": 6, "int8": 9}
RELU = 1


class Graph:
    """One graph; tensors are given by their index."""

    def __init__(self) -> None:
        from ai_edge_litert import schema_py_generated as schema  # type: ignore[import-untyped]

        self.schema: Any = schema
        self.model = schema.ModelT()
        self.model.version, self.model.description = 3, b"written by benchpact's tests"
        self.model.buffers, self.model.operatorCodes = [schema.BufferT()], []
        self.graph = schema.SubGraphT()
        self.graph.name, self.graph.tensors, self.graph.operators = b"main", [], []

    def tensor(self, spec: TensorSpec, value: Any = None, scale: float | None = None) -> int:
        """A tensor; with a value it is a constant. Its free dimensions are written as 1."""
        one = self.schema.TensorT()
        one.name, one.type, one.hasRank, one.buffer = spec.name.encode(), TYPES[spec.dtype], True, 0
        one.shape = [size if isinstance(size, int) else 1 for size in spec.shape]
        if any(isinstance(size, str) for size in spec.shape):
            one.shapeSignature = [size if isinstance(size, int) else -1 for size in spec.shape]
        if value is not None:
            one.buffer = len(self.model.buffers)
            self.model.buffers.append(self.schema.BufferT())
            self.model.buffers[-1].data = np.frombuffer(np.ascontiguousarray(value).tobytes(), np.uint8)
        if scale is not None:
            one.quantization = self.schema.QuantizationParametersT()
            one.quantization.scale, one.quantization.zeroPoint = [scale], [0]
        self.graph.tensors.append(one)
        return len(self.graph.tensors) - 1

    def constant(self, name: str, value: Any, scale: float | None = None) -> int:
        return self.tensor(TensorSpec(name, value.dtype.name, value.shape), value, scale)

    def operator(
        self, code: str, inputs: Sequence[int], output: TensorSpec | int, options: str = "", **set_: Any
    ) -> int:
        """One operator of one output, which it gives; ``options`` is the name of its options' table."""
        number = getattr(self.schema.BuiltinOperator, code)
        numbers = [one.builtinCode for one in self.model.operatorCodes]
        if number not in numbers:
            kind = self.schema.OperatorCodeT()
            kind.builtinCode, kind.deprecatedBuiltinCode, kind.version = number, min(number, 127), 1
            self.model.operatorCodes.append(kind)
            numbers.append(number)
        one = self.schema.OperatorT()
        made = output if isinstance(output, int) else self.tensor(output)
        one.opcodeIndex, one.inputs, one.outputs = numbers.index(number), list(inputs), [made]
        if options:
            one.builtinOptionsType = getattr(self.schema.BuiltinOptions, options)
            one.builtinOptions = getattr(self.schema, f"{options}T")()
            for name, value in set_.items():
                setattr(one.builtinOptions, name, value)
        self.graph.operators.append(one)
        return made

    def save(
        self, path: Path, inputs: Sequence[int], outputs: Sequence[int], names: dict[int, str] | None = None
    ) -> Path:
        """Written to ``path``; ``names`` are those of a signature, by tensor."""
        import flatbuffers  # type: ignore[import-untyped]

        self.graph.inputs, self.graph.outputs, self.model.subgraphs = list(inputs), list(outputs), [self.graph]
        if names is not None:
            signature = self.schema.SignatureDefT()
            signature.signatureKey, signature.subgraphIndex = b"serving_default", 0
            signature.inputs = [self._named(index, names) for index in inputs]
            signature.outputs = [self._named(index, names) for index in outputs]
            self.model.signatureDefs = [signature]
        builder = flatbuffers.Builder(1024)
        builder.Finish(self.model.Pack(builder), file_identifier=b"TFL3")
        path.write_bytes(builder.Output())
        return path

    def _named(self, index: int, names: dict[int, str]) -> Any:
        one = self.schema.TensorMapT()
        one.name, one.tensorIndex = names[index].encode(), index
        return one


def floats(name: str, *shape: int | str) -> TensorSpec:
    return TensorSpec(name, "float32", shape)


def _dense(graph: Graph, inputs: Sequence[int], output: TensorSpec, relu: bool = False) -> int:
    activation = {"fusedActivationFunction": RELU if relu else 0}
    return graph.operator("FULLY_CONNECTED", inputs, output, "FullyConnectedOptions", **activation)


def _layers(example: Example, folder: Path, first: str, second: str, bias: str | None) -> Example:
    """Two dense layers; the sizes are the weights'."""
    sizes = {"first": (8, 16), "second": (16, 4), "bias": (16,), "wide": (1024, 1024), "wider": (1024, 1024)}
    graph = Graph()
    x = graph.tensor(example.model.inputs[0])
    turned = [graph.constant(name, weights(name, *sizes[name]).T.copy()) for name in (first, second)]
    biases = [graph.constant(bias, weights(bias, *sizes[bias]))] if bias else []
    hidden = _dense(graph, [x, turned[0], *biases], floats("hidden", BATCH, sizes[first][1]), relu=True)
    y = _dense(graph, [hidden, turned[1]], example.model.outputs[0])
    return example.with_artifacts({"tflite": graph.save(folder / f"{example.name}.tflite", [x], [y])})


def _recurrent(folder: Path) -> Example:
    example, graph = recurrent(), Graph()
    x, h = (graph.tensor(spec) for spec in example.model.inputs)
    kernels = {
        name: weights(name, *shape) for name, shape in (("inward", (4, 6)), ("around", (6, 6)), ("outward", (6, 3)))
    }
    fixed = {name: graph.constant(name, value.T.copy()) for name, value in kernels.items()}
    inward = _dense(graph, [x, fixed["inward"]], floats("in", BATCH, 6))
    back = _dense(graph, [h, fixed["around"]], floats("back", BATCH, 6))
    both = graph.operator("ADD", [inward, back], floats("sum", BATCH, 6), "AddOptions")
    y_spec, h_spec = example.model.outputs
    out = graph.operator("TANH", [both], h_spec)
    y = _dense(graph, [out, fixed["outward"]], y_spec)
    return example.with_artifacts({"tflite": graph.save(folder / "recurrent.tflite", [x, h], [y, out])})


def _mixed(folder: Path) -> Example:
    """Several dtypes; LiteRT has no float16 arithmetic of its own, so halves are cast."""
    example, graph = mixed(), Graph()
    given = {spec.name: graph.tensor(spec) for spec in example.model.inputs}
    wanted = {spec.name: spec for spec in example.model.outputs}

    def whole(name: str, dtype: str = "int64") -> TensorSpec:
        return TensorSpec(name, dtype, (BATCH, 3))

    def cast(source: int, to: TensorSpec) -> int:
        return graph.operator("CAST", [source], to)

    b64 = cast(given["b"], whole("b64"))
    scaled = graph.operator("MUL", [graph.operator("ADD", [given["a"], b64], whole("sum"), "AddOptions"), given["k"]],
                            wanted["scaled"], "MulOptions")  # fmt: skip
    nothing = graph.constant("nothing", np.zeros((1, 3), np.int64))
    kept = cast(graph.operator("SELECT_V2", [given["flag"], scaled, nothing], whole("kept"), "SelectV2Options"),
                whole("kept32", "float32"))  # fmt: skip
    half = cast(given["half"], whole("half32", "float32"))
    total = graph.operator("ADD", [kept, half], wanted["total"], "AddOptions")
    inverse = graph.operator("LOGICAL_NOT", [given["flag"]], wanted["inverse"])
    doubled = graph.operator("ADD", [half, half], whole("doubled", "float32"), "AddOptions")
    again = cast(doubled, wanted["again"])
    path = graph.save(folder / "mixed.tflite", list(given.values()), [total, scaled, inverse, again])
    return example.with_artifacts({"tflite": path})


def tflite_examples(folder: Path) -> list[Example]:
    """``mlp``, ``mixed`` and ``recurrent`` as TFLite files in ``folder``."""
    return [_layers(mlp(), folder, "first", "second", "bias"), _mixed(folder), _recurrent(folder)]


def wide_tflite_example(folder: Path) -> Example:
    """``wide`` as a TFLite file in ``folder``."""
    return _layers(wide(), folder, "wide", "wider", None)


def quantized_example(folder: Path) -> Example:
    """One dense layer in int8, scales that keep its arithmetic exact; the answer is in int8 too."""
    graph, rng = Graph(), np.random.default_rng(5)
    kernel = rng.integers(-3, 4, (4, 8)).astype(np.int8)
    spec_x, spec_y = TensorSpec("x", "int8", (BATCH, 8)), TensorSpec("y", "int8", (BATCH, 4))
    x, y = graph.tensor(spec_x, scale=1.0), graph.tensor(spec_y, scale=1.0)
    fixed = graph.constant("kernel", kernel, scale=1.0)
    bias = graph.constant("bias", np.zeros(4, np.int32), scale=1.0)
    graph.operator("FULLY_CONNECTED", [x, fixed, bias], y, "FullyConnectedOptions")
    for code in graph.model.operatorCodes:
        code.version = 4  # the one with int8
    path = graph.save(folder / "quantized.tflite", [x], [y])
    queries = [Query({"x": rng.integers(-3, 4, (batch, 8)).astype(np.int8)}, batch) for batch in (1, 3)]
    answers: list[Arrays] = [{"y": (one.arrays["x"].astype(int) @ kernel.T).astype(np.int8)} for one in queries]
    model = ModelFiles({"tflite": path}, (spec_x,), (spec_y,))
    return replace(mlp(), name="quantized", model=model, queries=tuple(queries), answers=tuple(answers))
