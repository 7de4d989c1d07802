"""What a target may say to TensorRT, what of it goes together, and the shapes that an engine is built for; pure."""

from __future__ import annotations

import re
from typing import Any, Dict, List, Mapping, NamedTuple, Tuple

from backends import options, staging
from bench.device.adapter import CHOICE, ModelFiles, Settings
from bench.device.declared import Conflict, Declared, OneOf, Size, bytes_of

ENGINE, ONNX = "tensorrt-engine", "onnx"
SIZES, WORKSPACE, LEVEL, CACHE, GRAPH, WAIT = (
    "sizes", "workspace limit", "optimization level", "engine cache", "cuda graph", "wait",
)  # fmt: skip
OF_BUILDING = (SIZES, WORKSPACE, LEVEL, CACHE)
OPTIONS: Mapping[str, Declared] = {
    CHOICE: OneOf("what is run; auto builds from onnx where there is one", ("auto", ONNX, ENGINE), "auto"),
    SIZES: "least, usual and largest size of each free dimension, like `batch 1/8/32, length 16/128/512`: one engine "
    "serves them all; by default each size gets an engine of its own",
    WORKSPACE: Size("memory for what is tried when an engine is built", 1 << 30),
    LEVEL: OneOf("how long the builder looks for the fastest kernels", (0, 1, 2, 3, 4, 5), 3),
    CACHE: OneOf("whether engines are kept on disk for the next process", (True, False), True),
    GRAPH: OneOf("whether a query's work is captured once and launched as one", (True, False), False),
    WAIT: OneOf("whether waiting for the GPU spins on a core or sleeps", ("spin", "sleep"), "spin"),
}
PRECISIONS = ("fp32", "tf32", "fp16", "bf16")
COMPUTES: Mapping[str, Tuple[str, ...]] = {"fp32": PRECISIONS, "fp16": ("fp16",), "bf16": ("bf16",)}
"""The precisions in which a graph of that precision can be computed; fp32 in fp16 or bf16 only before version 11."""
_SIZE = re.compile(r"\s*([A-Za-z_][\w.:]*)\s+([0-9]{1,9})/([0-9]{1,9})/([0-9]{1,9})\s*")


class Range(NamedTuple):
    """The sizes that a dimension may have; kernels are chosen for the usual one."""

    least: int
    usual: int
    most: int


class Shapes(NamedTuple):
    """The shapes that an input may have: an optimisation profile's three."""

    least: Tuple[int, ...]
    usual: Tuple[int, ...]
    most: Tuple[int, ...]


def values_of(settings: Settings) -> Dict[str, Any]:
    """Every option's value, the default where it was left out; sizes of memory in bytes."""
    found = {name: options.value_of(settings.extra, OPTIONS, name) for name in OPTIONS}
    limit = found[WORKSPACE]
    return dict(found, **{WORKSPACE: limit if isinstance(limit, int) else bytes_of(limit)})


def kinds_of(values: Mapping[str, Any]) -> Tuple[str, ...]:
    """The kinds of artifact to look for, in order."""
    chosen = values[CHOICE]
    return (ONNX, ENGINE) if chosen == "auto" else (str(chosen),)


def conflict(model: ModelFiles, settings: Settings) -> Conflict:
    """The option that does not go with the others or with the model, and why."""
    said = settings.extra
    why = _built_already(model, str(said.get(CHOICE, "auto")))
    building = next((name for name in OF_BUILDING if name in said), None)
    if why and building is not None:
        return building, why
    if SIZES not in said:
        return None
    try:
        ranges_of(str(said[SIZES]), model)
    except ValueError as error:
        return SIZES, str(error)
    return None


def _built_already(model: ModelFiles, chosen: str) -> str:
    """Why nothing is built, for what is said of building; nothing where an engine is."""
    if chosen == ENGINE:
        return "the artifact is an engine that was built already: leave it out"
    if chosen == "auto" and ENGINE in model.artifacts and ONNX not in model.artifacts:
        return "what there is to run is an engine that was built already: leave it out, or add an `onnx` artifact"
    return ""


def ranges_of(text: str, model: ModelFiles) -> Dict[str, Range]:
    """The sizes of every free dimension; ValueError says what is wrong with the text and what would be right."""
    free, found = free_dimensions(model), {}
    for part in text.split(","):
        read = _SIZE.fullmatch(part)
        if read is None:
            raise ValueError("`%s` is not a dimension with three sizes: write it like `batch 1/8/32`" % part.strip())
        name, numbers = read.group(1), Range(*(int(number) for number in read.groups()[1:]))
        if name not in free:
            raise ValueError("`%s` is no free dimension of the inputs: %s" % (name, _listed(free)))
        if not 1 <= numbers.least <= numbers.usual <= numbers.most:
            raise ValueError("the sizes of `%s` are least/usual/largest, in that order and at least 1" % name)
        found[name] = numbers
    missing = [name for name in free if name not in found]
    if missing:
        raise ValueError("`%s` is free, too: give it three sizes" % missing[0])
    return found


def free_dimensions(model: ModelFiles) -> List[str]:
    """The names in the inputs' shapes to which the contract gives no value."""
    names = [size for spec in model.inputs for size in spec.shape if isinstance(size, str)]
    return [name for name in dict.fromkeys(names) if name not in model.dims]


def exactly(sizes: Mapping[str, int]) -> Dict[str, Range]:
    """Ranges that hold these sizes alone."""
    return {name: Range(size, size, size) for name, size in sizes.items()}


def shapes_of(model: ModelFiles, ranges: Mapping[str, Range]) -> Dict[str, Shapes]:
    """The shapes of every input within the ranges."""
    thirds = [{**model.dims, **{name: one[at] for name, one in ranges.items()}} for at in range(3)]
    found = {}
    for spec in model.inputs:
        least, usual, most = (staging.resolve(spec, sizes) or () for sizes in thirds)
        found[spec.name] = Shapes(least, usual, most)
    return found


def shown(shapes: Mapping[str, Shapes]) -> str:
    """``x 1x3x224x224`` or ``x 1x8 to 32x8``, for a reader."""
    parts = []
    for name, one in shapes.items():
        ends = list(dict.fromkeys("x".join(map(str, shape)) or "scalar" for shape in (one.least, one.most)))
        parts.append("%s %s" % (name, " to ".join(ends)))
    return ", ".join(parts)


def _listed(names: List[str]) -> str:
    return "free are %s" % ", ".join("`%s`" % name for name in names) if names else "none is free"
