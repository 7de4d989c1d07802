"""What an artifact says of itself, read without its framework and without running anything in it."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from bench.artifacts.facts import ArtifactError, ArtifactFacts, regular_size

__all__ = ["KINDS", "ArtifactError", "ArtifactFacts", "companions_of", "kind_of", "read"]

KINDS = {
    "onnx": "bench.artifacts.onnx_file",
    "torchscript": "bench.artifacts.torchscript",
    "torch-export": "bench.artifacts.torch_export",
    "openvino": "bench.artifacts.openvino_ir",
    "safetensors": "bench.artifacts.safetensors_file",
    "state-dict": "bench.artifacts.state_dict",
    "tflite": "bench.artifacts.tflite_file",
}
"""Kind of artifact -> the module whose ``read`` knows it."""

_SUFFIXES = {".onnx": "onnx", ".pt2": "torch-export", ".pt": "torchscript", ".xml": "openvino"} | {
    ".pth": "state-dict",
    ".jit": "torchscript",
    ".ts": "torchscript",
    ".safetensors": "safetensors",
    ".tflite": "tflite",
}


def read(kind: str, path: Path, companions: tuple[Path, ...] = ()) -> ArtifactFacts:
    """The facts of an artifact; ``companions`` are the further files that the contract names with it.

    Raises ArtifactError, whose message names the file and is one sentence, for anything that is not a
    whole artifact of that kind.
    """
    if kind not in KINDS:
        raise ArtifactError(f"{path}: `{kind}` is no kind of artifact; the kinds are {', '.join(KINDS)}")
    try:
        for companion in companions:
            regular_size(companion)
        regular_size(path)
        facts: ArtifactFacts = import_module(KINDS[kind]).read(path, companions)
    except OSError as error:
        where = error.filename or path
        raise ArtifactError(f"{where}: cannot be read: {error.strerror or error}") from error
    return facts


def companions_of(kind: str, path: Path) -> tuple[Path, ...]:
    """The further files that belong to an artifact that ``read`` takes: OpenVINO's weights, ONNX external data."""
    module = import_module(KINDS[kind])
    files: list[Path] = module.companions(path) if hasattr(module, "companions") else []
    return tuple(sorted(files))


def kind_of(path: Path) -> str:
    """The kind of artifact that a file is by its name; ArtifactError where its name tells none.

    ``.pt`` and ``.pth`` are said of two kinds: of those the archive itself tells, where there is one.
    """
    if path.suffix.lower() not in _SUFFIXES:
        raise ArtifactError(
            f"{path}: a model file ends in {', '.join(_SUFFIXES)}; `{path.suffix}` tells no kind of artifact"
        )
    kind = _SUFFIXES[path.suffix.lower()]
    return _kind_inside(path, kind) if path.suffix.lower() in (".pt", ".pth") else kind


def _kind_inside(path: Path, kind: str) -> str:
    from bench.artifacts.torch_archive import opened

    try:
        with opened(path) as archive:
            if "data.pkl" in archive.names:
                return "torchscript" if "constants.pkl" in archive.names else "state-dict"
    except (ArtifactError, OSError):
        pass  # whoever reads the file says what is wrong with it
    return kind
