"""TorchScript: which weights an archive holds, told from its pickle's words without unpickling it."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.artifacts import pickle_words
from bench.artifacts.facts import ArtifactError, ArtifactFacts, shape_of, size_of
from bench.artifacts.parameters import Count, Stored, in_graph
from bench.artifacts.pickle_words import Made, Storage
from bench.artifacts.torch_archive import TorchArchive, opened

MAX_CODE_FILES = 100_000
_CLASS = re.compile(r"^class (\w+)\(Module\):\n  __parameters__ = \[([^\]\n]*)\]", re.MULTILINE)
_CONSTANT = re.compile(r"\bCONSTANTS\.c(\d{1,9})\b")
_FORWARD = re.compile(r"^  def forward\((?P<arguments>.*?)\) -> ", re.MULTILINE | re.DOTALL)
_ARGUMENT = re.compile(r"^\s*(\w+): (\w+)", re.MULTILINE)
WEIGHTS = {
    "FloatStorage": "float32",
    "DoubleStorage": "float64",
    "HalfStorage": "float16",
    "BFloat16Storage": "bfloat16",
    "CharStorage": "int8",
    "ByteStorage": "uint8",
    "ComplexFloatStorage": "complex64",
    "ComplexDoubleStorage": "complex128",
    "QInt8Storage": "int8",
    "QUInt8Storage": "uint8",
}
"""Storages that can hold weights; others (long, int, bool) hold counters and indices."""
_TRACED = WEIGHTS | {"LongStorage": "int64", "IntStorage": "int32", "ShortStorage": "int16", "BoolStorage": "bool"}


@dataclass(frozen=True)
class Argument:
    """One argument of ``forward``: its name, its type's name, and the shape it was traced with, if it was."""

    name: str
    type: str
    dtype: str | None = None
    shape: tuple[int, ...] | None = None


def read(path: Path, companions: tuple[Path, ...]) -> ArtifactFacts:
    """The facts of a TorchScript archive; it names neither dtypes nor shapes nor the version that wrote it."""
    with opened(path) as archive:
        if "constants.pkl" not in archive.names:
            raise ArtifactError(
                f"{path}: is no TorchScript: save the model by torch.jit.save, or call it `state-dict` if it is one"
            )
        parameters = _parameters(archive)
    return ArtifactFacts(
        kind="torchscript",
        inputs=None,
        outputs=None,
        parameters=parameters,
        producer="pytorch",
        producer_version=None,
        opset=None,
        size_bytes=size_of(path, companions),
    )


def arguments(path: Path) -> tuple[Argument, ...]:
    """What the model's ``forward`` takes, as far as the archive tells."""
    with opened(path) as archive:
        root = pickle_words.read(archive.read("data.pkl"), path)
        code = _code_of(archive, root.kind) if isinstance(root, Made) else ""
        forward = _FORWARD.search(code)
        if forward is None:
            return ()
        named = _ARGUMENT.findall(forward["arguments"])[1:]
        traced = _traced_shapes(archive)
        if len(traced) != len(named):
            return tuple(Argument(name, kind) for name, kind in named)
        return tuple(Argument(name, kind, *one) for (name, kind), one in zip(named, traced, strict=True))


def _parameters(archive: TorchArchive) -> Count:
    """Elements of the attributes that the classes name as parameters; at most all tensors where they name none.

    A frozen model has no parameters by name any more: its weights are constants, among others, and its
    batch norms are folded away.
    """
    data = pickle_words.read(archive.read("data.pkl"), archive.path)
    names = _parameter_names(archive)
    if any(names.values()):
        found: dict[object, int] = {}
        for made in pickle_words.objects(data):
            for name in names.get(made.kind, ()):
                found.update(
                    ((key, offset, shape), math.prod(shape))
                    for key, offset, shape, _ in _tensors(archive.path, made.fields.get(name))
                )
        return Count.exactly(sum(found.values()))
    return in_graph([*_stored(archive.path, data), *_constants(archive)])


def _stored(path: Path, drawing: Any, copies: int = 1) -> Iterator[Stored]:
    """Every tensor in a drawing, a view of one storage once."""
    for one in dict.fromkeys(_tensors(path, drawing)):
        yield Stored(one[3], one[2], one[:3], copies)


def _constants(archive: TorchArchive) -> Iterator[Stored]:
    """The constants, each as often as the code names it: freezing merges equal ones."""
    constants = pickle_words.read(archive.read("constants.pkl"), archive.path)
    files = [name for name in archive.names if name.startswith("code/") and name.endswith(".py")]
    uses = Counter(int(index) for file in files for index in _CONSTANT.findall(archive.read(file).decode("latin-1")))
    for index, constant in enumerate(constants if isinstance(constants, list | tuple) else [constants]):
        yield from _stored(archive.path, constant, max(1, uses[index]))


def _tensors(path: Path, drawing: Any) -> Iterator[tuple[str, int, tuple[int, ...], str]]:
    """(key of its storage, offset, shape, dtype) of every tensor in a drawing."""
    for made in pickle_words.objects(drawing):
        match made.arguments:
            case (Storage() as storage, int() as offset, tuple() as size, *_):
                yield storage.key, offset, shape_of(path, "a tensor", size), WEIGHTS.get(storage.kind, "")


def _parameter_names(archive: TorchArchive) -> dict[str, tuple[str, ...]]:
    """Class, by its whole name -> the names of its parameters."""
    files = [name for name in archive.names if name.startswith("code/") and name.endswith(".py")]
    if len(files) > MAX_CODE_FILES:
        raise ArtifactError(f"{archive.path}: has {len(files)} files of code; at most {MAX_CODE_FILES} are read")
    found = {}
    for file in files:
        module = file[len("code/") : -len(".py")].replace("/", ".")
        for name, parameters in _CLASS.findall(archive.read(file).decode(errors="replace")):
            found[f"{module}.{name}"] = tuple(re.findall(r'"([^"]*)"', parameters))
    return found


def _code_of(archive: TorchArchive, kind: str) -> str:
    """The source of one class, from its line on."""
    module, _, name = kind.rpartition(".")
    file = f"code/{module.replace('.', '/')}.py"
    source = archive.read(file).decode(errors="replace") if file in archive.names else ""
    return source[source.index(f"class {name}(") :] if f"class {name}(" in source else ""


def _traced_shapes(archive: TorchArchive) -> list[tuple[str, tuple[int, ...]]]:
    """(dtype, shape) of each tensor that ``forward`` was traced with; empty for a scripted model."""
    if "traced_inputs.pkl" not in archive.names:
        return []
    found = []
    for made in pickle_words.objects(pickle_words.read(archive.read("traced_inputs.pkl"), archive.path)):
        if made.kind == "torch._utils._rebuild_tensor_v2" and len(made.arguments) > 2:
            storage, shape = made.arguments[0], made.arguments[2]
            if isinstance(storage, Storage) and isinstance(shape, tuple) and all(type(one) is int for one in shape):
                found.append((_TRACED.get(storage.kind, storage.kind), shape))
    return found
