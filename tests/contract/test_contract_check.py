"""``check`` looks at all that a contract names, without measuring and without importing a framework."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from bench import registry
from bench.__main__ import main
from bench.contract import check_arrays, check_settings, check_values
from bench.contract.check import Checked, check
from bench.contract.check_backends import is_installed
from bench.contract.load import load
from bench.contract.problems import ContractProblems
from bench.device import gpu_named
from tests.contract.contracts import changed, write

CONFIGS = Path(__file__).parents[2] / "configs"
FILES = {"onnx": "digits.onnx", "torch-export": "digits.pt2", "openvino": "digits.xml", "torchscript": "digits.ts.pt"}
BINARY = CONFIGS / "digits" / "digits.bin"


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


TEXT = f"""\
benchpact: 1
model: {{name: digits-cnn, version: 1, framework: pytorch, framework version: 2.13.0, parameters: 9930}}
artifacts:
  onnx: {{path: digits.onnx, sha256: {sha256(CONFIGS / "digits" / "digits.onnx")}}}
inputs:
  image: {{dtype: float32, shape: [batch, 1, 8, 8]}}
outputs:
  logits: {{dtype: float32, shape: [batch, 10]}}
batch: batch
validation:
  samples: validation.npz
  labels: labels.npz
  predictions: reference.npz
limits:
  single-stream: {{latency p99: 5 ms}}
  accuracy: {{top-1: 97 %}}
  agreement: {{max abs difference: 1e-3}}
targets:
  ort-1: {{backend: onnxruntime, options: {{graph optimization: all}}}}
"""


def checked(folder: Path, text: str = TEXT) -> Checked:
    return check(load(write(folder, text)))


def told(folder: Path, text: str = TEXT) -> list[str]:
    """The problems as ``line:column: message``."""
    file = f"{folder / 'contract.yaml'}:"
    return [str(problem).removeprefix(file) for problem in checked(folder, text).problems]


def noted(folder: Path, text: str = TEXT) -> list[str]:
    """The notices of a contract without problems, as ``line:column: message``."""
    found = checked(folder, text)
    assert found.problems == ()
    return [notice.removeprefix(f"{folder / 'contract.yaml'}:") for notice in found.notices]


def save(folder: Path, name: str, arrays: Mapping[str, Any]) -> None:
    np.savez(folder / name, **arrays)


def test_a_contract_that_is_true_has_no_problems_and_nothing_to_note(folder: Path) -> None:
    assert checked(folder) == Checked()


@pytest.mark.parametrize(("name", "known"), [("gpu", True), ("edge-h200", True), ("mali-gpu", False), ("cpu", False)])
def test_a_target_on_the_cpu_that_goes_by_a_gpus_name_is_noted(name: str, known: bool, folder: Path) -> None:
    """Its numbers would stand under that name in every report."""
    found = noted(folder, TEXT.replace("  ort-1:", f"  {name}:", 1))
    assert [note for note in found if f"target `{name}` runs on `cpu`, whatever its name says" in note] == found
    assert len(found) == known


def test_the_project_s_own_contracts_are_true(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check_settings, "usable_cores", lambda: 2)
    for name in ("demo.yaml", "streaming.yaml"):
        found = check(load(CONFIGS / name))
        assert (found.problems, found.notices) == ((), ())


def test_all_kinds_of_artifact_are_looked_at(folder: Path) -> None:
    more = "".join(f"  {kind}: {FILES[kind]}\n" for kind in ("torchscript", "torch-export"))
    more += f"  openvino: {{path: digits.xml, files: [{{path: digits.bin, sha256: {sha256(BINARY)}}}]}}\n"
    found = noted(folder, changed("inputs:\n", f"{more}inputs:\n", TEXT))
    files = {5: "digits.ts.pt", 6: "digits.pt2", 7: "digits.xml"}
    for notice, (line, file) in zip(found, files.items(), strict=True):
        assert notice.startswith(f"{line}:") and f": {file} has no sha256 in the contract: add `sha256: " in notice
    assert f"add `sha256: {sha256(folder / 'digits.pt2')}`" in found[1]


def test_every_problem_is_told_at_once(folder: Path) -> None:
    text = changed("parameters: 9930", "parameters: 90", TEXT)
    text = changed("labels: labels.npz", "labels: label.npz", text)
    text = changed("graph optimization: all", "graph optimisation: all", text)
    found = told(folder, text)
    assert [one.split(":")[0] for one in found] == ["2", "12", "19"]
    with pytest.raises(ContractProblems):
        checked(folder, text).refuse()
    checked(folder).refuse()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("path: digits.onnx", "path: digit.onnx", "4:16: `digit.onnx`: there is no such file: did you mean"),
        ("path: digits.onnx", "path: model/digits.onnx", "there is no such file and no folder `model`"),
        ("labels: labels.npz", "labels: label.npz", "12:11: `label.npz`: there is no such file: did you mean"),
        ("samples: validation.npz", "samples: labels.npz", "11:12: the samples have no array `image`: known are"),
        ("parameters: 9930", "parameters: 19860", "the onnx artifact is of a model with 4936 to"),
        ("image: {dtype: float32", "image: {dtype: float64", "6:3: input `image` is float32 in the onnx artifact"),
        ("[batch, 1, 8, 8]", "[batch, 3, 8, 8]", "dimension 1 of input `image` is 3 here, and fixed at 1 in the onnx"),
        ("[batch, 1, 8, 8]", "[batch, 64]", "input `image` has 2 dimensions here, 4 in the onnx artifact"),
        ("  image: {", "  images: {", "the onnx artifact has no input `images`: did you mean `image`?"),
        ("  image: {", "  images: {", "the onnx artifact has an input `image`, float32 [batch, 1, 8, 8]: the contract"),
        ("  logits: {", "  logit: {", "8:3: the onnx artifact has no output `logit`: did you mean `logits`?"),
        ("[batch, 10]", "[batch, 11]", "dimension 1 of output `logits` is 11 here, and fixed at 10 in the onnx"),
        ("top-1: 97 %", "top-11: 97 %", "16:22: `top-11` of 10 classes is always right: write a smaller k"),
        ("top-1: 97 %", "no_such_module:score: at most 1", "there is no module `no_such_module`: put"),
        ("  labels: labels.npz\n", "", "`top-1` needs labels: write `labels: FILE.npz` under `validation`"),
        ("  predictions: reference.npz\n", "", "`max abs difference` needs predictions: write `predictions: FILE.npz`"),
        ("graph optimization: all", "grph optimization: all", "has no option `grph optimization`: did you mean `graph"),
    ],
)  # fmt: skip
def test_what_is_not_true_is_told_where_it_stands(folder: Path, old: str, new: str, message: str) -> None:
    assert message in "\n".join(told(folder, changed(old, new, TEXT)))


def test_a_file_that_was_changed_is_not_the_one_that_was_handed_over(folder: Path) -> None:
    path = folder / "digits.onnx"
    path.write_bytes(path.read_bytes()[:-1] + b"\0")
    (problem,) = told(folder)
    assert problem.startswith("4:37: `digits.onnx` is not the file that was handed over: its SHA-256 is ")


def test_a_second_file_is_held_to_its_own_hash_in_its_own_place(folder: Path) -> None:
    line = f"  openvino: {{path: digits.xml, files: [{{path: digits.bin, sha256: {'0' * 64}}}]}}\n"
    (problem,) = told(folder, changed("inputs:\n", f"{line}inputs:\n", TEXT))
    assert problem.startswith("5:67: `digits.bin` is not the file that was handed over")


def with_openvino(files: str) -> str:
    line = f"  openvino: {{path: digits.xml, sha256: {sha256(CONFIGS / 'digits' / 'digits.xml')}{files}}}\n"
    return changed("inputs:\n", f"{line}inputs:\n", TEXT)


def test_weights_beside_an_artifact_with_a_hash_must_have_one_too(folder: Path) -> None:
    (problem,) = told(folder, with_openvino(""))
    line = f"{{path: digits.bin, sha256: {sha256(BINARY)}}}"
    assert problem.startswith("5:20: digits.bin belongs to digits.xml and has no sha256 in the contract")
    assert problem.endswith(f"add `files: [{line}]` beside its sha256")
    (problem,) = told(folder, with_openvino(", files: [digits.bin]"))
    assert problem.endswith(f"`digits.bin` has no sha256, but digits.xml, which it belongs to, has one: write `{line}`")
    assert told(folder, with_openvino(f", files: [{line}]")) == []


def test_other_weights_listed_are_not_those_that_are_loaded(folder: Path) -> None:
    shutil.copy(folder / "digits.bin", folder / "other.bin")
    (problem,) = told(folder, with_openvino(f", files: [{{path: other.bin, sha256: {sha256(BINARY)}}}]"))
    assert problem.endswith(f"add {{path: digits.bin, sha256: {sha256(BINARY)}}} to its `files`")


@pytest.mark.parametrize("name", ["digits.onnx", "digits.bin"])
def test_a_huge_file_is_refused_by_its_size_before_it_is_read(folder: Path, name: str) -> None:
    with (folder / name).open("r+b") as file:
        file.truncate(1 << 40)  # a hole: it takes no space, and hours to read
    (problem,) = told(folder, with_openvino(f", files: [{{path: digits.bin, sha256: {sha256(BINARY)}}}]"))
    assert f"`{name}` has 1 TiB; at most 64 GiB are read of one file" in problem


def test_a_large_file_that_is_no_artifact_is_refused_by_what_it_says(folder: Path) -> None:
    with (folder / "digits.xml").open("r+b") as file:
        file.truncate(60 << 30)
    (problem,) = told(folder, with_openvino(f", files: [{{path: digits.bin, sha256: {sha256(BINARY)}}}]"))
    assert problem.startswith("5:20: digits.xml: an IR of more than")


@pytest.mark.parametrize("kind", sorted(FILES))
@pytest.mark.parametrize("keep", [0, 100, 0.5])
def test_a_truncated_artifact_is_one_clear_problem(folder: Path, kind: str, keep: float) -> None:
    path = folder / FILES[kind]
    data = path.read_bytes()
    path.write_bytes(data[: int(keep * len(data)) if isinstance(keep, float) else keep])
    files = ", files: [digits.bin]" if kind == "openvino" else ""
    start = TEXT.index("  onnx:")
    text = f"{TEXT[:start]}  {kind}: {{path: {path.name}{files}}}\n{TEXT[TEXT.index('inputs:') :]}"
    found = [one for one in told(folder, text) if one.startswith("4:")]
    assert len(found) == 1
    assert path.name in found[0]
    assert str(folder) not in found[0]


def test_a_folder_is_no_artifact(folder: Path) -> None:
    (folder / "digits.onnx").unlink()
    (folder / "digits.onnx").mkdir()
    assert "`digits.onnx` is not a file" in told(folder)[0]


def test_a_dimension_that_the_artifact_leaves_free_takes_any_name_or_size(folder: Path) -> None:
    text = changed("batch: batch\n", "batch: n\n", TEXT).replace("[batch,", "[n,")
    assert told(folder, text) == []
    fixed = changed("batch: batch\n", "", TEXT).replace("[batch,", "[4,")
    assert told(folder, fixed) == []


def test_another_framework_version_is_noted_not_refused(folder: Path) -> None:
    made = "the onnx artifact was made by pytorch 2.13.0+cpu, the contract says"
    assert noted(folder, changed("version: 2.13.0", "version: 2.12.1", TEXT)) == [f"2:78: {made} 2.12.1"]
    assert noted(folder, changed("framework: pytorch", "framework: tensorflow", TEXT)) == [f"2:50: {made} tensorflow"]


def test_a_count_that_one_artifact_has_exactly_may_differ_a_little_in_another(folder: Path) -> None:
    import onnx

    model = onnx.load(folder / "digits.onnx")
    largest = max(model.graph.initializer, key=lambda one: len(one.raw_data))
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.zeros(5, np.float32), "unused"))
    assert largest.name != "unused"
    onnx.save(model, folder / "more.onnx")
    text = changed("inputs:\n", "  torch-export: digits.pt2\ninputs:\n", TEXT)
    text = text.replace(text[text.index("  onnx:") : text.index("  torch-export")], "  onnx: more.onnx\n")
    found = "the onnx artifact stores 9935 weights, the contract says 9930 parameters: exporters"
    assert found in "\n".join(noted(folder, text))


def test_a_number_of_parameters_that_is_not_said_is_noted(folder: Path) -> None:
    found = "2:8: the contract does not say its number of parameters; the onnx artifact stores 9930 weights"
    assert noted(folder, changed(", parameters: 9930", "", TEXT)) == [found]


ROWS = 360
SAMPLES = np.zeros((ROWS, 1, 8, 8), np.float32)


@pytest.mark.parametrize(
    ("name", "arrays", "message"),
    [
        ("validation.npz", {"image": SAMPLES.astype(np.float64)}, "samples of `image` are float64, not float32"),
        ("validation.npz", {"image": SAMPLES[:, 0]}, "samples of `image` have shape (360, 8, 8), which is not"),
        ("validation.npz", {"image": SAMPLES[:, 0]}, "write them as [n, 1, 8, 8], the first axis counts samples"),
        ("validation.npz", {"image": SAMPLES[:0]}, "there is no sample"),
        ("validation.npz", {"picture": SAMPLES}, "the samples have no array `image`"),
        ("validation.npz", {"image": SAMPLES[:10]}, "there are 360 labels and 10 samples: write one label a sample"),
        ("labels.npz", {"a": np.zeros(ROWS), "b": np.zeros(ROWS)}, "the labels' file has 2 arrays, none called"),
        ("labels.npz", {"labels": np.zeros(ROWS - 1)}, "there are 359 labels and 360 samples"),
        ("labels.npz", {"labels": np.zeros(())}, "there are no labels and 360 samples"),
        ("labels.npz", {"labels": np.zeros(ROWS, np.complex64)}, "the labels are complex64"),
        ("labels.npz", {"labels": np.array(["a"] * ROWS)}, "array `labels`"),
        ("labels.npz", {"labels": np.array([None] * ROWS)}, "array `labels`"),
        ("reference.npz", {"logits": np.zeros((ROWS, 9))}, "the predictions of `logits` have the shape [360, 9]"),
        ("reference.npz", {"logits": np.zeros((ROWS - 1, 10))}, "which is not 360 samples of float32 [batch, 10]"),
        ("reference.npz", {"logits": np.zeros((ROWS, 10)), "x": np.zeros(1)}, "array `x` is no output"),
        ("reference.npz", {}, "the predictions hold no output"),
    ],
)  # fmt: skip
def test_arrays_that_do_not_fit_are_told(folder: Path, name: str, arrays: dict[str, Any], message: str) -> None:
    save(folder, name, arrays)
    assert message in "\n".join(told(folder))


def test_samples_of_a_fixed_batch_are_a_multiple_of_it(folder: Path) -> None:
    fixed = changed("batch: batch\n", "", TEXT).replace("[batch,", "[7,")
    (problem,) = told(folder, fixed)
    assert problem.endswith(
        "samples of `image` have shape (360, 1, 8, 8), which is not samples of (7, 1, 8, 8): "
        "the batch size is fixed at 7, so write them as [n, 1, 8, 8] with n a multiple of 7, or as [n, 7, 1, 8, 8]"
    )
    assert told(folder, fixed.replace("[7,", "[8,")) == []


def test_arrays_that_fit_in_another_way_are_fine(folder: Path) -> None:
    np.save(folder / "labels.npy", np.zeros(ROWS, np.int32))
    save(folder, "reference.npz", {"anything": np.zeros((ROWS, 10), np.float64)})
    found = noted(folder, changed("labels.npz", "labels.npy", TEXT))
    assert found == ["13:16: the predictions' array `anything` is taken for the output `logits`"]
    save(folder, "labels.npz", {"y": np.zeros(ROWS, np.int32)})
    assert "12:11: the labels' array `y` is taken for `labels`: it is the only one" in noted(folder)


def test_an_output_without_predictions_is_named_as_not_compared(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import onnx

    model = onnx.load(folder / "digits.onnx")
    model.graph.node.append(onnx.helper.make_node("Identity", ["logits"], ["z"]))
    model.graph.output.append(onnx.helper.make_tensor_value_info("z", onnx.TensorProto.FLOAT, ["batch", 10]))
    onnx.save(model, folder / "two.onnx")
    text = changed("batch: batch\n", "  z: {dtype: float32, shape: [batch, 10]}\nbatch: batch\n", TEXT)
    text = text.replace(text[text.index("  onnx:") : text.index("inputs:")], "  onnx: two.onnx\n")
    told = "14:16: agreement is not about `z`: the predictions have no array of that name"
    assert told in noted(folder, text)
    save(folder, "reference.npz", {"anything": np.zeros((ROWS, 10))})
    assert told in noted(folder, text)
    save(folder, "reference.npz", {"logits": np.zeros((ROWS, 10)), "z": np.zeros((ROWS, 10))})
    assert "agreement" not in "\n".join(noted(folder, text))
    save(folder, "reference.npz", {"logits": np.zeros((ROWS, 10))})
    folder.joinpath("contract.yaml").write_text(text)
    assert main(["run", str(folder / "contract.yaml"), "--only", "agreement", "--results", str(folder / "r")]) == 1
    assert "agreement is not about `z`: the predictions" in " ".join(capsys.readouterr().out.split())


LABELS = np.arange(ROWS) % 10
BEYOND = np.where(np.arange(ROWS) == ROWS - 1, 12, LABELS)


@pytest.mark.parametrize(
    ("metric", "labels", "message"),
    [
        ("top-1: 97 %", BEYOND, "a label is 12, but the output has 10 classes, counted from 0"),
        ("top-1: 97 %", LABELS - 1, "a label is -1: classes count from 0"),
        ("top-1: 97 %", LABELS + 0.5, "the labels are not whole numbers: they name no classes"),
        ("top-1: 97 %", np.where(LABELS == 9, np.nan, LABELS), "the array of labels holds 36 NaN"),
        ("f1: 97 %", np.ones((ROWS, 10)), "labels of shape [360, 10] are not one-hot"),
        ("auc: 97 %", np.zeros(ROWS, int), "all labels are one class: auc compares classes"),
        ("mae: 1", LABELS, "the output is [360, 10], the labels are [360]: one value for each is needed"),
        ("r2: 0.9", np.ones((ROWS, 10)), "the labels do not vary: r2 has no meaning"),
    ],
)
def test_an_accuracy_that_labels_do_not_allow_is_told_by_the_judge_s_own_rule(
    folder: Path, metric: str, labels: Any, message: str
) -> None:
    save(folder, "labels.npz", {"labels": labels})
    (problem,) = told(folder, changed("top-1: 97 %", metric, TEXT))
    name = metric.split(":")[0]
    start = f"16:{16 + len(name)}: `{name}` cannot be computed of output `logits` and these labels: "
    assert problem.startswith(start + message)


@pytest.mark.parametrize("value", [12, -1, 0.5, np.nan])
def test_of_very_many_samples_those_are_tried_that_a_rule_stumbles_over(
    folder: Path, value: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(check_values, "MOST_VALUES", 100)
    save(folder, "labels.npz", {"labels": np.where(np.arange(ROWS) == 200, value, LABELS)})
    (problem,) = told(folder)
    assert "samples that were tried)" in problem


def test_top_k_of_all_classes_is_always_right(folder: Path) -> None:
    (problem,) = told(folder, changed("top-1: 97 %", "top-10: 97 %", TEXT))
    assert "`top-10` of 10 classes is always right" in problem


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_predictions_that_nothing_agrees_with_are_a_problem(folder: Path, value: float) -> None:
    with np.load(folder / "reference.npz") as file:
        reference = file["logits"].copy()
    reference[-1] = value
    save(folder, "reference.npz", {"logits": reference})
    assert told(folder) == [
        "13:16: the predictions of `logits` cannot be compared with: 10 of 3,600 values are NaN or infinite: "
        "write what the model gave"
    ]


@pytest.mark.parametrize("value", [np.nan, -np.inf])
def test_samples_that_are_no_numbers_are_noted_and_not_refused(folder: Path, value: float) -> None:
    samples = SAMPLES.copy()
    samples[-1, 0, 0, :3] = value
    save(folder, "validation.npz", {"image": samples})
    (found,) = noted(folder)
    assert found.startswith("11:12: 3 of 23,040 values of the samples' array `image` are NaN or infinite"), found
    assert told(folder) == []


def test_samples_outside_the_declared_range_are_noted(folder: Path) -> None:
    text = changed("[batch, 1, 8, 8]}", "[batch, 1, 8, 8], range: [0, 0.1]}", TEXT)
    save(folder, "validation.npz", {"image": SAMPLES + np.float32(0.1)})
    assert noted(folder, text) == [], "0.1 in float32 is a little more than 0.1"
    save(folder, "validation.npz", {"image": SAMPLES + np.float32(0.5)})
    (found,) = noted(folder, text)
    assert "the samples of `image` reach from 0.5 to 0.5, outside the range [0, 0.1]: correct the range" in found
    assert found.startswith("6:59: ") and told(folder, text) == []
    assert noted(folder, TEXT) == [], "a range that nobody declared is no claim"


def test_an_infinite_sample_hides_no_finite_one_outside_the_range(folder: Path) -> None:
    samples = SAMPLES.copy()
    samples[0, 0, 0, :2] = np.inf, -7
    save(folder, "validation.npz", {"image": samples})
    found = noted(folder, changed("[batch, 1, 8, 8]}", "[batch, 1, 8, 8], range: [0, 1]}", TEXT))
    assert len(found) == 2 and "reach from -7 to 0" in "".join(found)


@pytest.mark.parametrize("name", ["validation.npz", "reference.npz"])
def test_values_of_very_large_files_are_not_looked_at_and_that_is_said(
    folder: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    array, shape = {"validation.npz": ("image", SAMPLES.shape), "reference.npz": ("logits", (ROWS, 10))}[name]
    save(folder, name, {array: np.full(shape, np.nan, np.float32)})
    monkeypatch.setattr(check_arrays, "MOST_READ", 1000)
    assert f"{name} holds more than" in "".join(noted(folder)) and told(folder) == []


def test_an_array_that_no_input_takes_is_noted(folder: Path) -> None:
    save(folder, "validation.npz", {"image": SAMPLES, "more": np.zeros(3)})
    assert noted(folder) == ["11:12: the samples' array `more` is not used: it is no input"]


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04", b"not a zip", b"\x80\x04."])
@pytest.mark.parametrize("name", ["validation.npz", "labels.npz", "reference.npz"])
def test_a_file_that_is_no_npz_is_one_clear_problem(folder: Path, name: str, data: bytes) -> None:
    (folder / name).write_bytes(data)
    (problem,) = told(folder)
    assert f"`{name}`: " in problem


def test_without_samples_accuracy_is_noted_as_not_measured(folder: Path) -> None:
    start, end = TEXT.index("validation:\n"), TEXT.index("limits:\n")
    found = "`accuracy top-1` will not be measured: `validation` has no `samples`"
    assert found in "\n".join(noted(folder, TEXT[:start] + TEXT[end:]))


def test_a_target_without_an_artifact_it_takes_is_a_problem(folder: Path) -> None:
    start, end = TEXT.index("  onnx:"), TEXT.index("inputs:")
    found = told(folder, f"{TEXT[:start]}  torch-export: digits.pt2\n{TEXT[end:]}")
    assert "target `ort-1`: onnxruntime takes `onnx`; the contract's artifacts are `torch-export`" in "\n".join(found)


def test_what_a_backend_takes_names_also_what_needs_a_factory(folder: Path) -> None:
    (problem,) = told(folder, TEXT + "  torch: pytorch\n")
    taken = "`torchscript` or `torch-export`, and `safetensors` or `state-dict` with a `factory` under `model`"
    assert f"target `torch`: pytorch takes {taken}; the contract's artifacts are `onnx`" in problem


def test_a_state_that_no_function_builds_a_module_for_is_noted_as_not_used(folder: Path) -> None:
    save_file({"weight": np.ones(9930, np.float32)}, folder / "m.safetensors")
    text = TEXT.replace("artifacts:\n", "artifacts:\n  torchscript: digits.ts.pt\n  safetensors: m.safetensors\n")
    found = "\n".join(noted(folder, text + "  torch: pytorch\n"))
    told = "the `safetensors` artifact is not used: name the function that builds its module as `factory` under `model`"
    assert told in found


def test_the_backend_that_measures_nothing_needs_no_artifact(folder: Path) -> None:
    start, end = TEXT.index("artifacts:"), TEXT.index("inputs:")
    text = (TEXT[:start] + TEXT[end:]).replace("{backend: onnxruntime, options: {graph optimization: all}}", '"null"')
    assert told(folder, text) == []


class Elsewhere:
    """An adapter whose framework is on no machine."""

    artifact_kinds = ("onnx",)
    options: Mapping[str, str] = {"graph optimization": "none"}
    packages = ("numpy", "a-framework-of-nobody")


def test_a_backend_that_is_not_installed_is_missing_not_wrong(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "load", lambda _: Elsewhere())
    found = checked(folder)
    assert found.problems == ()
    (missing,) = found.missing
    assert "target `ort-1` needs a-framework-of-nobody, which is not installed here" in missing.message
    assert missing.place.line == 19
    found.refuse()


def test_a_gpu_without_a_driver_is_missing_here_and_nothing_is_wrong(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setattr(gpu_named, "LIBRARY", "libcuda-that-nobody-has.so.1")
    text = changed("backend: onnxruntime,", 'backend: onnxruntime, device: "cuda:0",', TEXT)
    found = checked(folder, text)
    assert found.problems == ()
    (missing,) = found.missing
    assert str(missing).startswith(f"{folder}/contract.yaml:19:41: target `ort-1` runs on `cuda:0`, and there is no ")
    assert main(["check", str(folder / "contract.yaml")]) == 3
    assert "cannot run here: " in capsys.readouterr().out
    elsewhere = text.replace("onnxruntime,", "onnxruntime, host: lab,")
    assert checked(folder, elsewhere).missing == ()
    monkeypatch.setattr(gpu_named, "LIBRARY", "libc.so.6")
    assert checked(folder, text).missing == ()


def test_installed_is_told_without_importing() -> None:
    assert is_installed("numpy")
    assert is_installed("PyYAML")
    assert is_installed("xml")
    assert not is_installed("a-framework-of-nobody")
    assert not is_installed("tests.contract")


def test_only_the_targets_that_are_asked_for_are_looked_at(folder: Path) -> None:
    text = TEXT + "  other: {backend: onnxruntime, options: {nonsense: 1}}\n"
    contract = load(write(folder, text))
    assert len(check(contract).problems) == 1
    assert check(contract, {"ort-1"}).problems == ()


def test_code_of_the_user_is_noted_and_never_run(folder: Path) -> None:
    write(folder, "raise SystemExit('this must not run')\ndef score(outputs, labels): ...\n", "my_metrics.py")
    found = noted(folder, changed("top-1: 97 %", "my_metrics:score: at most 1", TEXT))
    assert found == ["16:32: `my_metrics:score` is code that comes with the contract: it runs only with --allow-code"]


OWN = """\
raise SystemExit('this must not run')
def score(outputs, labels): ...
async def later(outputs, labels): ...
class Scorer:
    def inner(self): ...
first, (second, *rest) = score, (score, score)
annotated: object = score
import scipy.stats
from elsewhere import a as renamed
try:
    from fast import quick
except ImportError:
    def quick(outputs, labels): ...
def nested():
    def hidden(): ...
    local = 1
    global made
    def made(): ...
"""
THERE = ("score", "later", "Scorer", "first", "second", "rest", "annotated", "scipy", "renamed", "quick", "made")


def with_metric(entry: str) -> str:
    return changed("top-1: 97 %", f'"{entry}": at most 1', TEXT)


@pytest.mark.parametrize("name", THERE)
def test_whatever_a_module_defines_at_its_top_is_there(folder: Path, name: str) -> None:
    write(folder, OWN, "own.py")
    write(folder, OWN, "pack/__init__.py")
    write(folder, OWN, "pack/deep.py")
    for module in ("own", "pack", "pack.deep"):
        (note,) = noted(folder, with_metric(f"{module}:{name}"))
        assert "runs only with --allow-code" in note


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("own:scor", "own.py has no function `scor`: did you mean `score`?"),
        ("own:inner", "own.py has no function `inner`"),
        ("own:hidden", "own.py has no function `hidden`"),
        ("own:local", "own.py has no function `local`"),
        ("own:stats", "own.py has no function `stats`"),
        ("pack.deep:scor", "pack/deep.py has no function `scor`: did you mean `score`?"),
        ("pack.deap:score", "there is no module `pack.deap`: write pack/deap.py"),
        ("os:system", "there is no module `os`: put os.py beside the contract"),
        ("numpy:mean", "there is no module `numpy`: put numpy.py beside the contract"),
        ("broken:score", "broken.py:2 is not Python: "),
        ("nul:score", "nul.py"),
        ("deep:score", "deep.py"),
        ("empty:score", "empty.py has no function `score`: it defines nothing"),
    ],
)
def test_a_function_that_is_not_there_is_told_without_running_anything(folder: Path, entry: str, message: str) -> None:
    write(folder, OWN, "own.py")
    write(folder, "", "pack/__init__.py")
    write(folder, OWN, "pack/deep.py")
    write(folder, "x = 1\ndef score(:\n", "broken.py")
    write(folder, b"x = 1\0", "nul.py")
    write(folder, "x = " + "-" * 500_000 + "1\n", "deep.py")
    write(folder, "", "empty.py")
    (problem,) = told(folder, with_metric(entry))
    assert problem.startswith(f"16:{16 + len(entry) + 2}: `{entry}`: {message}")


@pytest.mark.parametrize("given", ["", "outputs", "a, b, c", "a, *, b", "a, b, *, c", "a, b, c, /, d=1"])
def test_a_metric_that_cannot_be_called_as_one_is_told(folder: Path, given: str) -> None:
    write(folder, f"raise SystemExit('this must not run')\ndef score({given}): ...\n", "own.py")
    (problem,) = told(folder, with_metric("own:score"))
    assert problem.endswith("own.py:2: it is called with (outputs, labels): write `def score(outputs, labels):`")


@pytest.mark.parametrize("given", ["a, b", "a, b=1", "*both", "a, *rest", "a, b, c=1", "a, b, /", "a, b, *, c=1, **d"])
def test_a_metric_that_takes_outputs_and_labels_is_taken(folder: Path, given: str) -> None:
    write(folder, f"def score({given}): ...\n", "own.py")
    assert noted(folder, with_metric("own:score"))


@pytest.mark.parametrize(
    "source", ["@made\ndef score(): ...\n", "def score(): ...\ndef score(a, b): ...\n", "score = f"]
)
def test_what_only_running_a_metric_would_tell_is_believed(folder: Path, source: str) -> None:
    write(folder, source, "own.py")
    assert noted(folder, with_metric("own:score"))


def test_a_value_is_no_function_and_what_builds_a_model_gets_nothing(folder: Path) -> None:
    write(folder, "score = 3\ndef build(size): ...\n", "own.py")
    (problem,) = told(folder, with_metric("own:score"))
    assert "own.py:1: this is a value and no function: write `def score(outputs, labels):`" in problem
    (problem,) = told(folder, changed("parameters: 9930", "parameters: 9930, factory: own:build", TEXT))
    assert "own.py:2: it is called with nothing: write `def build():`" in problem


@pytest.mark.parametrize(
    "source", ["from elsewhere import *", "globals()['score'] = 1", "def __getattr__(name): ...", "#" * (1 << 21)]
)
def test_a_module_whose_names_nobody_can_tell_is_believed(folder: Path, source: str) -> None:
    write(folder, source, "own.py")
    assert noted(folder, with_metric("own:score"))


def test_the_function_that_builds_the_model_is_looked_for_as_well(folder: Path) -> None:
    write(folder, OWN, "own.py")
    text = changed("parameters: 9930", "parameters: 9930, factory: own:biuld", TEXT)
    (problem,) = told(folder, text)
    assert "`own:biuld`: own.py has no function `biuld`" in problem


def test_a_check_imports_no_framework(folder: Path) -> None:
    path = write(
        folder, changed("inputs:\n", "  torchscript: digits.ts.pt\n  torch-export: digits.pt2\ninputs:\n", TEXT)
    )
    code = (
        "import sys; from pathlib import Path\n"
        "from bench.contract.check import check; from bench.contract.load import load\n"
        f"found = check(load(Path({str(path)!r}))); assert not found.problems, found\n"
        "heavy = {'torch', 'onnxruntime', 'openvino', 'sklearn', 'pydantic', 'pandas', 'rich'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout.strip(), done.stderr) == ("[]", "")
