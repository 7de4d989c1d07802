"""A contract is read as a whole, and each thing that is wrong is one line that says what would be right."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.contract.load import load
from bench.contract.model import Place
from bench.contract.problems import ContractProblems
from bench.device.adapter import TensorSpec
from bench.errors import ContractError
from tests.contract.contracts import WHOLE, changed, loaded, problem, problems, write


def test_everything_a_contract_says_is_in_the_contract(tmp_path: Path) -> None:
    contract = loaded(tmp_path)
    assert (contract.name, contract.version) == ("digits-cnn", "1.10")
    assert (contract.framework, contract.framework_version, contract.parameters) == ("pytorch", "2.13.0", 12_874)
    onnx, torchscript, openvino = contract.artifacts
    assert onnx.path == contract.folder / "digits.onnx"
    assert onnx.sha256 == "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
    assert (torchscript.kind, torchscript.path.name, torchscript.sha256) == ("torchscript", "digits.ts.pt", None)
    assert [path.name for path, _ in openvino.companions] == ["digits.bin", "more.bin"]
    image, _, rate = contract.inputs
    assert image.spec == TensorSpec("image", "float32", ("batch", 1, "height", 8))
    assert (image.low, image.high) == (-1, 1)
    assert (rate.spec.shape, rate.low, rate.high) == ((), 8000, 16000)
    assert contract.outputs[0] == TensorSpec("logits", "float32", ("batch", 10))
    assert (contract.dims, contract.batch_dim, contract.state) == ({"height": 640}, "batch", {"h": "h_out"})
    assert contract.validation.samples == contract.folder / "val.npz"
    assert contract.validation.labels == contract.folder / "labels.npz"
    assert contract.validation.predictions == contract.folder / "reference.npz"
    assert contract.validation.output == "logits"
    assert [target.name for target in contract.targets] == ["ort-1", "torch-ts"]


def test_every_value_knows_where_it_stands(tmp_path: Path) -> None:
    contract = loaded(tmp_path)
    file = str(tmp_path / "contract.yaml")
    assert contract.place("model", "parameters") == Place(file, 7, 15)
    assert contract.place("inputs", "rate") == Place(file, 15, 3)
    assert contract.place("validation", "labels") == Place(file, 24, 11)
    assert contract.place("artifacts", "openvino", "files", "0") == Place(file, 11, 50)
    assert contract.place("model", "nothing") == contract.place("model")
    assert contract.place("nothing", "at all") == contract.place() == Place(file, 1, 1)
    assert contract.artifacts[0].place.line == 9
    assert contract.targets[0].option_places["spinning"].line == 41


def test_all_problems_are_told_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    text = changed("  name: digits-cnn\n", "")
    text = changed("height: 640", "heigth: 640", text)
    text = changed("latency p50: 1 ms", "p9: 1 ms", text)
    text = changed("1200/s", "1200", text)
    text = changed("torch-ts: pytorch", "torch-ts: pytorhc", text)
    found = problems(tmp_path, text)
    lines = [int(one.split(":")[0]) for one in found]
    assert lines == sorted(lines)
    told = "\n".join(found)
    assert "lacks `name`" in told
    assert "`heigth` is a dimension of no input and no output: did you mean `height`?" in told
    assert "`p9` is not a latency percentile: did you mean `latency p90`?" in told
    assert "`throughput`: `1200` has no unit: write a rate like `1200/s`" in told
    assert "`pytorhc` is not a backend: did you mean `pytorch`?" in told


def test_the_error_is_a_contract_error_with_its_problems(tmp_path: Path) -> None:
    with pytest.raises(ContractError) as caught:
        load(write(tmp_path, "benchpact: 1\n"))
    assert isinstance(caught.value, ContractProblems)
    missing = [one.message for one in caught.value.problems]
    for key in ("model", "inputs", "outputs", "targets"):
        assert any(message.startswith(f"`contract` lacks `{key}`") for message in missing)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("benchpact: 1", "benchpact: 2", "1:12: `benchpact`: this contract has format 2; this benchpact reads 1"),
        ("benchpact: 1", "benchpact: one", "`one` is not the version of the contract format"),
        ("benchpact: 1\n", "", "`contract` lacks `benchpact`: add `benchpact: 1`"),
        ("model:\n", "modle: 1\nmodel:\n", "2:1: `modle` is no key of `contract`: did you mean `model`?"),
        ("framework version:", "framework_version:", "did you mean `framework version`?"),
        ("framework version:", "frameworkVersion:", "did you mean `framework version`?"),
        ("  name: digits-cnn", "  name:", "`name` has no value: write a name, like `digits-cnn`"),
        ("  name: digits-cnn", "  name: ''", "`name` has no value"),
        ("  name: digits-cnn", "  name: null", 'like `digits-cnn`; the word null stands in quotes: `"null"`'),
        ("  name: digits-cnn", "  name: [a]", "3:9: `name` is a list: write a name, like `digits-cnn`"),
        ("  name: digits-cnn", "  name: {a: b}", "`name` is a mapping: write a name"),
        ("  name: digits-cnn", '  name: "a\\nb"', "is not a name"),
        ("  name: digits-cnn", f"  name: {'x' * 201}", "is too long: a name has at most 200 characters"),
        ("parameters: 12_874", "parameters: many", "`many` is not a number of parameters, like `9930`"),
        ("parameters: 12_874", "parameters: -1", "-1 is not a number of parameters"),
        ("parameters: 12_874", "parameters: 1.5", "`1.5` is not a number of parameters"),
        ("parameters: 12_874", f"parameters: {'9' * 30}", "is not a number of parameters"),
        ("  onnx: {path: digits.onnx, ", "  onnxx: {path: digits.onnx, ", "`onnxx` is not a kind of artifact"),
        ("sha256: 9F86D0", "sha256: 9F86", "has 62 characters, a SHA-256 has 64 hex digits"),
        ("sha256: 9F86D0", "sha256: zF86D0", "is not a SHA-256"),
        ("digits.onnx, sha256", "digits.onnx, sha", "`sha` is no key of `onnx`: did you mean `sha256`?"),
        ("{path: ir/digits.xml, files:", "{files:", "`openvino` lacks `path`"),
        ("[{path: ir/digits.bin}, ir/more.bin]", "ir/digits.bin", "`files` is one value: write a list of files"),
        ("image: {dtype: float32, ", "image: {dtype: flaot32, ", "`flaot32` is not a dtype: did you mean `float32`?"),
        ("image: {dtype: float32, ", "image: {dtype: half, ", "`half` is not a dtype: did you mean `float16`?"),
        ("image: {dtype: float32, ", "image: {", "`image` lacks `dtype`: add `dtype: float32`"),
        ("shape: [batch, 1, height, 8]", "shape: [batch, 1, ?, 8]", "`?` says no size: give a free dimension a name"),
        ("shape: [batch, 1, height, 8]", "shape: [batch, -1, height, 8]", "`-1` says no size"),
        ("shape: [batch, 1, height, 8]", "shape: [batch, 0, height, 8]", "`0` is not a size of 1 or more"),
        ("shape: [batch, 1, height, 8]", "shape: 8", "`shape` is one value: write a list of sizes and names"),
        ("range: [-1, 1e0]", "range: [1, -1]", "`range` begins at 1 and ends at -1: write the lower value first"),
        ("range: [-1, 1e0]", "range: [1]", "`range` has 1 items: write lowest and highest value"),
        ("range: [-1, 1e0]", "range: [.nan, 1]", "`.nan` is not a finite number"),
        ("range: [-1, 1e0]", "range: [0, .inf]", "`.inf` is not a finite number"),
        ("range: [-1, 1e0]", "range: [0, 1e39]", "`range` leaves float32"),
        ("range: [8000, 16000]", "range: [0.5, 2]", "`range` of int64 takes whole numbers"),
        ("range: [8000, 16000]", "range: [0, 1e30]", "`range` leaves int64, which holds -9.22337e+18 to 9.22337e+18"),
        ("dims: {height: 640}", "dims: {height: 0}", "0 is not a size: it is from 1"),
        ("dims: {height: 640}", "dims: {height: tall}", "`tall` is not a size, like `640`"),
        ("dims: {height: 640}", "dims: {height: 640, batch: 1}", "`batch` counts samples: its size is a scenario's"),
        ("dims: {height: 640}\n", "", "dimension `height` of input `image` has no value: write `dims: {height: …}`"),
        ("\nbatch: batch\n", "\nbatch: bach\n", "`bach` is a dimension of no input: did you mean `batch`?"),
        ("state: {h: h_out}", "state: {hh: h_out}", "`hh` is no input: did you mean `h`?"),
        ("state: {h: h_out}", "state: {h: hout}", "`hout` is no output: did you mean `h_out`?"),
        ("state: {h: h_out}", "state: [h, h_out]", "`state` is a list: write `{input: output}`"),
        ("h_out: {dtype: float16, shape: [2, batch, 32]}", "h_out: {dtype: float16, shape: [2, batch, 31]}",
         "`h_out` is float16 [2, batch, 31], but `h` is float16 [2, batch, 32]"),
        ("h_out: {dtype: float16,", "h_out: {dtype: float32,", "feeds only an input of its own dtype and shape"),
        ("  output: logits", "  output: logit", "`logit` is no output: did you mean `logits`?"),
        ("  output: logits", "  output: h_out", "`h_out` is state, which is not compared: known are logits"),
        ("  samples: val.npz", "  sample: val.npz", "`sample` is no key of `validation`: did you mean `samples`?"),
        ("torch-ts: pytorch", "torch-ts: onnx", "`onnx` is not a backend: did you mean `onnxruntime`?"),
        ("device: cpu", "device: the first one", "`the first one` is not a device, like `cpu`"),
        ("threads: 2\n", "threads: 0\n", "0 is not a number of threads: it is from 1 to 4096"),
        ("precision: fp32", "precision: float32", "`float32` is not a precision: did you mean `fp32`?"),
        ("residency: host", "residency: hots", "`hots` is not a residency: did you mean `host`?"),
        ("{graph optimization: all,", "{graph optimization: [all],", "is a list: write a word, a number, true"),
    ],
)  # fmt: skip
def test_one_thing_wrong_is_told_with_what_would_be_right(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert message in "\n".join(problems(tmp_path, changed(old, new)))


def test_a_fault_in_one_place_is_one_problem(tmp_path: Path) -> None:
    assert problem(tmp_path, changed("threads: 2\n", "threads: two\n")).startswith("38:14: `threads`: `two` is not")


def test_no_message_spans_lines_or_shows_control_characters(tmp_path: Path) -> None:
    text = changed("  name: digits-cnn", '  "na\\nme\\u001b[31m": x\n  name: a')
    assert "\x1b" not in problem(tmp_path, text)


def test_very_many_problems_are_cut(tmp_path: Path) -> None:
    keys = "".join(f"key{index}: 1\n" for index in range(500))
    found = problems(tmp_path, WHOLE + keys)
    assert len(found) == 101
    assert found[-1].endswith("and 400 more problems")


def test_a_batch_dimension_that_is_not_the_first_says_what_to_do(tmp_path: Path) -> None:
    text = changed("  rate: {dtype: int64, shape: []", "  rate: {dtype: int64, shape: [4, batch]")
    told = problem(tmp_path, text)
    assert "`batch` counts samples: it can be only the first dimension of `rate`" in told
    assert "`dims: {batch: 1}`" in told


def test_a_model_whose_batch_size_is_fixed_takes_no_other(tmp_path: Path) -> None:
    text = changed("\nbatch: batch\n", "\n").replace("batch,", "16,")
    assert "asks for a batch of 64, but the model's batch size is fixed" in "\n".join(problems(tmp_path, text))
    assert loaded(tmp_path, text.replace("batch: 64", "batch: 16")).batch_dim is None


def test_a_free_dimension_that_nothing_explains_names_both_remedies(tmp_path: Path) -> None:
    text = changed("\nbatch: batch\n", "\n").replace("batch: 64, ", "")
    told = "\n".join(problems(tmp_path, text))
    assert "dimension `batch` of input `image` has no value: write `dims: {batch: …}`, or `batch: batch`" in told


def test_labels_without_samples_are_about_nothing(tmp_path: Path) -> None:
    told = problems(tmp_path, changed("  samples: val.npz\n", ""))
    assert [one.split(": ", 1)[1] for one in told] == [
        "`labels` without `samples` is about nothing: write `samples: FILE.npz` beside it",
        "`predictions` without `samples` is about nothing: write `samples: FILE.npz` beside it",
    ]


def test_a_contract_may_leave_out_everything_optional(tmp_path: Path) -> None:
    text = """
benchpact: 1
model: {name: m, version: 1}
inputs: {x: {dtype: bool, shape: []}}
outputs: {y: {dtype: bool, shape: []}}
limits: {single-stream: {latency p50: 1 s}}
targets: {here: "null"}
"""
    contract = loaded(tmp_path, text)
    assert (contract.framework, contract.parameters, contract.factory, contract.batch_dim) == (None, None, None, None)
    assert contract.artifacts == ()
    assert (contract.inputs[0].low, contract.inputs[0].high) == (0, 1)
    assert contract.targets[0].backend == "null"


def test_code_of_the_user_is_named_not_run(tmp_path: Path) -> None:
    write(tmp_path, "raise SystemExit('this must not run')\n", "my_model.py")
    contract = loaded(tmp_path, changed("  parameters: 12_874", "  parameters: 12_874\n  factory: my_model:build"))
    assert contract.factory is not None
    assert contract.factory.entry == "my_model:build"
    told = problem(tmp_path, changed("  parameters: 12_874", "  factory: my_model.build"))
    assert "`my_model.build` is not a function, `module:function`, like `my_model:build`" in told
