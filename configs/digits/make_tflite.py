"""Write the demo's model as TFLite, with the weights of `digits.onnx`.

    python configs/digits/make_tflite.py [--out FOLDER]

Needs onnx and ai-edge-litert (`pip install -e '.[litert]'`): the file is put together by the flatbuffer object API
that LiteRT's wheel ships, so neither TensorFlow nor a converter is needed. `digits.onnx` is read from the same folder.
"""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import flatbuffers  # type: ignore[import-untyped]
import numpy as np
import numpy.typing as npt
import onnx
from ai_edge_litert import schema_py_generated as schema  # type: ignore[import-untyped]
from onnx import numpy_helper

Array = npt.NDArray[Any]
FLOAT32, INT32 = schema.TensorType.FLOAT32, schema.TensorType.INT32


class Graph:
    """A model with one graph; tensors are given by their index."""

    def __init__(self) -> None:
        self.model, self.graph = schema.ModelT(), schema.SubGraphT()
        self.model.version, self.model.description = 3, b"digits-cnn, written by make_tflite.py"
        self.model.buffers, self.model.operatorCodes = [schema.BufferT()], []
        self.graph.name, self.graph.tensors, self.graph.operators = b"main", [], []

    def tensor(self, name: str, *shape: int) -> int:
        """A float32 tensor that is computed, its batch free."""
        one = schema.TensorT()
        one.name, one.type, one.buffer, one.hasRank = name.encode(), FLOAT32, 0, True
        one.shape, one.shapeSignature = [1, *shape], [-1, *shape]
        self.graph.tensors.append(one)
        return len(self.graph.tensors) - 1

    def constant(self, name: str, value: Array) -> int:
        one, buffer = schema.TensorT(), schema.BufferT()
        buffer.data = np.frombuffer(np.ascontiguousarray(value).tobytes(), np.uint8)
        self.model.buffers.append(buffer)
        one.name, one.type, one.hasRank = name.encode(), FLOAT32 if value.dtype == np.float32 else INT32, True
        one.shape, one.buffer = list(value.shape), len(self.model.buffers) - 1
        self.graph.tensors.append(one)
        return len(self.graph.tensors) - 1

    def operator(self, code: str, inputs: Sequence[int], output: int, options: str, **said: int) -> int:
        """One operator, which gives ``output``; ``options`` is the name of its table of options."""
        kind, one = schema.OperatorCodeT(), schema.OperatorT()
        number = getattr(schema.BuiltinOperator, code)
        kind.builtinCode, kind.deprecatedBuiltinCode, kind.version = number, number, 1
        self.model.operatorCodes.append(kind)
        one.opcodeIndex, one.inputs, one.outputs = len(self.model.operatorCodes) - 1, list(inputs), [output]
        one.builtinOptionsType = getattr(schema.BuiltinOptions, options)
        one.builtinOptions = getattr(schema, f"{options}T")()
        for name, value in said.items():
            setattr(one.builtinOptions, name, value)
        self.graph.operators.append(one)
        return output

    def written(self, inputs: Sequence[int], outputs: Sequence[int]) -> bytes:
        self.graph.inputs, self.graph.outputs, self.model.subgraphs = list(inputs), list(outputs), [self.graph]
        builder = flatbuffers.Builder(1 << 16)
        builder.Finish(self.model.Pack(builder), file_identifier=b"TFL3")
        return bytes(builder.Output())


def digits(weights: dict[str, Array]) -> bytes:
    """The model. TFLite keeps channels last: kernels are turned, and so are the rows of the last layer's weights."""
    graph = Graph()
    image = graph.tensor("image", 1, 8, 8)
    hidden = _reshaped(graph, image, "image channels last", 8, 8, 1)
    for index, channels in (("0", 16), ("2", 32)):
        kernel = graph.constant(f"kernel {index}", weights[f"layers.{index}.weight"].transpose(0, 2, 3, 1))
        bias = graph.constant(f"bias {index}", weights[f"layers.{index}.bias"])
        made = graph.tensor(f"convolved {index}", 8, 8, channels)
        said = {"strideW": 1, "strideH": 1, "dilationWFactor": 1, "dilationHFactor": 1}
        relu = {"padding": schema.Padding.SAME, "fusedActivationFunction": schema.ActivationFunctionType.RELU}
        hidden = graph.operator("CONV_2D", [hidden, kernel, bias], made, "Conv2DOptions", **said, **relu)
    half = {"padding": schema.Padding.VALID, "strideW": 2, "strideH": 2, "filterWidth": 2, "filterHeight": 2}
    hidden = graph.operator("MAX_POOL_2D", [hidden], graph.tensor("pooled", 4, 4, 32), "Pool2DOptions", **half)
    hidden = _reshaped(graph, hidden, "flat", 512)
    rows = weights["layers.6.weight"].reshape(10, 32, 4, 4).transpose(0, 2, 3, 1).reshape(10, 512)
    last = [graph.constant("rows", rows), graph.constant("last bias", weights["layers.6.bias"])]
    logits = graph.operator("FULLY_CONNECTED", [hidden, *last], graph.tensor("logits", 10), "FullyConnectedOptions")
    return graph.written([image], [logits])


def _reshaped(graph: Graph, source: int, name: str, *shape: int) -> int:
    wanted = graph.constant(f"shape of {name}", np.array([-1, *shape], np.int32))
    return graph.operator("RESHAPE", [source, wanted], graph.tensor(name, *shape), "ReshapeOptions")


def main() -> None:
    """Read `digits.onnx`, write `digits.tflite` beside it, and print its SHA-256."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--out", type=Path, default=Path(__file__).parent, help="folder of digits.onnx, written to")
    out: Path = options.parse_args().out
    stored = onnx.load(out / "digits.onnx").graph.initializer
    path = out / "digits.tflite"
    path.write_bytes(digits({one.name: numpy_helper.to_array(one) for one in stored}))
    print(f"{path.name}: {hashlib.sha256(path.read_bytes()).hexdigest()}")


if __name__ == "__main__":
    main()
