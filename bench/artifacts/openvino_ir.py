"""OpenVINO IR: an XML description, read as a stream, and a ``.bin`` of weights that is only measured."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from xml.parsers import expat

from bench.artifacts.facts import (
    ArtifactError,
    ArtifactFacts,
    free_dimension,
    regular_size,
    shape_of,
    size_of,
)
from bench.artifacts.parameters import Count, Stored, in_graph
from bench.device.adapter import TensorSpec

MAX_BYTES = 256 << 20
MAX_DEPTH = 200
_LAYER = ["net", "layers", "layer"]
_DTYPES = {"f64": "float64", "f32": "float32", "f16": "float16", "bf16": "bfloat16", "boolean": "bool"} | {
    "fp64": "float64",
    "fp32": "float32",
    "fp16": "float16",
    "bool": "bool",
    "f8e4m3": "float8_e4m3",
    "f8e5m2": "float8_e5m2",
}
_MULTIPLIES = re.compile(r"\w*Convolution\w*|MatMul|(LSTM|GRU|RNN)\w+")
_UNPACKS = ("Convert", "Multiply", "Subtract", "Reshape", "Transpose", "Squeeze", "Unsqueeze", "FakeQuantize")
_INTEGER = re.compile(r"(i|u)(4|8|16|32|64)")
_COMMA = re.compile(r"(?<!\\),")


class _Refused(Exception):
    """The description is none; the message goes on after the file's name."""


@dataclass
class _Port:
    names: str
    dtype: str
    sizes: list[str] = field(default_factory=list)


@dataclass
class _Layer:
    """One layer of the outermost network."""

    id: str
    name: str
    type: str
    output_names: str
    shape: str = ""
    dtype: str = ""
    constant: tuple[str, str] | None = None
    inputs: dict[str, _Port] = field(default_factory=dict)
    outputs: dict[str, _Port] = field(default_factory=dict)


def read(path: Path, companions: tuple[Path, ...]) -> ArtifactFacts:
    """The facts of an IR; its ``.bin`` is the companion of that suffix, or the file beside it."""
    if regular_size(path) > MAX_BYTES:
        raise ArtifactError(f"{path}: an IR of more than {MAX_BYTES} bytes is not read")
    reader = _Reader()
    try:
        reader.parse(path)
        inputs = tuple(_input(path, layer) for layer in reader.layers if layer.type == "Parameter")
        outputs = tuple(_output(path, layer, reader) for layer in reader.layers if layer.type == "Result")
        parameters = _parameters(path, reader)
    except expat.ExpatError as error:
        raise ArtifactError(f"{path}: is not a whole OpenVINO IR: {expat.ErrorString(error.code)}") from error
    except KeyError as error:
        raise ArtifactError(f"{path}: is not an OpenVINO IR as it should be: something lacks its {error}") from error
    except (_Refused, ValueError, LookupError) as error:
        raise ArtifactError(f"{path}: is not an OpenVINO IR as it should be: {error}") from error
    return ArtifactFacts(
        kind="openvino",
        inputs=inputs,
        outputs=outputs,
        parameters=parameters,
        producer="openvino" if reader.version else None,
        producer_version=reader.version,
        opset=None,
        size_bytes=size_of(path, [*companions, *_weights_file(path, companions, reader.weights_end)]),
    )


def companions(path: Path) -> list[Path]:
    """The ``.bin`` beside the description, where there is one."""
    file = path.with_suffix(".bin")
    return [file] if file.is_file() else []


def _weights_file(path: Path, companions: tuple[Path, ...], end: int) -> list[Path]:
    """The ``.bin``, known to be long enough; none for a model without weights."""
    named = [companion for companion in companions if companion.suffix == ".bin"]
    file = named[0] if named else path.with_suffix(".bin")
    if end and not file.is_file():
        raise ArtifactError(f"{path}: needs its weights `{file.name}` beside it, and there is no such file")
    if end and regular_size(file) < end:
        raise ArtifactError(f"{path}: its weights `{file.name}` are cut off: {end} bytes are needed")
    return [file] if file.is_file() else []


class _Reader:
    """Takes the description's elements as they come, and keeps what is asked about."""

    def __init__(self) -> None:
        self.layers: list[_Layer] = []
        self.constants: dict[tuple[str, str], list[tuple[str, str]]] = {}
        """(offset, size) in the weights -> (dtype, shape) of each constant there: equal ones are saved once."""
        self.weights_end = 0
        self.edges: dict[tuple[str, str], tuple[str, str]] = {}
        """(to layer, to port) -> (from layer, from port)."""
        self.version: str | None = None
        self._open: list[str] = []
        self._type = ""
        self._port: _Port | None = None
        self._text = ""

    def parse(self, path: Path) -> None:
        parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.StartDoctypeDeclHandler = self._refuse_doctype
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._hear
        with path.open("rb") as file:
            parser.ParseFile(file)
        if not any(layer.type == "Result" for layer in self.layers):
            raise _Refused("it has no result")

    def _refuse_doctype(self, *_: object) -> None:
        raise _Refused("it has a DOCTYPE, which no IR has and which could define endless entities")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._open.append(name)
        self._text = ""
        if len(self._open) > MAX_DEPTH:
            raise _Refused("it is nested too deeply")
        if len(self._open) == 1 and name != "net":
            raise _Refused(f"it describes `{name[:40]}`, not a net")
        if name == "layer":
            self._type = attributes["type"]
        if name == "data" and self._type == "Const":
            self._constant(attributes)
        if self._open == _LAYER:
            told = (attributes["id"], attributes["name"], attributes["type"], attributes.get("output_names", ""))
            self.layers.append(_Layer(*told))
        elif self._open[:3] == _LAYER and len(self._open) <= 6:
            self._part(self.layers[-1], name, attributes)
        elif self._open == ["net", "edges", "edge"]:
            to = (attributes["to-layer"], attributes["to-port"])
            self.edges[to] = (attributes["from-layer"], attributes["from-port"])
        elif name in ("Runtime_version", "MO_version") and "value" in attributes:
            self.version = attributes["value"][:80]

    def _part(self, layer: _Layer, name: str, attributes: Mapping[str, str]) -> None:
        """An element inside a layer of the outermost network."""
        inside = self._open[3:]
        if inside == ["data"]:
            layer.shape, layer.dtype = attributes.get("shape", ""), attributes.get("element_type", "")
        elif inside in (["input", "port"], ["output", "port"]):
            self._port = _Port(attributes.get("names", ""), attributes.get("precision", ""))
            (layer.inputs if inside[0] == "input" else layer.outputs)[attributes["id"]] = self._port

    def _constant(self, attributes: Mapping[str, str]) -> None:
        offset, size = attributes["offset"], attributes["size"]
        self.constants.setdefault((offset, size), []).append((attributes["element_type"], attributes["shape"]))
        if self._open[:-1] == _LAYER:
            self.layers[-1].constant = offset, size
        self.weights_end = max(self.weights_end, int(offset) + int(size))

    def _hear(self, text: str) -> None:
        if self._open[-1] == "dim":
            self._text += text[:40]

    def _end(self, name: str) -> None:
        if name == "dim" and self._port is not None and len(self._open) == 6:
            self._port.sizes.append(self._text.strip())
        self._open.pop()


def _parameters(path: Path, reader: _Reader) -> Count:
    """What the constants tell: each stands where a parameter may have stood, some for one that was merged."""
    factors = _factors(reader)
    return in_graph(
        Stored(
            _dtype(dtype), shape_of(path, "a constant", [int(size) for size in _split(shape)]), key, len(equal),
            factor=key in factors,
        )
        for key, equal in reader.constants.items()
        for dtype, shape in equal[:1]
    )  # fmt: skip


def _factors(reader: _Reader) -> set[tuple[str, str]]:
    """The constants that layers multiply by, straight or unpacked by other layers first."""
    layers = {one.id: one for one in reader.layers}
    fed_by: dict[str, list[str]] = {}
    for (to, _), (source, _) in reader.edges.items():
        fed_by.setdefault(to, []).append(source)
    waiting = [source for one in reader.layers if _MULTIPLIES.fullmatch(one.type) for source in fed_by.get(one.id, ())]
    seen: set[str] = set()
    found = set()
    while waiting:
        layer = layers[waiting.pop()]
        if layer.id in seen:
            continue
        seen.add(layer.id)
        if layer.constant is not None:
            found.add(layer.constant)
        elif layer.type in _UNPACKS:
            waiting += fed_by.get(layer.id, [])
    return found


def _input(path: Path, layer: _Layer) -> TensorSpec:
    _, port = _first_port(layer, layer.outputs)
    name = _first(port.names) or layer.name
    sizes = _split(layer.shape) if layer.shape else port.sizes
    return TensorSpec(name, _dtype(layer.dtype or port.dtype), _shape(path, name, sizes))


def _output(path: Path, layer: _Layer, reader: _Reader) -> TensorSpec:
    """A result is what is fed into it; it has that tensor's name where it has none of its own."""
    port_id, port = _first_port(layer, layer.inputs)
    name = _first(layer.output_names)
    if not name:
        from_layer, from_port = reader.edges[layer.id, port_id]
        source = {one.id: one for one in reader.layers}[from_layer]
        name = _first(source.outputs[from_port].names) or source.name
    return TensorSpec(name, _dtype(port.dtype), _shape(path, name, port.sizes))


def _first_port(layer: _Layer, ports: dict[str, _Port]) -> tuple[str, _Port]:
    for port_id, port in ports.items():
        return port_id, port
    raise _Refused(f"its {layer.type} `{layer.name[:80]}` has no port")


def _shape(path: Path, name: str, sizes: list[str]) -> tuple[int | str, ...]:
    """Fixed sizes, and made-up names where the size is free (``?``, ``-1``) or a range (``1..8``)."""
    fixed = [int(size) if size.isdecimal() else None for size in sizes]
    shape_of(path, f"`{name}`", [size for size in fixed if size is not None])
    return tuple(free_dimension(name, axis) if size is None else size for axis, size in enumerate(fixed))


def _dtype(word: str) -> str:
    word = word.lower()
    integer = _INTEGER.fullmatch(word)
    if integer:
        return f"{'int' if integer[1] == 'i' else 'uint'}{integer[2]}"
    return _DTYPES.get(word, word)


def _first(names: str) -> str:
    return _COMMA.split(names)[0].replace("\\,", ",")


def _split(sizes: str) -> list[str]:
    return [size.strip() for size in sizes.split(",")] if sizes.strip() else []
