"""``init`` on awkward models, really run: sizes that are accepted, ranges, state, precision, batch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from onnx import TensorProto

from backends import ort_computed, precision
from bench.contract.check import check
from bench.contract.load import load
from bench.contract.model import Contract
from bench.device.adapter import Settings
from bench.errors import ContractError
from bench.propose import propose, trial
from bench.propose.trying import _short
from bench.results import Failure
from tests.propose import onnx_models as models
from tests.propose.onnx_models import FLOAT, INT64


def proposed(model: Path, **options: Any) -> Contract:
    """The contract that is proposed, loaded and checked: it is clean as it stands."""
    told: dict[str, Any] = {"measure": False} | options
    path = model.parent / "contract.yaml"
    path.write_text(propose(model, **told))
    contract = load(path)
    found = check(contract)
    assert [str(problem) for problem in (*found.problems, *found.missing)] == []
    return contract


def shape(contract: Contract, name: str) -> list[Any]:
    return next(list(one.spec.shape) for one in contract.inputs if one.spec.name == name)


def test_a_size_that_only_one_value_fits_is_found_from_the_weights(tmp_path: Path) -> None:
    contract = proposed(models.dense(tmp_path / "m.onnx", 677))
    assert shape(contract, "x") == ["batch", "x:1"]
    assert (dict(contract.dims), contract.batch_dim) == ({"x:1": 677}, "batch")


def test_two_sizes_are_found_together(tmp_path: Path) -> None:
    nodes: list[Any] = [("Reshape", ["x", "to"], ["flat"], {}), ("MatMul", ["flat", "w"], ["y"], {})]
    model = models.save(
        tmp_path / "m.onnx",
        nodes,
        {"x": (FLOAT, ["N", 3, "height", "width"])},
        {"y": (FLOAT, ["N", 2])},
        {"to": np.array([-1, 3 * 64 * 64]), "w": np.ones((3 * 64 * 64, 2), np.float32)},
    )
    contract = proposed(model)
    assert (contract.batch_dim, contract.dims["height"] * contract.dims["width"]) == ("N", 64 * 64)


def test_a_size_that_is_given_is_taken(tmp_path: Path) -> None:
    model = models.average(tmp_path / "m.onnx", {"x": ["batch", 3, "height", "width"]}, ["batch"])
    contract = proposed(model, dims=["height=48", "x:3=96"])
    assert dict(contract.dims) == {"height": 48, "width": 96}


def test_an_image_gets_the_size_of_an_image(tmp_path: Path) -> None:
    contract = proposed(models.average(tmp_path / "m.onnx", {"x": ["batch", 3, "height", "width"]}, ["batch"]))
    assert dict(contract.dims) == {"height": 224, "width": 224}


def test_samples_of_a_model_whose_first_axis_is_time_are_asked_for_as_they_must_be(tmp_path: Path) -> None:
    model, samples = tmp_path / "m.onnx", tmp_path / "s.npz"
    models.average(model, {"x": ["seq", "batch", 8]}, ["seq"])
    np.savez(samples, x=np.zeros((20, 32, 8), np.float32))
    told = (
        r"array `x` has shape \(20, 32, 8\), and the model's first dimension `seq` counts no samples by its name: "
        r"write samples on an axis before it, \[n, seq, batch, 8\], or say --dim seq=20 where the array is one sample, "
        r"--dim seq=1 where each row is one"
    )
    with pytest.raises(ContractError, match=told):
        propose(model, samples=samples, measure=False)
    for size in (20, 1):
        assert dict(proposed(model, samples=samples, dims=[f"seq={size}"]).dims) == {"seq": size, "batch": 32}
    np.savez(samples, x=np.zeros((3, 20, 32, 8), np.float32))
    assert dict(proposed(model, samples=samples).dims) == {"seq": 20, "batch": 32}


def test_one_name_in_two_inputs_gets_one_value(tmp_path: Path) -> None:
    model = models.average(tmp_path / "m.onnx", {"a": ["batch", "size"], "b": ["batch", "size"]}, ["batch"])
    contract = proposed(model)
    assert list(contract.dims) == ["size"]
    assert shape(contract, "a") == shape(contract, "b") == ["batch", "size"]


def two_widths(path: Path, left: int, right: int) -> Path:
    """Two inputs whose last axes have one name and take another size each."""
    return models.save(
        path,
        [("MatMul", ["a", "u"], ["l"], {}), ("MatMul", ["b", "v"], ["r"], {}), ("Add", ["l", "r"], ["y"], {})],
        {"a": (FLOAT, ["batch", "width"]), "b": (FLOAT, ["batch", "width"])},
        {"y": (FLOAT, ["batch", 1])},
        {"u": np.ones((left, 1), np.float32), "v": np.ones((right, 1), np.float32)},
    )


def test_one_name_in_two_inputs_that_differ_becomes_two(tmp_path: Path) -> None:
    contract = proposed(two_widths(tmp_path / "m.onnx", 24, 48))
    assert dict(contract.dims) == {"width_1": 24, "width_2": 48}
    assert (shape(contract, "a"), shape(contract, "b")) == (["batch", "width_1"], ["batch", "width_2"])


def test_two_sizes_of_one_name_can_be_given_by_input_and_axis(tmp_path: Path) -> None:
    model = two_widths(tmp_path / "m.onnx", 24, 48)
    contract = proposed(model, dims=["a:1=24", "b:01=48"])
    assert dict(contract.dims) == {"width_1": 24, "width_2": 48}
    for options, told in (
        (["width=24", "width=48"], "--dim width=48: --dim width=24 gives it another size"),
        (["width=24", "a:1=48"], "--dim a:1=48: --dim width=24 gives it another size"),
        (["b:1=24", "b:1=48"], "--dim b:1=48: --dim b:1=24 gives it another size"),
    ):
        with pytest.raises(ContractError, match=told):
            proposed(model, dims=options)


def test_unnamed_first_axes_of_two_inputs_are_one_batch(tmp_path: Path) -> None:
    contract = proposed(models.average(tmp_path / "m.onnx", {"a": [None, 4], "b": [None, 4]}, [None]))
    assert contract.batch_dim == "batch"
    assert shape(contract, "a") == shape(contract, "b") == ["batch", 4]
    assert contract.outputs[0].shape == ("batch",)


def test_a_batch_that_the_model_does_not_take_is_fixed_at_one(tmp_path: Path) -> None:
    nodes: list[Any] = [("Reshape", ["x", "to"], ["y"], {})]
    model = models.save(
        tmp_path / "m.onnx", nodes, {"x": (FLOAT, ["batch", 4])}, {"y": (FLOAT, [4])}, {"to": np.array([4])}
    )
    contract = proposed(model)
    assert contract.batch_dim is None
    assert shape(contract, "x") == [1, 4]


def test_a_sequence_on_the_first_axis_is_no_batch(tmp_path: Path) -> None:
    contract = proposed(models.average(tmp_path / "m.onnx", {"x": ["sequence_length", 4]}, ["sequence_length"]))
    assert contract.batch_dim is None
    assert contract.dims["sequence_length"] > 1


def test_token_ids_get_the_range_that_the_table_has_and_a_mask_gets_ones(tmp_path: Path) -> None:
    contract = proposed(models.lookup(tmp_path / "m.onnx", 30))
    ranges = {one.spec.name: (one.low, one.high) for one in contract.inputs}
    assert ranges == {"ids": (0, 29), "attention_mask": (1, 1)}


def test_an_integer_scalar_gets_a_value_that_the_model_accepts(tmp_path: Path) -> None:
    nodes: list[Any] = [("Gather", ["table", "which"], ["row"], {}), ("Mul", ["x", "row"], ["y"], {})]
    model = models.save(
        tmp_path / "m.onnx",
        nodes,
        {"x": (FLOAT, ["batch", 4]), "which": (INT64, [])},
        {"y": (FLOAT, ["batch", 4])},
        {"table": np.ones((1, 4), np.float32)},
    )
    contract = proposed(model)
    assert [(one.low, one.high) for one in contract.inputs if one.spec.name == "which"] == [(0, 0)]


def test_small_integers_get_values_that_their_type_holds(tmp_path: Path) -> None:
    tensors: dict[str, Any] = {"x": (TensorProto.INT8, ["batch", 4]), "rate": (TensorProto.INT8, [])}
    nodes: list[Any] = [("Identity", ["x"], ["y"], {}), ("Identity", ["rate"], ["z"], {})]
    outputs = {"y": tensors["x"], "z": tensors["rate"]}
    contract = proposed(models.save(tmp_path / "m.onnx", nodes, tensors, outputs))
    assert {one.spec.name: one.high for one in contract.inputs} == {"x": 127, "rate": 1}


def test_state_is_recognised_by_its_names_and_said_to_be_a_guess(tmp_path: Path) -> None:
    contract = proposed(models.recurrent(tmp_path / "m.onnx"))
    assert (dict(contract.state), contract.batch_dim) == ({"h": "hn"}, "batch")
    assert {spec.name: spec.shape for spec in contract.outputs}["hn"] == ("batch", 8)
    assert "# TO DO: a guess by their names" in (tmp_path / "contract.yaml").read_text()


def test_state_that_does_not_fit_itself_is_let_go(tmp_path: Path) -> None:
    nodes: list[Any] = [("Concat", ["cache_in", "x"], ["cache_out"], {"axis": 1})]
    model = models.save(
        tmp_path / "m.onnx",
        nodes,
        {"x": (FLOAT, ["batch", 2]), "cache_in": (FLOAT, ["batch", 3])},
        {"cache_out": (FLOAT, ["batch", None])},
    )
    contract = proposed(model)
    assert dict(contract.state) == {}
    assert contract.outputs[0].shape == ("batch", 5)


def test_an_output_without_a_shape_gets_the_one_that_comes_out(tmp_path: Path) -> None:
    nodes: list[Any] = [("Reshape", ["x", "to"], ["y"], {}), ("NonZero", ["x"], ["where"], {})]
    shapes: dict[str, Any] = {"y": (FLOAT, None), "where": (INT64, None)}
    model = models.save(tmp_path / "m.onnx", nodes, {"x": (FLOAT, ["batch", 6])}, shapes, {"to": np.array([-1, 2, 3])})
    contract = proposed(model)
    assert [spec.name for spec in contract.outputs] == ["y", "where"]
    assert [spec.dtype for spec in contract.outputs] == ["float32", "int64"]
    assert contract.outputs[0].shape == ("batch", 2, 3)
    assert contract.outputs[1].shape == (2, "where:1")
    (tmp_path / "contract.yaml").write_text((tmp_path / "contract.yaml").read_text().replace("int64", "int32"))
    told = [str(one) for one in check(load(tmp_path / "contract.yaml")).problems]
    assert any("output `where` is int64 in the onnx artifact, int32 here" in one for one in told)


@pytest.mark.parametrize("sizes", [[2], [2, 3], ["batch", 1], [1, "height"]])
@pytest.mark.parametrize("told", [[2, "nz"], [None, None], None], ids=["named", "unnamed", "untold"])
def test_a_size_that_is_the_values_own_stays_open(tmp_path: Path, sizes: list[Any], told: list[Any] | None) -> None:
    outputs: dict[str, Any] = {"where": (INT64, told)}
    model = models.save(tmp_path / "m.onnx", [("NonZero", ["x"], ["where"], {})], {"x": (FLOAT, sizes)}, outputs)
    rank, count = proposed(model).outputs[0].shape
    assert rank == len(sizes) or (told is not None and told[0] == rank == 2)
    assert count == ("nz" if told and told[1] else "where:1")


def test_limits_are_proposed_for_a_model_whose_outputs_size_is_the_values_own(tmp_path: Path) -> None:
    nodes: list[Any] = [("Round", ["x"], ["rounded"], {}), ("NonZero", ["rounded"], ["where"], {})]
    outputs: dict[str, Any] = {"where": (INT64, [2, "k"])}
    contract = proposed(models.save(tmp_path / "m.onnx", nodes, {"x": (FLOAT, ["n", 5])}, outputs), measure=True)
    assert "TO DO: onnxruntime does not run it" not in (tmp_path / "contract.yaml").read_text()
    assert "latency p50" in (tmp_path / "contract.yaml").read_text()
    assert contract.outputs[0].shape == (2, "k")


def test_a_name_of_an_outputs_size_stays_where_no_input_has_a_free_size(tmp_path: Path) -> None:
    """Nothing that was tried moves it, but its author said that it moves."""
    nodes: list[Any] = [("Relu", ["x"], ["y"], {})]
    model = models.save(tmp_path / "m.onnx", nodes, {"x": (FLOAT, [1, 6])}, {"y": (FLOAT, [1, "found"])})
    assert proposed(model).outputs[0].shape == (1, "found")


def test_an_input_without_a_shape_gets_one_that_the_model_accepts(tmp_path: Path) -> None:
    nodes: list[Any] = [("Conv", ["x", "w"], ["y"], {})]
    weights = {"w": np.ones((2, 3, 1, 1), np.float32)}
    contract = proposed(models.save(tmp_path / "m.onnx", nodes, {"x": (FLOAT, None)}, {"y": (FLOAT, None)}, weights))
    assert len(shape(contract, "x")) == 4
    assert contract.dims["x:1"] == 3


def test_dimensions_of_an_output_with_a_number_for_a_name_get_names_that_a_contract_holds(tmp_path: Path) -> None:
    nodes: list[Any] = [("NonZero", ["x"], ["17"], {})]
    model = models.save(tmp_path / "m.onnx", nodes, {"x": (FLOAT, ["batch", 6])}, {"17": (INT64, None)})
    assert proposed(model).outputs[0].shape == (2, "dim_17:1")


def test_samples_tell_the_shape_that_the_model_does_not(tmp_path: Path) -> None:
    nodes: list[Any] = [("Relu", ["x"], ["y"], {})]
    model = models.save(tmp_path / "m.onnx", nodes, {"x": (FLOAT, None)}, {"y": (FLOAT, None)})
    np.savez(tmp_path / "val.npz", x=np.zeros((5, 7, 2), np.float32))
    contract = proposed(model, samples=tmp_path / "val.npz")
    assert shape(contract, "x") == ["batch", "x:1", "x:2"]
    assert dict(contract.dims) == {"x:1": 7, "x:2": 2}


def test_a_dimension_of_nothing_is_one_clear_error(tmp_path: Path) -> None:
    for inputs, outputs in (([0, 4], [4]), (["batch", 4], ["batch", 0])):
        model = models.save(
            tmp_path / "m.onnx", [("Identity", ["x"], ["y"], {})], {"x": (FLOAT, inputs)}, {"y": (FLOAT, outputs)}
        )
        with pytest.raises(ContractError, match=r"m\.onnx: `[xy]` has a dimension of 0, and only"):
            propose(model, measure=False)


@pytest.mark.parametrize("name", ["long" * 51, "line\nbreak", "bell\a"])
def test_a_name_that_no_contract_can_hold_is_one_clear_error(tmp_path: Path, name: str) -> None:
    model = models.save(
        tmp_path / "m.onnx", [("Identity", [name], ["y"], {})], {name: (FLOAT, ["batch"])}, {"y": (FLOAT, ["batch"])}
    )
    with pytest.raises(ContractError, match=r"m\.onnx: no contract can be written for it: ") as caught:
        propose(model, measure=False)
    assert "\n" not in str(caught.value)


def test_a_batch_that_is_not_first_gets_the_size_of_one(tmp_path: Path) -> None:
    nodes: list[Any] = [("Relu", ["x"], ["y"], {})]
    shape: Any = ["sequence", "batch", 4]
    model = models.save(tmp_path / "m.onnx", nodes, {"x": (FLOAT, shape)}, {"y": (FLOAT, shape)})
    assert proposed(model).dims["batch"] == 1


def test_a_name_that_two_inputs_share_stays_where_only_one_sample_is_taken(tmp_path: Path) -> None:
    nodes: list[Any] = [("Add", ["x", "z"], ["sum"], {}), ("Reshape", ["sum", "to"], ["y"], {})]
    inputs: dict[str, Any] = {"x": (FLOAT, ["batch", 4]), "z": (FLOAT, ["batch", 4])}
    model = models.save(tmp_path / "m.onnx", nodes, inputs, {"y": (FLOAT, [4])}, {"to": np.array([4])})
    contract = proposed(model)
    assert (contract.batch_dim, dict(contract.dims)) == (None, {"batch": 1})
    assert shape(contract, "x") == shape(contract, "z") == ["batch", 4]


def test_the_head_names_the_file_that_is_written(tmp_path: Path) -> None:
    model = models.average(tmp_path / "m.onnx", {"x": ["batch", 3]}, ["batch"])
    text = propose(model, measure=False, name="my model.yaml")
    assert "#   benchpact check 'my model.yaml' && benchpact run 'my model.yaml'\n" in text


def test_what_a_backend_says_is_cut_between_words_and_keeps_the_end_that_says_why() -> None:
    told = _short(Failure("ModelRejected", "unusable " * 100 + "because of this"))
    assert 250 < len(told) <= 300
    assert set(told.split()) == {"unusable", "...", "because", "of", "this"}
    assert told.endswith("unusable because of this")
    assert _short(Failure("ModelRejected", "short\n enough")) == "short enough"


def test_the_precision_is_what_the_model_is_computed_in(tmp_path: Path) -> None:
    model = models.dense(tmp_path / "m.onnx", 8, ["batch", 8], models.FLOAT16)
    computed = precision.WORDS[max(ort_computed.computed_in(model, Settings()))]
    assert proposed(model).targets[0].precision == computed


def test_where_no_size_is_accepted_the_dimension_to_give_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bench.propose.trying.MAX_TRIES", 4)
    monkeypatch.setattr("bench.propose.trying.FEW_TRIES", 1)
    nodes: list[Any] = [("Concat", ["x", "y"], ["xy"], {"axis": 1}), ("MatMul", ["xy", "w"], ["z"], {})]
    model = models.save(
        tmp_path / "m.onnx",
        nodes,
        {"x": (FLOAT, ["batch", "left"]), "y": (FLOAT, ["batch", "right"])},
        {"z": (FLOAT, ["batch", 1])},
        {"w": np.ones((7919, 1), np.float32)},
    )
    with pytest.raises(ContractError, match=r"m\.onnx: .*give --dim left=VALUE --dim right=VALUE \(onnxruntime said"):
        propose(model)
    with pytest.raises(ContractError, match=r"give --dim right=VALUE \("):
        propose(model, dims=["left=19"])
    assert dict(proposed(model, dims=["left=19", "right=7900"]).dims) == {"left": 19, "right": 7900}


@pytest.mark.parametrize(
    ("option", "because"),
    [
        ("height", "write NAME=VALUE"),
        ("height=", "write NAME=VALUE"),
        ("height=0", "write NAME=VALUE"),
        ("height=-3", "write NAME=VALUE"),
        ("height=1e9999", "write NAME=VALUE"),
        ("heigth=640", "no free dimension `heigth`; it has `batch`, `height`"),
        ("x:1=3", "no free dimension `x:1`"),
        ("x:9=3", "no free dimension `x:9`"),
    ],
)
def test_a_wrong_size_option_is_one_clear_error(tmp_path: Path, option: str, because: str) -> None:
    model = models.average(tmp_path / "m.onnx", {"x": ["batch", 3, "height"]}, ["batch"])
    with pytest.raises(ContractError, match=because) as caught:
        propose(model, dims=[option])
    assert str(caught.value).startswith(f"--dim {option}: ")


def test_samples_tell_the_sizes_and_are_named_in_the_contract(tmp_path: Path) -> None:
    model = models.average(tmp_path / "m.onnx", {"x": ["batch", 3, "height", "width"]}, ["batch"])
    np.savez(tmp_path / "val.npz", x=np.zeros((5, 3, 20, 30), np.float32))
    contract = proposed(model, samples=tmp_path / "val.npz")
    assert (dict(contract.dims), contract.batch_dim) == ({"height": 20, "width": 30}, "batch")
    assert contract.validation.samples == tmp_path / "val.npz"


def test_samples_of_a_model_without_a_batch_and_with_a_scalar_are_tried_too(tmp_path: Path) -> None:
    nodes: list[Any] = [("Mul", ["x", "scale"], ["y"], {})]
    model = models.save(
        tmp_path / "m.onnx", nodes, {"x": (FLOAT, [1, 4]), "scale": (FLOAT, [])}, {"y": (FLOAT, [1, 4])}
    )
    np.savez(tmp_path / "val.npz", x=np.ones((6, 1, 4), np.float32), scale=np.float32(2))
    assert proposed(model, samples=tmp_path / "val.npz").batch_dim is None


@pytest.mark.parametrize(
    ("arrays", "because"),
    [
        ({"y": np.zeros((5, 3), np.float32)}, "has no array `x`, which the model takes; its arrays are `y`"),
        ({"x": np.zeros((5, 3))}, "array `x` is float64, and the model takes float32"),
        ({"x": np.zeros(5, np.float32)}, "the model takes samples of 2 dimensions"),
        ({"x": np.zeros((5, 4), np.float32)}, r"has shape \(5, 4\), and the model takes"),
    ],
)
def test_samples_of_another_model_are_one_clear_error(tmp_path: Path, arrays: dict[str, Any], because: str) -> None:
    model = models.average(tmp_path / "m.onnx", {"x": ["batch", 3]}, ["batch"])
    np.savez(tmp_path / "val.npz", **arrays)
    with pytest.raises(ContractError, match=because) as caught:
        propose(model, samples=tmp_path / "val.npz")
    assert str(caught.value).startswith(str(tmp_path / "val.npz"))


def test_files_outside_the_contracts_folder_are_refused(tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    model = models.average(tmp_path / "m.onnx", {"x": ["batch", 3]}, ["batch"])
    with pytest.raises(ContractError, match=f"write it beside the file, with -o {tmp_path}/contract.yaml"):
        propose(model, folder=tmp_path / "inner")


def test_what_is_no_model_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "m.onnx").write_bytes(b"hello")
    for name in ("m.onnx", "missing.onnx", "m.txt"):
        with pytest.raises(ContractError, match=f"{tmp_path}/{name}: "):
            propose(tmp_path / name)


def test_names_that_yaml_would_read_as_something_else_are_quoted(tmp_path: Path) -> None:
    names = ["true", "a: b # c", 'say "x"', "1.5", "größe", "- x", "[0]", "a\u2028b"]
    nodes: list[Any] = [("Sum", names, ["no"], {})]
    model = models.save(
        tmp_path / "model {x}: #1.onnx",
        nodes,
        {name: (FLOAT, ["null", 3]) for name in names},
        {"no": (FLOAT, ["null", 3])},
    )
    contract = proposed(model)
    assert [one.spec.name for one in contract.inputs] == names
    assert contract.outputs[0].shape == ("null", 3)
    assert contract.name == "model {x}: #1"


def test_without_a_backend_the_contract_is_still_written_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = models.average(tmp_path / "m.onnx", {"x": ["batch", "length"]}, ["batch"])
    monkeypatch.setattr("bench.propose.backend_for", lambda kind: ("", f"nothing installed takes {kind}"))
    text = propose(model)
    assert "# TO DO: nothing was tried out, because no backend here runs it (nothing installed takes onnx)" in text
    assert "limits could not be proposed" in text
    (tmp_path / "contract.yaml").write_text(text)
    assert load(tmp_path / "contract.yaml").batch_dim == "batch"


def test_a_model_that_its_backend_refuses_is_still_described(tmp_path: Path) -> None:
    nodes: list[Any] = [("NoSuchOperator", ["x"], ["y"], {})]
    model = models.save(tmp_path / "m.onnx", nodes, {"x": (FLOAT, ["batch", 3])}, {"y": (FLOAT, ["batch", 3])})
    heard: list[str] = []
    text = propose(model, tell=heard.append)
    assert "# TO DO: onnxruntime does not run it: onnxruntime does not take m.onnx" in text
    assert heard[0].startswith("onnxruntime does not run it: onnxruntime does not take m.onnx")
    assert heard[1:] == ["limits could not be proposed: the model could not be run"]
    assert yaml.safe_load(text)["inputs"]["x"]["shape"] == ["batch", 3]


def test_the_backend_that_likes_the_artifact_best_is_taken() -> None:
    assert trial.backend_for("onnx") == ("onnxruntime", "")
    name, reason = trial.backend_for("no-such-kind")
    assert name == ""
    assert reason
