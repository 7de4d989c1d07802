"""ONNX as it is found in the field: free dimensions, subgraphs, external data, and files made to deceive."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from bench.artifacts import ArtifactError, read
from bench.device.adapter import UNTOLD, TensorSpec


def model(**parts: Any) -> onnx.ModelProto:
    """``y = x + w``, or what ``parts`` make of it."""
    told: dict[str, Any] = {
        "nodes": [helper.make_node("Add", ["x", "w"], ["y"])],
        "inputs": [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 3])],
        "outputs": [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 3])],
        "initializer": [numpy_helper.from_array(np.ones(3, np.float32), "w")],
    } | parts
    graph = helper.make_graph(told["nodes"], "g", told["inputs"], told["outputs"], told["initializer"])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], producer_name="hand")


def saved(path: Path, made: onnx.ModelProto) -> Path:
    path.write_bytes(made.SerializeToString())
    return path


def refused(path: Path, because: str) -> None:
    with pytest.raises(ArtifactError, match=because) as caught:
        read("onnx", path)
    assert str(caught.value).startswith(str(path))


def test_free_dimensions_without_a_name_get_one_that_stays(tmp_path: Path) -> None:
    free = helper.make_tensor_value_info("x", TensorProto.INT64, [None, "?", "n", 4, -1])
    facts = read("onnx", saved(tmp_path / "m.onnx", model(inputs=[free])))
    assert facts.inputs is not None
    assert facts.inputs[0].shape == ("x:0", "x:1", "n", 4, "x:4")
    assert facts.inputs[0].dtype == "int64"


def test_an_input_that_is_an_initializer_is_a_default_and_no_input(tmp_path: Path) -> None:
    made = model()
    made.graph.input.append(helper.make_tensor_value_info("w", TensorProto.FLOAT, [3]))
    facts = read("onnx", saved(tmp_path / "m.onnx", made))
    assert [one.name for one in facts.inputs or ()] == ["x"]


@pytest.mark.parametrize(
    ("element", "dtype"),
    [
        (TensorProto.FLOAT16, "float16"),
        (TensorProto.DOUBLE, "float64"),
        (TensorProto.BOOL, "bool"),
        (TensorProto.INT32, "int32"),
        (TensorProto.UINT8, "uint8"),
        (TensorProto.BFLOAT16, "bfloat16"),
        (TensorProto.STRING, "string"),
    ],
)
def test_dtypes_have_their_numpy_names(tmp_path: Path, element: Any, dtype: str) -> None:
    scalar = helper.make_tensor_value_info("x", element, [])
    facts = read("onnx", saved(tmp_path / "m.onnx", model(inputs=[scalar])))
    assert facts.inputs is not None
    assert (facts.inputs[0].dtype, facts.inputs[0].shape) == (dtype, ())


def test_weights_are_counted_wherever_they_stand_and_shapes_are_not(tmp_path: Path) -> None:
    deep = numpy_helper.from_array(np.ones((2, 5), np.float32), "deep")
    constant = helper.make_node("Constant", [], ["c"], value=numpy_helper.from_array(np.ones(7, np.float16)))
    branch = helper.make_graph(
        [constant], "b", [], [helper.make_tensor_value_info("c", TensorProto.FLOAT, [7])], [deep]
    )
    choice = helper.make_node("If", ["flag"], ["z"], then_branch=branch, else_branch=branch)
    more = [
        numpy_helper.from_array(np.ones(3, np.float32), "w"),
        numpy_helper.from_array(np.ones((4, 4), np.int8), "quantized"),
        numpy_helper.from_array(np.array([1, 2, 3]), "shape"),
        numpy_helper.from_array(np.array(1e-5, np.float32), "epsilon"),
    ]
    made = model(nodes=[helper.make_node("Add", ["x", "w"], ["y"]), choice], initializer=more)
    counted = read("onnx", saved(tmp_path / "m.onnx", made)).parameters
    assert counted is not None
    assert counted.likely == 3 + 16 + 2 * (10 + 7)


def external(location: str, **more: str) -> onnx.TensorProto:
    tensor = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[1000], data_location=TensorProto.EXTERNAL)
    for key, value in ({"location": location, "offset": "0", "length": "4000"} | more).items():
        tensor.external_data.add(key=key, value=value)
    return tensor


def test_external_weights_are_counted_by_shape_and_size_and_not_read(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "w.bin").write_bytes(bytes(4000))
    path = saved(tmp_path / "m.onnx", model(initializer=[external("data/w.bin")]))
    facts = read("onnx", path)
    assert facts.parameters is not None
    assert facts.parameters.likely == 1000
    assert facts.size_bytes == path.stat().st_size + 4000
    assert read("onnx", path, (tmp_path / "data" / "w.bin",)) == facts


@pytest.mark.parametrize(
    ("location", "because"),
    [
        ("../w.bin", "outside the model's folder"),
        ("/etc/passwd", "outside the model's folder"),
        ("link.bin", "outside the model's folder"),
        ("missing.bin", "no such file"),
        ("short.bin", "cut off: 4000 bytes are needed"),
        ("", "without a readable name"),
        ("a\0b", "without a readable name"),
    ],
)
def test_external_weights_elsewhere_missing_or_short_are_refused(tmp_path: Path, location: str, because: str) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (tmp_path / "w.bin").write_bytes(bytes(4000))
    (folder / "link.bin").symlink_to(tmp_path / "w.bin")
    (folder / "short.bin").write_bytes(bytes(3999))
    refused(saved(folder / "m.onnx", model(initializer=[external(location)])), because)


def test_external_weights_at_no_number_are_refused(tmp_path: Path) -> None:
    refused(saved(tmp_path / "m.onnx", model(initializer=[external("w.bin", offset="x")])), "no readable place")


def test_bytes_that_happen_to_be_a_message_are_no_model(tmp_path: Path) -> None:
    for data in (b"", b"\x08\x07", b"\x08\x07\x12\x00", model().graph.SerializeToString()):
        (tmp_path / "m.onnx").write_bytes(data)
        refused(tmp_path / "m.onnx", "is not a whole ONNX model")


def test_a_model_without_opset_or_output_is_refused(tmp_path: Path) -> None:
    made = model()
    del made.opset_import[:]
    refused(saved(tmp_path / "m.onnx", made), "no opset")
    refused(saved(tmp_path / "m.onnx", model(outputs=[])), "no output")


def test_weights_whose_bytes_do_not_fit_their_shape_are_refused(tmp_path: Path) -> None:
    for dims, because in (([4], "has 12 bytes"), ([-3], "has the shape"), ([1 << 60, 1 << 60], "has the shape")):
        made = model()
        made.graph.initializer[0].dims[:] = dims
        refused(saved(tmp_path / "m.onnx", made), because)


def test_an_output_that_is_no_tensor_is_named(tmp_path: Path) -> None:
    inner = helper.make_tensor_type_proto(TensorProto.FLOAT, [3])
    sequence = helper.make_value_info("many", helper.make_sequence_type_proto(inner))
    refused(saved(tmp_path / "m.onnx", model(outputs=[sequence])), r"output `many` is no tensor \(sequence\)")


def test_an_output_whose_shape_is_not_told_keeps_its_name_and_dtype_and_so_do_the_others(tmp_path: Path) -> None:
    unknown = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    known = helper.make_tensor_value_info("z", TensorProto.FLOAT16, [2])
    facts = read("onnx", saved(tmp_path / "m.onnx", model(outputs=[unknown, known])))
    assert facts.outputs == (TensorSpec("y", "float32", UNTOLD), TensorSpec("z", "float16", (2,)))


def test_two_inputs_of_one_name_are_refused(tmp_path: Path) -> None:
    twice = [helper.make_tensor_value_info("x", TensorProto.FLOAT, [3])] * 2
    refused(saved(tmp_path / "m.onnx", model(inputs=twice)), "one name")


def test_a_file_larger_than_a_message_can_be_is_refused_unread(tmp_path: Path) -> None:
    with (tmp_path / "m.onnx").open("wb") as file:
        file.truncate(1 << 31)
    refused(tmp_path / "m.onnx", "save it with external data")


@pytest.mark.parametrize("name", [b"x", b"batch", b"y", b"hand"])
def test_a_name_that_is_no_text_is_refused(tmp_path: Path, name: bytes) -> None:
    data = model().SerializeToString()
    path = tmp_path / "m.onnx"
    path.write_bytes(data.replace(name, b"\xff" * len(name)))
    refused(path, "no text")
