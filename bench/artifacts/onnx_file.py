"""ONNX: the graph's own words, parsed as a message and never loaded by a runtime."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bench.artifacts.facts import (
    MAX_DIMENSION,
    ArtifactError,
    ArtifactFacts,
    free_dimension,
    regular_size,
    shape_of,
    size_of,
)
from bench.artifacts.onnx_weights import dtype_of, graphs, parameters, tensors
from bench.artifacts.told import told_by
from bench.device.adapter import UNTOLD, TensorSpec

if TYPE_CHECKING:
    from onnx import ModelProto, TensorProto, ValueInfoProto

MAX_BYTES = (1 << 31) - 1
"""What a protobuf message can hold; larger models keep their weights in external data."""
_BITS = {"float64": 64, "int64": 64, "uint64": 64, "float32": 32, "int32": 32, "uint32": 32} | {
    "float16": 16,
    "bfloat16": 16,
    "int16": 16,
    "uint16": 16,
    "int8": 8,
    "uint8": 8,
    "bool": 8,
}


def read(path: Path, companions: tuple[Path, ...]) -> ArtifactFacts:
    """The facts of an ONNX model; of its weights' files only the names and sizes are looked at."""
    model = _parse(path)
    stored = {initializer.name for initializer in model.graph.initializer}
    size_bytes = size_of(path, [*companions, *_external_files(path, list(_tensors(model, path)))])
    return ArtifactFacts(
        kind="onnx",
        inputs=_specs(path, "input", [value for value in model.graph.input if value.name not in stored]),
        outputs=_specs(path, "output", model.graph.output),
        parameters=parameters(model, path),
        producer=_text(path, model.producer_name) or None,
        producer_version=_text(path, model.producer_version) or None,
        opset=next((one.version for one in model.opset_import if one.domain in ("", "ai.onnx")), None),
        size_bytes=size_bytes,
        told=told_by(
            {_text(path, one.key): _text(path, one.value) for one in model.metadata_props}, model.model_version
        ),
    )


def companions(path: Path) -> list[Path]:
    """The files that hold the model's external data."""
    return list(_external_files(path, list(_tensors(_parse(path), path))))


def contracted_sizes(path: Path) -> tuple[int, ...]:
    """Sizes that the graph's matrix products with stored weights sum over, in the graph's order, each once."""
    model = _parse(path)
    shapes = {tensor.name: tuple(tensor.dims) for tensor in model.graph.initializer}
    sizes = []
    for node in model.graph.node:
        shape = shapes.get(node.input[1], ()) if node.op_type in ("MatMul", "Gemm") and len(node.input) > 1 else ()
        if len(shape) >= 2:
            turned = any(one.name == "transB" and one.i for one in node.attribute)
            sizes.append(int(shape[-1] if turned else shape[-2]))
    return tuple(dict.fromkeys(size for size in sizes if size > 0))


def _parse(path: Path) -> ModelProto:
    """The message; ArtifactError for a file that is none, or holds no graph."""
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
    from onnx import ModelProto

    size = regular_size(path)
    if size > MAX_BYTES:
        raise ArtifactError(f"{path}: {size} bytes are more than an ONNX file can hold; save it with external data")
    try:
        model: ModelProto = ModelProto.FromString(path.read_bytes())
    except (DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise ArtifactError(f"{path}: is not a whole ONNX model: it is cut off or damaged") from error
    # Almost any bytes are some protobuf message, mostly of fields it does not know: ask for what every model has.
    if not model.HasField("graph") or not model.graph.output or not model.opset_import or model.ir_version < 1:
        raise ArtifactError(f"{path}: is not a whole ONNX model: it has no graph, no output or no opset")
    return model


def _specs(path: Path, what: str, values: Sequence[ValueInfoProto]) -> tuple[TensorSpec, ...]:
    """What goes in or comes out; its shape is ``UNTOLD`` where the model does not tell it."""
    names = [_text(path, value.name) for value in values]
    if len(set(names)) < len(names) or not all(names):
        raise ArtifactError(f"{path}: two {what}s have one name, or one has none; is the file damaged?")
    specs = []
    for value in values:
        if value.type.WhichOneof("value") != "tensor_type":
            found = value.type.WhichOneof("value") or "nothing"
            raise ArtifactError(
                f"{path}: {what} `{value.name}` is no tensor ({found.removesuffix('_type')}), "
                f"and only tensors can be measured; export the model without it"
            )
        tensor = value.type.tensor_type
        dtype = dtype_of(path, value.name, tensor.elem_type)
        sizes = tuple(_dimension(path, value, axis) for axis in range(len(tensor.shape.dim)))
        specs.append(TensorSpec(value.name, dtype, sizes if tensor.HasField("shape") else UNTOLD))
    return tuple(specs)


def _dimension(path: Path, value: ValueInfoProto, axis: int) -> int | str:
    """A fixed size, the name of a free one, or a name made up for a free one that has none (or ``?``)."""
    one = value.type.tensor_type.shape.dim[axis]
    if one.WhichOneof("value") == "dim_value" and one.dim_value >= 0:
        if one.dim_value >= MAX_DIMENSION:
            raise ArtifactError(f"{path}: `{value.name}` has a dimension of {one.dim_value}; is the file damaged?")
        return int(one.dim_value)
    named = _text(path, one.dim_param).strip()
    return named if named not in ("", "?", "-1", "None") else free_dimension(value.name, axis)


def _text(path: Path, text: object) -> str:
    """A text of the message; the parser hands out bytes where it is not UTF-8."""
    if not isinstance(text, str):
        raise ArtifactError(f"{path}: holds a name that is no text; is the file damaged?")
    return text


def _tensors(model: ModelProto, path: Path) -> Iterator[TensorProto]:
    """Every stored tensor, known to have the bytes that its shape wants."""
    for graph in graphs(model, path):
        for _, tensor in tensors(graph):
            _check_stored(path, tensor)
            yield tensor


def _check_stored(path: Path, tensor: TensorProto) -> None:
    """Refuse a stored tensor whose bytes do not fit its shape."""
    shape = shape_of(path, f"tensor `{tensor.name}`", tensor.dims)
    bits = _BITS.get(dtype_of(path, tensor.name, tensor.data_type))
    if tensor.HasField("raw_data") and bits and len(tensor.raw_data) != math.prod(shape) * bits // 8:
        raise ArtifactError(
            f"{path}: tensor `{tensor.name}` of shape {list(shape)} has {len(tensor.raw_data)} bytes; "
            "is the file damaged?"
        )


def _external_files(path: Path, stored: Sequence[TensorProto]) -> set[Path]:
    """The files that hold external data, each known to lie in the model's folder and to be long enough."""
    folder = path.resolve().parent
    needed: dict[str, int] = {}
    for tensor in stored:
        if tensor.data_location != tensor.EXTERNAL:
            continue
        told = {_text(path, entry.key): _text(path, entry.value) for entry in tensor.external_data}
        try:
            end = int(told.get("offset", "0")) + int(told.get("length", "0"))
        except ValueError as error:
            raise ArtifactError(f"{path}: tensor `{tensor.name}` is kept outside at no readable place") from error
        location = told.get("location", "")
        needed[location] = max(end, needed.get(location, 0))
    return {_external_file(path, folder, location, least) for location, least in needed.items()}


def _external_file(path: Path, folder: Path, location: str, least: int) -> Path:
    if not location or "\0" in location or len(location) > 1024:
        raise ArtifactError(f"{path}: weights are kept outside in a file without a readable name")
    file = (folder / location).resolve()
    if not file.is_relative_to(folder):
        raise ArtifactError(f"{path}: its weights `{location}` lie outside the model's folder, where nothing is read")
    if not file.is_file():
        raise ArtifactError(f"{path}: needs its weights `{location}` beside it, and there is no such file")
    if regular_size(file) < least:
        raise ArtifactError(f"{path}: its weights `{location}` are cut off: {least} bytes are needed")
    return file
