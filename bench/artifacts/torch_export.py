"""``torch.export`` archives: the exported program is JSON, so it is read as JSON; nothing is unpickled."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.artifacts.facts import ArtifactError, ArtifactFacts, free_dimension, shape_of, size_of
from bench.artifacts.parameters import Count
from bench.artifacts.torch_archive import TorchArchive, opened
from bench.device.adapter import TensorSpec

PROGRAMS = ("models/model.json", "serialized_exported_program.json", "data/serialized_exported_program.json")
"""Where the program stands: since torch 2.7, and before."""
WEIGHTS = "data/weights/model_weights_config.json"
_DTYPES = {
    1: "uint8",
    2: "int8",
    3: "int16",
    4: "int32",
    5: "int64",
    6: "float16",
    7: "float32",
    8: "float64",
    9: "complex32",
    10: "complex64",
    11: "complex128",
    12: "bool",
    13: "bfloat16",
    28: "uint16",
    29: "float8_e4m3fn",
    30: "float8_e5m2",
    34: "uint32",
    35: "uint64",
}
"""The schema's own numbers of scalar types (torch/_export/serde/schema.py)."""
_SYMBOL = re.compile(r"Symbol\('(\w+)'[^()]*\)")


def read(path: Path, companions: tuple[Path, ...]) -> ArtifactFacts:
    """The facts of a ``.pt2`` file. A symbolic dimension has the name that the exporter gave it (``s77``)."""
    with opened(path) as archive:
        program = _program(archive)
        files = _weight_files(archive)
    try:
        values = program["graph_module"]["graph"]["tensor_values"]
        signature = program["graph_module"]["signature"]
        stored = dict(_stored(signature["input_specs"], files))
        return ArtifactFacts(
            kind="torch-export",
            inputs=_specs(path, values, signature["input_specs"], "user_input"),
            outputs=_specs(path, values, signature["output_specs"], "user_output"),
            parameters=Count.exactly(sum(_elements(path, values, name) for name in stored.values())),
            producer="pytorch",
            producer_version=_version(program),
            opset=None,
            size_bytes=size_of(path, companions),
        )
    except (LookupError, TypeError, AttributeError, ValueError) as error:
        raise ArtifactError(f"{path}: its program is not written as torch.export writes one ({error!r:.80})") from error


def examples(path: Path) -> dict[str, int]:
    """Symbolic dimension -> the size it had in the example that the model was exported with."""
    with opened(path) as archive:
        program = _program(archive)
    found = {}
    try:
        for value in program["graph_module"]["graph"]["tensor_values"].values():
            for size in value["sizes"]:
                hint = (size.get("as_expr") or {}).get("hint") or {}
                if type(hint.get("as_int")) is int and hint["as_int"] > 0:
                    found[_size(path, "", 0, size)] = hint["as_int"]
    except (LookupError, TypeError, AttributeError, ValueError) as error:
        raise ArtifactError(f"{path}: its program is not written as torch.export writes one ({error!r:.80})") from error
    return {str(name): size for name, size in found.items()}


def _program(archive: TorchArchive) -> dict[str, Any]:
    name = next((name for name in PROGRAMS if name in archive.names), None)
    if name is None:
        raise ArtifactError(f"{archive.path}: holds no exported program; save the model by torch.export.save")
    program = _json(archive, name)
    if not isinstance(program, dict):
        raise ArtifactError(f"{archive.path}: its program is not written as torch.export writes one")
    return program


def _json(archive: TorchArchive, name: str) -> Any:
    try:
        return json.loads(archive.read(name))
    except (ValueError, RecursionError) as error:
        raise ArtifactError(f"{archive.path}: its `{name}` is not readable") from error


def _weight_files(archive: TorchArchive) -> dict[str, str]:
    """Parameter -> the member that holds it; two parameters that share a member are one. Empty before torch 2.7."""
    if WEIGHTS not in archive.names:
        return {}
    table = _json(archive, WEIGHTS)
    try:
        return {str(name): str(entry["path_name"]) for name, entry in table["config"].items()}
    except (LookupError, TypeError, AttributeError) as error:
        raise ArtifactError(f"{archive.path}: its `{WEIGHTS}` is not as it should be") from error


def _stored(specs: list[dict[str, Any]], files: dict[str, str]) -> Iterator[tuple[str, str]]:
    """(where it is kept, graph name) of each parameter."""
    for spec in specs:
        if "parameter" in spec:
            name = spec["parameter"]["parameter_name"]
            yield files.get(name, name), spec["parameter"]["arg"]["name"]


def _specs(path: Path, values: dict[str, Any], specs: list[dict[str, Any]], kind: str) -> tuple[TensorSpec, ...] | None:
    """What goes in or comes out; None where something does that is no tensor with a told shape."""
    found = []
    for spec in specs:
        if kind not in spec:
            continue
        argument = spec[kind]["arg"]
        if "as_none" in argument:
            continue
        if "as_tensor" not in argument:
            return None
        name = str(argument["as_tensor"]["name"])
        sizes = tuple(_size(path, name, axis, size) for axis, size in enumerate(values[name]["sizes"]))
        found.append(TensorSpec(name, _DTYPES[values[name]["dtype"]], sizes))
    return tuple(found)


def _size(path: Path, name: str, axis: int, size: dict[str, Any]) -> int | str:
    """A fixed size, or the symbol (of an expression such as ``2*s0`` the whole text)."""
    if "as_int" in size:
        return shape_of(path, f"`{name}`", [size["as_int"]])[0]
    text = _SYMBOL.sub(r"\1", str(size["as_expr"]["expr_str"])).replace(" ", "")
    return text[:80] or free_dimension(name, axis)


def _elements(path: Path, values: dict[str, Any], name: str) -> int:
    sizes = [size["as_int"] for size in values[name]["sizes"]]
    return math.prod(shape_of(path, f"parameter `{name}`", sizes))


def _version(program: dict[str, Any]) -> str | None:
    version = program.get("torch_version")
    return str(version)[:80] if version else None
