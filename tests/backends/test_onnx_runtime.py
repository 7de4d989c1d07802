"""ONNX Runtime: the promises of every adapter, and those of its own."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from backends import ort_computed
from backends.ort import OnnxRuntimeAdapter
from bench.conformance import AdapterConformance, Example, onnx_examples, wide_onnx_example
from bench.device.adapter import (
    AdapterError,
    DeviceUnavailable,
    ModelFiles,
    ModelRejected,
    Option,
    Query,
    Settings,
    TensorSpec,
)

onnxruntime: Any = importlib.import_module("onnxruntime")


class TestOnnxRuntime(AdapterConformance):
    adapter = "backends.ort:OnnxRuntimeAdapter"

    def make_examples(self, folder: Path) -> Sequence[Example]:
        return onnx_examples(folder)

    def make_wide_example(self, folder: Path) -> Example:
        return wide_onnx_example(folder)


class TestPlain(AdapterConformance):
    """Without optimisation, in parallel mode, without spinning."""

    adapter = "backends.ort:OnnxRuntimeAdapter"

    def make_examples(self, folder: Path) -> Sequence[Example]:
        extra: dict[str, Option] = {
            "graph optimization": "disabled",
            "execution mode": "parallel",
            "inter-op threads": 2,
            "spinning": False,
        }
        return [replace(example, settings=Settings(extra=extra)) for example in onnx_examples(folder)]


@pytest.fixture
def mlp(tmp_path: Path) -> Example:
    return onnx_examples(tmp_path)[0]


def saved(path: Path, nodes: list[Any], inputs: list[Any], outputs: list[Any], tensors: Sequence[Any] = ()) -> Path:
    graph = helper.make_graph(nodes, "g", inputs, outputs, list(tensors))
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


def open_it(model: ModelFiles, **settings: Any) -> Any:
    return OnnxRuntimeAdapter().open(model, Settings(**settings))


def test_facts_tell_what_the_session_really_got(mlp: Example) -> None:
    with open_it(mlp.model, threads=2, extra={"graph optimization": "basic", "spinning": False}) as session:
        facts = session.facts()
        config = session._native.get_session_options()
    assert facts["providers"] == ["CPUExecutionProvider"]
    assert facts["weights"] == {"float32": 8 * 16 + 16 + 16 * 4}
    assert facts["session config"]["session.intra_op.allow_spinning"] == "0"
    assert config.intra_op_num_threads == facts["threads"] == 2
    assert config.graph_optimization_level == onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    assert config.get_session_config_entry("session.intra_op.allow_spinning") == "0"
    assert not config.enable_profiling


def test_a_session_that_got_another_provider_is_refused(mlp: Example, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnxruntime.InferenceSession, "get_providers", lambda self: ["AzureExecutionProvider"])
    with pytest.raises(DeviceUnavailable, match="asked for CPUExecutionProvider, but the session got Azure"):
        open_it(mlp.model)


def test_two_distributions_of_the_one_package_are_refused_with_the_way_out(
    mlp: Example, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    info = tmp_path / "onnxruntime_gpu-1.31.1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: onnxruntime-gpu\nVersion: 1.31.1\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    found = OnnxRuntimeAdapter().probe()
    assert not found.usable
    assert "onnxruntime-gpu 1.31.1 are installed together" in found.reason
    assert found.remedy.startswith("pip uninstall -y onnxruntime onnxruntime-gpu")
    with pytest.raises(DeviceUnavailable, match="installed together"):
        open_it(mlp.model)


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        ({"graph optimisation": "all"}, "did you mean `graph optimization`"),
        (
            {"graph optimization": "most"},
            "option `graph optimization`: most is not one of disabled, basic, extended, layout, all",
        ),
        ({"spinning": "maybe"}, "maybe is not one of true, false"),
        ({"spinning": 1}, "1 is not one of true, false"),
        ({"inter-op threads": 0, "execution mode": "parallel"}, "whole number of at least 1"),
        ({"inter-op threads": True, "execution mode": "parallel"}, "whole number of at least 1"),
        ({"inter-op threads": 2}, "`inter-op threads`: 2 threads .* needs option `execution mode`: parallel"),
    ],
)
def test_a_bad_option_says_what_would_be_right(mlp: Example, extra: dict[str, Any], message: str) -> None:
    with pytest.raises(AdapterError, match=message):
        open_it(mlp.model, extra=extra)


def half(folder: Path) -> ModelFiles:
    weights = numpy_helper.from_array(np.eye(4, dtype=np.float16), "w")
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT16, ["batch", 4]) for name in ("x", "y")]
    path = saved(folder / "half.onnx", [helper.make_node("MatMul", ["x", "w"], ["y"])], ends[:1], ends[1:], [weights])
    specs = [(TensorSpec(name, "float16", ("batch", 4)),) for name in ("x", "y")]
    return ModelFiles({"onnx": path}, specs[0], specs[1])


@pytest.mark.parametrize("optimization", ["all", "disabled"])
def test_a_half_precision_graph_is_reported_in_what_it_is_computed_in(tmp_path: Path, optimization: str) -> None:
    model, extra = half(tmp_path), {"graph optimization": optimization}
    with pytest.raises(ModelRejected, match=r"precision bf16 was asked for, but the graph's is fp16, .* fp16 or fp32"):
        open_it(model, precision="bf16", extra=extra)
    computed = ort_computed.computed_in(model.artifacts["onnx"], Settings(extra=extra))
    (dtype,) = computed
    right, wrong = ("fp32", "fp16") if dtype == "float32" else ("fp16", "fp32")
    with open_it(model, precision=right, extra=extra) as session:
        facts = session.facts()
        assert (facts["precision"], facts["arithmetic"], facts["weights"]) == (right, {dtype: 16}, {"float16": 16})
        assert bool(facts.get("notes")) == (right == "fp32")
        assert session.facts() == facts
        x = np.ones((2, 4), np.float16)
        np.testing.assert_array_equal(session.read(session.run(session.stage(Query({"x": x}, 2))))["y"], x)
    told = f"computes this fp16 graph in {right} on this CPU: say `precision: {right}`"
    with open_it(model, precision=wrong, extra=extra) as session, pytest.raises(ModelRejected, match=told):
        session.facts()


def test_what_cannot_be_found_out_of_a_half_precision_graph_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ort_computed, "BOOT", "raise SystemExit('no room')")
    told = r"computes half\.onnx was not to be found: no room"
    with open_it(half(tmp_path)) as session, pytest.raises(AdapterError, match=told):
        session.facts()


def test_quantised_weights_are_noted_beside_the_word_of_the_rest(tmp_path: Path) -> None:
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", 4]) for name in ("x", "y")]
    weights = [
        numpy_helper.from_array(np.eye(4, dtype=np.int8), "w"),
        numpy_helper.from_array(np.array(0.5, np.float32), "scale"),
        numpy_helper.from_array(np.array(0, np.int8), "zero"),
    ]
    nodes = [
        helper.make_node("DequantizeLinear", ["w", "scale", "zero"], ["f"]),
        helper.make_node("MatMul", ["x", "f"], ["y"]),
    ]
    path = saved(tmp_path / "q.onnx", nodes, ends[:1], ends[1:], weights)
    specs = [(TensorSpec(name, "float32", ("batch", 4)),) for name in ("x", "y")]
    with open_it(ModelFiles({"onnx": path}, specs[0], specs[1])) as session:
        assert session.facts()["precision"] == "fp32"
        assert session.facts()["notes"] == [
            "weights are int8 (17): the model is quantised, and precision fp32 is only of its floating-point parts"
        ]


def test_every_plain_dtype_passes_through(tmp_path: Path) -> None:
    kinds = ["uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64", "float32", "float64", "bool"]
    types = {kind: helper.np_dtype_to_tensor_dtype(np.dtype(kind)) for kind in kinds}
    path = saved(
        tmp_path / "all.onnx",
        [helper.make_node("Identity", [kind], ["out " + kind]) for kind in kinds],
        [helper.make_tensor_value_info(kind, types[kind], [2]) for kind in kinds],
        [helper.make_tensor_value_info("out " + kind, types[kind], [2]) for kind in kinds],
    )
    specs = [tuple(TensorSpec(start + kind, kind, (2,)) for kind in kinds) for start in ("", "out ")]
    with open_it(ModelFiles({"onnx": path}, specs[0], specs[1])) as session:
        arrays = {kind: np.array([1, 0]).astype(kind) for kind in kinds}
        for name, array in session.read(session.run(session.stage(Query(arrays)))).items():
            assert array.dtype == np.dtype(name[4:])
            assert array.tolist() == [1, 0]


def test_an_output_whose_shape_only_the_run_tells_is_read_whole(tmp_path: Path) -> None:
    ends = [
        helper.make_tensor_value_info("x", TensorProto.FLOAT, [6]),
        helper.make_tensor_value_info("y", TensorProto.INT64, [1, "n"]),
    ]
    other = helper.make_tensor_value_info("z", TensorProto.FLOAT, [6])
    nodes = [helper.make_node("NonZero", ["x"], ["y"]), helper.make_node("Neg", ["x"], ["z"])]
    path = saved(tmp_path / "found.onnx", nodes, ends[:1], [ends[1], other])
    outputs = (TensorSpec("y", "int64", (1, "n")), TensorSpec("z", "float32", (6,)))
    with open_it(ModelFiles({"onnx": path}, (TensorSpec("x", "float32", (6,)),), outputs)) as session:
        for x in ([1, 0, 2, 0, 3, 0], [0, 0, 0, 0, 0, 5], [0] * 6):
            staged = session.stage(Query({"x": np.array(x, np.float32)}))
            arrays = session.read(session.run(staged))
            assert arrays["y"].tolist() == [np.flatnonzero(x).tolist()]
            assert arrays["z"].tolist() == [-one for one in x]


def test_the_tensors_of_a_contract_must_be_the_artifacts(mlp: Example) -> None:
    wrong: list[tuple[str, dict[str, Any]]] = [
        ("has no input `z`; it has x", {"inputs": (TensorSpec("z", "float32", ("batch", 8)),)}),
        ("has no output `z`; it has y", {"outputs": (TensorSpec("z", "float32", ("batch", 4)),)}),
        ("is float32 in the artifact, not float64", {"inputs": (TensorSpec("x", "float64", ("batch", 8)),)}),
        (
            r"has shape \[batch, 8\] in the artifact, not \[batch, 9\]",
            {"inputs": (TensorSpec("x", "float32", ("batch", 9)),)},
        ),
        ("also takes input `x`", {"inputs": ()}),
    ]
    for message, change in wrong:
        with pytest.raises(ModelRejected, match=message):
            open_it(replace(mlp.model, **change))


def test_the_framework_says_why_a_model_is_rejected(mlp: Example, tmp_path: Path) -> None:
    node = helper.make_node("NoSuchOperator", ["x"], ["y"])
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [2]) for name in ("x", "y")]
    path = saved(tmp_path / "unknown.onnx", [node], ends[:1], ends[1:])
    with pytest.raises(ModelRejected, match=r"unknown\.onnx: .*NoSuchOperator"):
        open_it(replace(mlp.model, artifacts={"onnx": path}))


def test_nothing_is_left_on_disk_or_on_the_terminal(
    mlp: Example, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    with open_it(mlp.model) as session:
        session.run(session.stage(mlp.queries[0]))
    assert list(folder.iterdir()) == []
    assert capfd.readouterr() == ("", "")


def test_a_closed_session_says_so(mlp: Example) -> None:
    with open_it(mlp.model) as session:
        staged = session.stage(mlp.queries[0])
    with pytest.raises(AdapterError, match="closed"):
        session.run(staged)


def test_a_state_that_its_output_does_not_fit_is_said(tmp_path: Path) -> None:
    example = onnx_examples(tmp_path)[2]
    with open_it(replace(example.model, state={"h": "y"})) as session:
        outputs = session.run(session.stage(example.queries[0]))
        with pytest.raises(AdapterError, match=r"`y` has shape \(2, 3\), but the state `h` that it feeds has \(2, 6\)"):
            session.advance(outputs)
