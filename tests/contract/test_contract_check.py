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
from bench.contract.check import Checked, check
from bench.contract.check_backends import is_installed
from bench.contract.load import load
from bench.contract.problems import ContractProblems
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


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for file in (CONFIGS / "digits").iterdir():
        if file.suffix != ".py":
            shutil.copy(file, tmp_path)
    return tmp_path


def checked(folder: Path, text: str = TEXT) -> Checked:
    return check(load(write(folder, text)))


def told(folder: Path, text: str = TEXT) -> list[str]:
    """The problems as ``line:column: message``."""
    file = f"{folder / 'contract.yaml'}:"
    return [str(problem).removeprefix(file) for problem in checked(folder, text).problems]


def save(folder: Path, name: str, arrays: Mapping[str, Any]) -> None:
    np.savez(folder / name, **arrays)


def test_a_contract_that_is_true_has_no_problems_and_nothing_to_note(folder: Path) -> None:
    assert checked(folder) == Checked()


def test_the_project_s_own_contracts_are_true() -> None:
    for name in ("demo.yaml", "streaming.yaml"):
        found = check(load(CONFIGS / name))
        assert (found.problems, found.notices) == ((), ())


def test_all_kinds_of_artifact_are_looked_at(folder: Path) -> None:
    more = "".join(f"  {kind}: {FILES[kind]}\n" for kind in ("torchscript", "torch-export"))
    more += f"  openvino: {{path: digits.xml, files: [{{path: digits.bin, sha256: {sha256(BINARY)}}}]}}\n"
    found = checked(folder, changed("inputs:\n", f"{more}inputs:\n", TEXT))
    assert found.problems == ()
    assert [notice.split(":")[0] for notice in found.notices] == [
        f"{FILES[kind]} has no sha256 in the contract" for kind in ("torchscript", "torch-export", "openvino")
    ]
    assert f"add `sha256: {sha256(folder / 'digits.pt2')}`" in found.notices[1]


def test_every_problem_is_told_at_once(folder: Path) -> None:
    text = changed("parameters: 9930", "parameters: 9000", TEXT)
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
        ("parameters: 9930", "parameters: 9931", "the onnx artifact has 9930 parameters, the contract says 9931"),
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
    assert problem.startswith("4:16: `digits.onnx` is not the file that was handed over: its SHA-256 is ")


def test_a_second_file_is_held_to_its_own_hash_in_its_own_place(folder: Path) -> None:
    line = f"  openvino: {{path: digits.xml, files: [{{path: digits.bin, sha256: {'0' * 64}}}]}}\n"
    (problem,) = told(folder, changed("inputs:\n", f"{line}inputs:\n", TEXT))
    assert problem.startswith("5:47: `digits.bin` is not the file that was handed over")


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
    found = checked(folder, changed("version: 2.13.0", "version: 2.12.1", TEXT))
    assert found.problems == ()
    assert found.notices == ("the onnx artifact was made by pytorch 2.13.0+cpu, the contract says 2.12.1",)
    other = checked(folder, changed("framework: pytorch", "framework: tensorflow", TEXT))
    assert other.notices == ("the onnx artifact was made by pytorch 2.13.0+cpu, the contract says tensorflow",)


def test_a_count_that_one_artifact_has_exactly_may_differ_a_little_in_another(folder: Path) -> None:
    import onnx

    model = onnx.load(folder / "digits.onnx")
    largest = max(model.graph.initializer, key=lambda one: len(one.raw_data))
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.zeros(5, np.float32), "unused"))
    assert largest.name != "unused"
    onnx.save(model, folder / "more.onnx")
    text = changed("inputs:\n", "  torch-export: digits.pt2\ninputs:\n", TEXT)
    text = text.replace(text[text.index("  onnx:") : text.index("  torch-export")], "  onnx: more.onnx\n")
    found = checked(folder, text)
    assert found.problems == ()
    assert "the onnx artifact has 9935 parameters, the contract says 9930: exporters fold some away" in found.notices


def test_a_number_of_parameters_that_is_not_said_is_noted(folder: Path) -> None:
    found = checked(folder, changed(", parameters: 9930", "", TEXT))
    assert found.notices == ("the contract does not say its number of parameters; the onnx artifact has 9930",)


ROWS = 360
SAMPLES = np.zeros((ROWS, 1, 8, 8), np.float32)


@pytest.mark.parametrize(
    ("name", "arrays", "message"),
    [
        ("validation.npz", {"image": SAMPLES.astype(np.float64)}, "samples of `image` are float64, not float32"),
        ("validation.npz", {"image": SAMPLES[:, 0]}, "samples of `image` have shape (360, 8, 8), which is not"),
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


def test_arrays_that_fit_in_another_way_are_fine(folder: Path) -> None:
    np.save(folder / "labels.npy", np.zeros(ROWS, np.int32))
    save(folder, "reference.npz", {"anything": np.zeros((ROWS, 10), np.float64)})
    found = checked(folder, changed("labels.npz", "labels.npy", TEXT))
    assert (found.problems, found.notices) == ((), ())


def test_an_array_that_no_input_takes_is_noted(folder: Path) -> None:
    save(folder, "validation.npz", {"image": SAMPLES, "more": np.zeros(3)})
    found = checked(folder)
    assert (found.problems, found.notices) == ((), ("the samples' array `more` is not used: it is no input",))


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04", b"not a zip", b"\x80\x04."])
@pytest.mark.parametrize("name", ["validation.npz", "labels.npz", "reference.npz"])
def test_a_file_that_is_no_npz_is_one_clear_problem(folder: Path, name: str, data: bytes) -> None:
    (folder / name).write_bytes(data)
    (problem,) = told(folder)
    assert f"`{name}`: " in problem


def test_without_samples_accuracy_is_noted_as_not_measured(folder: Path) -> None:
    start, end = TEXT.index("validation:\n"), TEXT.index("limits:\n")
    found = checked(folder, TEXT[:start] + TEXT[end:])
    assert found.problems == ()
    assert "`accuracy top-1` will not be measured: `validation` has no `samples`" in found.notices


def test_a_target_without_an_artifact_it_takes_is_a_problem(folder: Path) -> None:
    start, end = TEXT.index("  onnx:"), TEXT.index("inputs:")
    found = told(folder, f"{TEXT[:start]}  torch-export: digits.pt2\n{TEXT[end:]}")
    assert "target `ort-1`: onnxruntime takes `onnx`; the contract's artifacts are `torch-export`" in "\n".join(found)


def test_a_state_that_no_function_builds_a_module_for_is_noted_as_not_used(folder: Path) -> None:
    save_file({"weight": np.ones(9930, np.float32)}, folder / "m.safetensors")
    text = TEXT.replace("artifacts:\n", "artifacts:\n  torchscript: digits.ts.pt\n  safetensors: m.safetensors\n")
    found = checked(folder, text + "  torch: pytorch\n")
    assert found.problems == ()
    told = "the `safetensors` artifact is not used: name the function that builds its module as `factory` under `model`"
    assert told in found.notices


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
    write(folder, "raise SystemExit('this must not run')\n", "my_metrics.py")
    found = checked(folder, changed("top-1: 97 %", "my_metrics:score: at most 1", TEXT))
    assert found.problems == ()
    assert found.notices == ("`my_metrics:score` is code that comes with the contract: it runs only with --allow-code",)


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
