"""The demo's model: every exported file is the model that the contracts describe, and it can be made again."""

from __future__ import annotations

import re
import runpy
import subprocess
import sys
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

ROOT = Path(__file__).resolve().parents[2]
DIGITS = ROOT / "configs" / "digits"
Array = npt.NDArray[Any]


def array(path: Path, name: str) -> Array:
    with np.load(path, allow_pickle=False) as arrays:
        found: Array = arrays[name]
        return found


IMAGES = array(DIGITS / "validation.npz", "image")
LABELS = array(DIGITS / "labels.npz", "labels")
LOGITS = array(DIGITS / "reference.npz", "logits")


def onnxruntime_answer(folder: Path, images: Array) -> Array:
    import onnxruntime  # type: ignore[import-untyped]

    session = onnxruntime.InferenceSession(folder / "digits.onnx", providers=["CPUExecutionProvider"])
    return np.asarray(session.run(["logits"], {"image": images})[0])


def openvino_answer(name: str) -> Callable[[Path, Array], Array]:
    def answer(folder: Path, images: Array) -> Array:
        import openvino  # type: ignore[import-untyped]

        model = openvino.Core().compile_model(folder / name, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
        return np.asarray(model({"image": images})["logits"])

    return answer


def torchscript_answer(folder: Path, images: Array) -> Array:
    import torch

    with warnings.catch_warnings(), torch.inference_mode():
        warnings.simplefilter("ignore", DeprecationWarning)  # torch announces that TorchScript is the older way
        model = torch.jit.load(folder / "digits.ts.pt")  # type: ignore[no-untyped-call]
        logits: Array = model(torch.from_numpy(images)).numpy()
    return logits


def torch_export_answer(folder: Path, images: Array) -> Array:
    import torch

    with torch.inference_mode():
        logits: Array = torch.export.load(folder / "digits.pt2").module()(torch.from_numpy(images)).numpy()
    return logits


def litert_answer(folder: Path, images: Array) -> Array:
    from ai_edge_litert.interpreter import Interpreter  # type: ignore[import-untyped]

    interpreter = Interpreter(str(folder / "digits.tflite"), num_threads=1)
    interpreter.resize_tensor_input(interpreter.get_input_details()[0]["index"], list(images.shape))
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], images)
    interpreter.invoke()
    return np.array(interpreter.get_tensor(interpreter.get_output_details()[0]["index"]))


ANSWERS = {
    "onnx": onnxruntime_answer,
    "onnx-in-openvino": openvino_answer("digits.onnx"),
    "openvino": openvino_answer("digits.xml"),
    "torchscript": torchscript_answer,
    "torch-export": torch_export_answer,
    "tflite": litert_answer,
}
each_artifact = pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS.keys())


@each_artifact
@pytest.mark.parametrize("batch", [1, 7, 360])
def test_every_artifact_answers_as_the_trained_model_did(answer: Callable[[Path, Array], Array], batch: int) -> None:
    logits = answer(DIGITS, IMAGES[:batch])
    np.testing.assert_allclose(logits, LOGITS[:batch], atol=1e-4)
    assert logits.dtype == np.float32


def test_the_tflite_model_answers_as_onnx_runtime_does() -> None:
    np.testing.assert_allclose(litert_answer(DIGITS, IMAGES), onnxruntime_answer(DIGITS, IMAGES), rtol=1e-5, atol=1e-5)


def test_the_model_is_as_good_as_the_contract_asks() -> None:
    assert (LOGITS.argmax(axis=1) == LABELS).mean() >= 0.97


def test_the_validation_set_is_held_out_of_the_real_digits() -> None:
    images, _, held, labels = runpy.run_path(str(DIGITS / "train.py"))["load_split"]()
    np.testing.assert_array_equal(held, IMAGES)
    np.testing.assert_array_equal(labels, LABELS)
    assert len(images) + len(held) == 1797
    learned = {image.tobytes() for image in images}
    assert not any(image.tobytes() in learned for image in held)


def test_the_files_are_small_enough_to_live_in_the_repository() -> None:
    assert sum(path.stat().st_size for path in DIGITS.iterdir() if path.is_file()) < 500_000


def test_no_file_holds_a_path_of_the_machine_it_was_made_on() -> None:
    for path in DIGITS.iterdir():
        if path.suffix not in {".onnx", ".pt", ".pt2", ".xml", ".bin", ".npz", ".tflite"}:
            continue
        members = [path.read_bytes()]
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                members += [archive.read(name) for name in archive.namelist()]
        for data in members:
            assert not re.search(rb"site-packages|/configs/|/home/|C:\\\\|train\.py", data), path.name


def test_training_again_gives_a_model_that_keeps_the_same_contract(tmp_path: Path) -> None:
    told = ""
    for script in ("train.py", "make_tflite.py"):
        command = [sys.executable, f"configs/digits/{script}", "--out", str(tmp_path)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        told += done.stdout
    assert "parameters: 9930\n" in told
    logits = array(tmp_path / "reference.npz", "logits")
    assert (logits.argmax(axis=1) == array(tmp_path / "labels.npz", "labels")).mean() >= 0.97
    for name, answer in ANSWERS.items():
        np.testing.assert_allclose(answer(tmp_path, IMAGES), logits, atol=1e-4, err_msg=name)
    made = {path.name for path in tmp_path.iterdir()}
    assert made == {path.name for path in DIGITS.iterdir() if path.suffix != ".py" and path.is_file()}
