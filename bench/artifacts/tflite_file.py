"""TFLite (LiteRT): the model's own words, read from its FlatBuffer and never loaded by a runtime."""

from __future__ import annotations

import math
from pathlib import Path

from bench.artifacts.facts import MAX_DIMENSION, ArtifactError, ArtifactFacts, regular_size, size_of
from bench.artifacts.parameters import Stored, in_graph
from bench.device import flatbuffer, tflite
from bench.device.tflite import Constant, TfLite

_MERGED_ELEMENTS = 1024
"""Equal constants of up to so many elements are merged by converters; larger ones are seldom equal."""


def read(path: Path, companions: tuple[Path, ...]) -> ArtifactFacts:
    """The facts of a TFLite model: of its first graph, which is what is run."""
    regular_size(path)
    try:
        model = tflite.read(path)
    except flatbuffer.Broken as error:
        raise ArtifactError(f"{path}: is not a whole TFLite model: {error}") from error
    _check(path, model)
    return ArtifactFacts(
        kind="tflite",
        inputs=model.inputs,
        outputs=model.outputs,
        parameters=in_graph(_stored(one) for one in model.constants),
        producer=None,  # a description says "MLIR Converted.", whatever the model was made with
        producer_version=None,
        opset=None,
        size_bytes=size_of(path, companions),
    )


def _check(path: Path, model: TfLite) -> None:
    for spec in (*model.inputs, *model.outputs):
        if math.prod(size for size in spec.shape if isinstance(size, int)) >= MAX_DIMENSION:
            raise ArtifactError(f"{path}: `{spec.name[:80]}` is larger than any memory; is the file damaged?")


def _stored(one: Constant) -> Stored:
    copies = max(1, one.uses) if math.prod(one.shape) <= _MERGED_ELEMENTS else 1
    return Stored(one.dtype, one.shape, (one.shape, one.begins), copies, one.multiplies)
