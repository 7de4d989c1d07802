"""What artifacts say of themselves, and that a damaged one is one clear error."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bench.artifacts import KINDS, ArtifactError, ArtifactFacts, kind_of, read
from bench.artifacts.parameters import Count
from bench.device.adapter import TensorSpec

PARAMETERS = 36 + 4 + 4 + 4 + 1440 + 10
FOLDED = 36 + 4 + 1440 + 10
"""An exporter folds the normalisation into the convolution."""
VERSION = torch.__version__


def read_or_refuse(kind: str, path: Path) -> ArtifactFacts | None:
    """Facts, or None for one clear sentence; anything else raises."""
    try:
        facts = read(kind, path)
    except ArtifactError as error:
        message = str(error)
        assert message.startswith(str(path)), message
        assert "\n" not in message
        assert len(message) < 400 + len(str(path))
        return None
    assert facts.size_bytes > 0
    return facts


def test_an_onnx_model_tells_what_goes_in_and_out_and_who_wrote_it(made: dict[str, Path]) -> None:
    facts = read("onnx", made["onnx"])
    (image,), (logits, label) = facts.inputs or (), facts.outputs or ()
    assert (image.name, image.dtype, image.shape[1:]) == ("image", "float32", (1, 8, 8))
    assert isinstance(image.shape[0], str)
    assert (logits.name, logits.dtype, logits.shape) == ("logits", "float32", (image.shape[0], 10))
    assert (label.name, label.dtype, label.shape) == ("label", "int64", (image.shape[0],))
    assert facts.parameters is not None
    assert FOLDED <= facts.parameters.likely <= PARAMETERS + 8
    assert PARAMETERS in facts.parameters
    assert (facts.producer, facts.producer_version) == ("pytorch", VERSION)
    assert facts.opset is not None
    assert facts.opset >= 17
    assert facts.size_bytes == made["onnx"].stat().st_size


def test_a_torchscript_archive_tells_its_parameters_without_buffers(made: dict[str, Path]) -> None:
    for suffix in (".pt", ".traced.pt"):
        facts = read("torchscript", made["torchscript"].with_suffix(suffix))
        assert facts.parameters == Count.exactly(PARAMETERS)
        assert (facts.producer, facts.inputs, facts.outputs) == ("pytorch", None, None)


def test_a_frozen_torchscript_archive_tells_its_constants(made: dict[str, Path]) -> None:
    facts = read("torchscript", made["torchscript"].with_suffix(".frozen.pt"))
    assert facts.parameters is not None
    assert FOLDED <= facts.parameters.likely <= PARAMETERS + 8 + 4
    assert PARAMETERS in facts.parameters


def test_an_exported_program_tells_its_parameters_shapes_and_version(made: dict[str, Path]) -> None:
    facts = read("torch-export", made["torch-export"])
    (image,), (logits, label) = facts.inputs or (), facts.outputs or ()
    assert (image.name, image.dtype, image.shape[1:]) == ("image", "float32", (1, 8, 8))
    assert str(image.shape[0]).startswith("s")
    assert logits.shape == (image.shape[0], 10)
    assert (label.dtype, label.shape) == ("int64", (image.shape[0],))
    assert (facts.producer, facts.producer_version) == ("pytorch", VERSION)
    assert facts.parameters == Count.exactly(PARAMETERS)


def test_an_openvino_ir_tells_its_shapes_and_counts_its_weights_file(made: dict[str, Path]) -> None:
    facts = read("openvino", made["openvino"])
    assert facts.inputs == (TensorSpec("image", "float32", ("image:0", 1, 8, 8)),)
    assert facts.outputs is not None
    assert [(one.name, one.dtype, one.shape[1:]) for one in facts.outputs] == [
        ("logits", "float32", (10,)),
        ("label", "int64", ()),
    ]
    assert facts.parameters is not None
    assert FOLDED <= facts.parameters.likely <= PARAMETERS + 8
    assert PARAMETERS in facts.parameters
    assert facts.producer == "openvino"
    weights = made["openvino"].with_suffix(".bin")
    assert facts.size_bytes == made["openvino"].stat().st_size + weights.stat().st_size
    assert read("openvino", made["openvino"], (weights,)) == facts


def test_a_state_file_tells_its_parameters(made: dict[str, Path]) -> None:
    facts = read("safetensors", made["safetensors"])
    assert facts.parameters == Count(1440, 1450, 1450)
    assert (facts.producer, facts.inputs) == ("pytorch", None)


def test_a_tflite_model_tells_its_shapes_and_counts_its_weights(made: dict[str, Path]) -> None:
    facts = read("tflite", made["tflite"])
    assert facts.inputs == (TensorSpec("image", "float32", ("image:0", 1, 8, 8)),)
    assert facts.outputs == (TensorSpec("logits", "float32", ("logits:0", 10)),)
    assert facts.parameters is not None
    assert facts.parameters.likely == 9930
    assert 9930 in facts.parameters
    assert (facts.producer, facts.opset) == (None, None)
    assert facts.size_bytes == made["tflite"].stat().st_size


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_is_known_by_the_name_of_its_file(made: dict[str, Path], kind: str) -> None:
    assert kind_of(made[kind]) == kind


def test_a_file_whose_name_tells_no_kind_is_refused() -> None:
    with pytest.raises(ArtifactError, match=r"model.txt: a model file ends in \.onnx"):
        kind_of(Path("model.txt"))


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_no_file_or_another_kind_of_file_is_one_clear_error(
    made: dict[str, Path], kind: str, tmp_path: Path
) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "text").write_text("hello\n" * 100)
    others = [path for other, path in made.items() if other != kind]
    for path in (tmp_path, tmp_path / "missing", tmp_path / "pipe", tmp_path / "empty", tmp_path / "text", *others):
        assert read_or_refuse(kind, path) is None, path


def test_a_kind_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="`pickle` is no kind of artifact"):
        read("pickle", tmp_path)


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_cut_off_anywhere_is_never_more_than_one_clear_error(
    made: dict[str, Path], kind: str, tmp_path: Path
) -> None:
    data = made[kind].read_bytes()
    path = tmp_path / made[kind].name
    if kind == "openvino":
        path.with_suffix(".bin").write_bytes(made[kind].with_suffix(".bin").read_bytes())
    survivors = 0
    for end in range(0, len(data), max(1, len(data) // 150)):
        path.write_bytes(data[:end])
        survivors += read_or_refuse(kind, path) is not None
    assert survivors <= 1  # an ONNX file may be whole up to what it says last


@pytest.mark.parametrize("kind", KINDS)
@settings(deadline=None, max_examples=120, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(flips=st.lists(st.tuples(st.integers(0, 1 << 30), st.integers(1, 255)), min_size=1, max_size=4))
def test_flipped_bytes_give_facts_or_one_clear_error(
    made: dict[str, Path], kind: str, tmp_path: Path, flips: list[tuple[int, int]]
) -> None:
    data = bytearray(made[kind].read_bytes())
    for at, flip in flips:
        data[at % len(data)] ^= flip
    path = tmp_path / made[kind].name
    path.write_bytes(data)
    if kind == "openvino":
        path.with_suffix(".bin").write_bytes(made[kind].with_suffix(".bin").read_bytes())
    read_or_refuse(kind, path)


def test_reading_any_artifact_imports_no_framework(made: dict[str, Path]) -> None:
    code = (
        "import sys; from pathlib import Path; from bench.artifacts import KINDS, read\n"
        "for kind, path in zip(KINDS, sys.argv[1:]): read(kind, Path(path))\n"
        "names = ('torch', 'openvino', 'onnxruntime', 'safetensors', 'ai_edge_litert', 'flatbuffers')\n"
        "print([name for name in names if name in sys.modules])"
    )
    told = subprocess.run(
        [sys.executable, "-c", code, *map(str, made.values())], capture_output=True, text=True, check=True
    )
    assert told.stdout == "[]\n"
