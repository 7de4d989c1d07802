"""Opening a model with TensorRT: engines built, kept and handed over, what is refused, and what the facts say."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from backends import cuda_probe, trt_options
from backends.trt import TensorRtAdapter
from bench.conformance import Example, onnx_examples
from bench.device.adapter import AdapterError, DeviceUnavailable, ModelFiles, ModelRejected, Query, Settings, TensorSpec

FREE = ModelFiles({}, (TensorSpec("x", "float32", ("batch", "length")),), (TensorSpec("y", "float32", ("batch",)),))


@pytest.fixture
def mlp(tmp_path: Path) -> Example:
    return onnx_examples(tmp_path)[0]


def on_gpu(extra: Any = None, **settings: Any) -> Settings:
    return Settings(**{"device": "cuda:0", "extra": extra or {}, **settings})


def opened(model: ModelFiles, extra: Any = None, **settings: Any) -> Any:
    return TensorRtAdapter().open(model, on_gpu(extra, **settings))


def engines(session: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = session.facts()["engines"]
    return found


def graph(path: Path, nodes: list[Any], x: list[Any], y: list[Any], kind: int = TensorProto.FLOAT) -> ModelFiles:
    ends = [helper.make_tensor_value_info(name, kind, shape) for name, shape in (("x", x), ("y", y))]
    built = helper.make_graph(nodes, "g", ends[:1], ends[1:])
    onnx.save(helper.make_model(built, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    dtype = helper.tensor_dtype_to_np_dtype(kind).name
    return ModelFiles({"onnx": path}, (TensorSpec("x", dtype, tuple(x)),), (TensorSpec("y", dtype, tuple(y)),))


# Engines


def test_an_engine_is_built_once_and_found_by_the_next(mlp: Example, cache: Path) -> None:
    with opened(mlp.model) as session:
        (first,) = engines(session)
        assert first["from"] == "built"
        assert first["for"] == "x 1x8"
        assert first["build_ns"] > 0
        assert first["bytes"] > 0
        assert session.facts()["notes"] == [
            "TensorRT built its engine in this process, which is in its load time; it is kept, and the next process "
            "finds it"
        ]
    with opened(mlp.model) as session:
        (second,) = engines(session)
        assert second == dict(first, **{"from": "found"})
        assert "notes" not in session.facts()


def test_each_size_has_an_engine_of_its_own_or_all_have_one(mlp: Example, cache: Path) -> None:
    with opened(mlp.model) as session:
        for query in mlp.queries:
            session.stage(query)
        assert [one["for"] for one in engines(session)] == ["x 1x8", "x 2x8", "x 7x8"]
    with opened(mlp.model, {"sizes": "batch 1/2/7"}) as session:
        for query in mlp.queries:
            session.stage(query)
        assert [one["for"] for one in engines(session)] == ["x 1x8 to 7x8"]
        with pytest.raises(AdapterError, match=r"input `x` has shape \(8, 8\), which the engine does not take: x: .*"):
            session.stage(Query({"x": np.zeros((8, 8), np.float32)}, 8))


@pytest.mark.parametrize(
    "changed",
    [{"precision": "tf32"}, {"precision": "fp16"}, {"extra": {"optimization level": 5}},
     {"extra": {"workspace limit": "2 GiB"}}, {"extra": {"sizes": "batch 1/2/7"}}],
)  # fmt: skip
def test_another_option_is_another_engine(changed: dict[str, Any], mlp: Example, cache: Path) -> None:
    with opened(mlp.model):
        pass
    with opened(mlp.model, **changed) as session:
        assert engines(session)[0]["from"] == "built"


def test_what_changes_no_engine_finds_the_same(mlp: Example, cache: Path) -> None:
    with opened(mlp.model):
        pass
    with opened(mlp.model, {"wait": "sleep", "cuda graph": True}, residency="device", threads=2) as session:
        assert engines(session)[0]["from"] == "found"


@pytest.mark.parametrize("what", ["version", "gpu", "model"])
def test_another_version_gpu_or_model_is_another_engine(
    what: str, mlp: Example, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import tensorrt

    with opened(mlp.model):
        pass
    if what == "version":
        monkeypatch.setattr(tensorrt, "__version__", "10.16.2.0")
    elif what == "gpu":
        found = cuda_probe.look()
        other = found._replace(gpus=(found.gpus[0]._replace(capability="8.6"),))
        monkeypatch.setattr(cuda_probe, "_FOUND", [other])
    else:
        path = mlp.model.artifacts["onnx"]
        path.write_bytes(path.read_bytes() + b"\x08\x08")
    with opened(mlp.model) as session:
        assert engines(session)[0]["from"] == "built"


def cut(engine: Path) -> None:
    engine.write_bytes(engine.read_bytes()[:-100])


def altered(engine: Path) -> None:
    whole = bytearray(engine.read_bytes())
    whole[-1] ^= 1
    engine.write_bytes(whole)


def unrecorded(engine: Path) -> None:
    engine.with_suffix(".json").unlink()


def half_a_record(engine: Path) -> None:
    record = engine.with_suffix(".json")
    record.write_text(record.read_text()[:20])


def garbage_timings(engine: Path) -> None:
    (engine.parent / "timings.cache").write_bytes(b"garbage")
    engine.unlink()


@pytest.mark.parametrize("damage", [cut, altered, unrecorded, half_a_record, garbage_timings])
def test_a_kept_engine_that_is_not_whole_is_built_again(
    damage: Callable[[Path], None], mlp: Example, cache: Path
) -> None:
    with opened(mlp.model):
        pass
    (engine,) = cache.glob("*/*.engine")
    damage(engine)
    with opened(mlp.model) as session:
        assert engines(session)[0]["from"] == "built"
        staged = session.stage(mlp.queries[0])
        np.testing.assert_allclose(session.read(session.run(staged))["y"], mlp.answers[0]["y"], 1e-4, 1e-5)
    with opened(mlp.model) as session:
        assert engines(session)[0]["from"] == "found"


def test_without_a_cache_nothing_is_kept(mlp: Example, cache: Path) -> None:
    for _ in range(2):
        with opened(mlp.model, {"engine cache": False}) as session:
            assert engines(session)[0]["from"] == "built"
            assert "every process does" in session.facts()["notes"][0]
    assert not cache.exists()


def test_timings_of_one_build_serve_the_next(mlp: Example, cache: Path) -> None:
    with opened(mlp.model) as session:
        session.stage(mlp.queries[1])
    (timings,) = cache.glob("*/timings.cache")
    assert timings.read_bytes() == b"tt"  # the stand-in adds one with every build


def test_an_engine_that_was_handed_over_is_run_as_it_is(mlp: Example, cache: Path, tmp_path: Path) -> None:
    with opened(mlp.model, {"sizes": "batch 1/2/7"}):
        pass
    (kept,) = cache.glob("*/*.engine")
    plan = tmp_path / "model.plan"
    plan.write_bytes(kept.read_bytes())
    model = replace(mlp.model, artifacts={"tensorrt-engine": plan})
    with opened(model) as session:
        assert engines(session) == [{"from": "the contract", "bytes": plan.stat().st_size}]
        assert session.facts()["artifact"] == "tensorrt-engine"
        assert session.facts()["notes"][0].startswith("the engine was built elsewhere: what precision")
        for query, right in zip(mlp.queries, mlp.answers, strict=True):
            np.testing.assert_allclose(session.read(session.run(session.stage(query)))["y"], right["y"], 1e-4, 1e-5)
    plan.write_bytes(b"no engine")
    with pytest.raises(ModelRejected, match=r"TensorRT does not take model\.plan: the engine's magic tag does not"):
        opened(model)


def test_a_target_chooses_between_the_graph_and_the_engine(mlp: Example, tmp_path: Path) -> None:
    (tmp_path / "model.plan").write_bytes(b"no engine")
    model = replace(mlp.model, artifacts={**mlp.model.artifacts, "tensorrt-engine": tmp_path / "model.plan"})
    with opened(model) as session:
        assert session.facts()["artifact"] == "onnx"
    with pytest.raises(ModelRejected, match=r"model\.plan"):
        opened(model, {"artifact": "tensorrt-engine"})


# What is refused


def test_every_node_that_the_parser_does_not_take_is_named(tmp_path: Path) -> None:
    nodes = [helper.make_node("Abs", ["x"], ["a"], name="abs")]
    nodes += [helper.make_node("Det", ["a"], [f"d{at}"], name=f"det{at}") for at in range(10)]
    nodes += [helper.make_node("Sum", [f"d{at}" for at in range(10)], ["y"], name="sum")]
    model = graph(tmp_path / "dets.onnx", nodes, [1, 4, 4], [1])
    with pytest.raises(ModelRejected) as caught:
        opened(model)
    message = str(caught.value)
    assert message.startswith("TensorRT does not take dets.onnx: node 1 Det `det0`: UNSUPPORTED_NODE: no importer; ")
    assert message.endswith("node 8 Det `det7`: UNSUPPORTED_NODE: no importer; and 2 more")


def test_an_input_that_shapes_are_made_of_is_refused_by_name(tmp_path: Path) -> None:
    nodes = [helper.make_node("Reshape", ["x", "to"], ["y"], name="reshape")]
    model = graph(tmp_path / "reshape.onnx", nodes, [4, 4], ["rows", "columns"])
    loaded = onnx.load(model.artifacts["onnx"])
    loaded.graph.input.append(helper.make_tensor_value_info("to", TensorProto.INT64, [2]))
    onnx.save(loaded, model.artifacts["onnx"])
    with pytest.raises(ModelRejected, match="input `to` is a size that shapes are made of"):
        opened(replace(model, inputs=(*model.inputs, TensorSpec("to", "int64", (2,)))))


def test_an_output_whose_size_depends_on_the_data_is_refused_by_name(tmp_path: Path) -> None:
    model = graph(tmp_path / "some.onnx", [helper.make_node("Abs", ["x"], ["y"], name="abs")], [4], ["found"])
    with opened(model) as session, pytest.raises(AdapterError, match="the size of output `y` depends on the data"):
        session.stage(Query({"x": np.ones(4, np.float32)}))


def test_a_contract_that_is_not_the_graphs_is_refused(mlp: Example) -> None:
    wrong = replace(mlp.model, inputs=(replace(mlp.model.inputs[0], name="image"),))
    with pytest.raises(ModelRejected, match="no input `image`; it has x"):
        opened(wrong)


def test_fp32_in_fp16_needs_the_builders_flag_which_version_11_has_not(mlp: Example, cache: Path) -> None:
    import tensorrt

    with opened(mlp.model, precision="fp16") as session:
        assert session.facts()["precision"] == "fp16"
    (kept,) = cache.glob("*/*.engine")
    assert json.loads(kept.read_bytes().split(b"\n")[1])["flags"] == ["FP16"]
    with (
        tensorrt.without_flags(),
        pytest.raises(
            ModelRejected,
            match=r"precision fp16 was asked for, but the graph's is fp32, and TensorRT 11.4.0.106 computes a graph in "
            "its own types: say `precision: fp32`, or convert the model",
        ),
    ):
        opened(mlp.model, precision="fp16")


@pytest.mark.parametrize(("precision", "flags"), [("fp32", []), ("tf32", ["TF32"]), ("bf16", ["BF16"])])
def test_fp32_never_means_tf32(precision: str, flags: list[str], mlp: Example, cache: Path) -> None:
    with opened(mlp.model, precision=precision):
        pass
    (kept,) = cache.glob("*/*.engine")
    assert json.loads(kept.read_bytes().split(b"\n")[1])["flags"] == flags


def test_a_graph_of_fp16_is_computed_in_fp16_alone_by_any_version(tmp_path: Path, cache: Path) -> None:
    import tensorrt

    nodes = [helper.make_node("Add", ["x", "x"], ["y"], name="add")]
    model = graph(tmp_path / "half.onnx", nodes, [1, 4], [1, 4], TensorProto.FLOAT16)
    with tensorrt.without_flags(), opened(model, precision="fp16") as session:
        answer = session.read(session.run(session.stage(Query({"x": np.ones((1, 4), np.float16)}))))["y"]
    assert answer.tolist() == [[2, 2, 2, 2]]
    with pytest.raises(ModelRejected, match="the graph's is fp16, and TensorRT computes it in fp16"):
        opened(model, precision="fp32")


def test_tf32_needs_a_gpu_and_an_environment_that_have_it(mlp: Example, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NVIDIA_TF32_OVERRIDE", "0")
    with pytest.raises(AdapterError, match="cannot be had while NVIDIA_TF32_OVERRIDE=0"):
        opened(mlp.model, precision="tf32")
    found = cuda_probe.look()
    monkeypatch.setattr(cuda_probe, "_FOUND", [found._replace(gpus=(found.gpus[0]._replace(capability="7.5"),))])
    with pytest.raises(DeviceUnavailable, match=r"tf32 needs a GPU of compute capability 8\.0 or newer: .* has 7\.5"):
        opened(mlp.model, precision="tf32")


def test_without_a_gpu_there_is_one_sentence_and_nothing_of_tensorrt_is_made(
    mlp: Example, monkeypatch: pytest.MonkeyPatch
) -> None:
    import tensorrt

    monkeypatch.setattr(tensorrt, "Runtime", lambda _: pytest.fail("without a driver the real one is a null pointer"))
    monkeypatch.setattr(tensorrt, "Builder", tensorrt.Runtime)
    monkeypatch.setattr(cuda_probe, "_FOUND", [cuda_probe.Found(reason="no driver here", remedy="install it")])
    with pytest.raises(DeviceUnavailable) as caught:
        opened(mlp.model)
    assert str(caught.value) == "cuda:0 cannot be used: no driver here; to mend: install it"
    told = TensorRtAdapter().probe()
    assert (told.usable, told.devices, told.reason, told.remedy) == (False, (), "no driver here", "install it")


def test_a_gpu_of_another_number_is_not_this_one(mlp: Example) -> None:
    with pytest.raises(DeviceUnavailable, match="there is no cuda:1: the driver has cuda:0 Software GPU"):
        opened(mlp.model, device="cuda:1")


def test_a_version_that_is_too_old_is_told(mlp: Example, monkeypatch: pytest.MonkeyPatch) -> None:
    import tensorrt

    monkeypatch.setattr(tensorrt, "__version__", "8.6.1")
    assert "TensorRT 8.6.1 is too old: 10 or newer is needed" in TensorRtAdapter().probe().reason
    with pytest.raises(DeviceUnavailable, match="too old: 10 or newer is needed; to mend: pip install tensorrt-cu13"):
        opened(mlp.model)


# Options


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("batch", "`batch` is not a dimension with three sizes: write it like `batch 1/8/32`"),
        ("batch 1..8", "`batch 1..8` is not a dimension with three sizes"),
        ("batch 1/8/32", "`length` is free, too: give it three sizes"),
        ("batch 1/8/32, width 1/2/3", "`width` is no free dimension of the inputs: free are `batch`, `length`"),
        ("batch 8/1/32, length 1/1/1", "the sizes of `batch` are least/usual/largest, in that order"),
        ("batch 0/1/32, length 1/1/1", "in that order and at least 1"),
    ],
)
def test_sizes_that_cannot_be_are_told_before_anything_starts(text: str, why: str) -> None:
    found = TensorRtAdapter().conflict(FREE, on_gpu({"sizes": text}))
    assert found is not None
    assert found[0] == "sizes"
    assert why in found[1]


def test_sizes_are_an_optimisation_profile() -> None:
    assert TensorRtAdapter().conflict(FREE, on_gpu({"sizes": " batch 1/8/32 ,length 16/16/512"})) is None
    ranges = trt_options.ranges_of("batch 1/8/32, length 16/128/512", FREE)
    shapes = trt_options.shapes_of(FREE, ranges)
    assert shapes["x"] == ((1, 16), (8, 128), (32, 512))
    fixed = replace(FREE, dims={"length": 128})
    assert trt_options.free_dimensions(fixed) == ["batch"]
    assert trt_options.shapes_of(fixed, trt_options.exactly({"batch": 4}))["x"] == ((4, 128),) * 3


def test_what_is_for_building_is_nothing_to_an_engine() -> None:
    for name, value in (("sizes", "batch 1/8/32"), ("workspace limit", "1 GiB"), ("engine cache", True)):
        found = TensorRtAdapter().conflict(FREE, on_gpu({"artifact": "tensorrt-engine", name: value}))
        assert found == (name, "the artifact is an engine that was built already: leave it out")


@pytest.mark.parametrize(
    "said", [{"sizes": "batch 1/8/32"}, {"workspace limit": "1 GiB"}, {"optimization level": 5}, {"engine cache": True}]
)
@pytest.mark.parametrize("choice", [{}, {"artifact": "auto"}])
def test_where_an_engine_is_all_that_there_is_nothing_is_for_building(said: Any, choice: Any, tmp_path: Path) -> None:
    alone = replace(FREE, artifacts={"tensorrt-engine": tmp_path / "m.plan"})
    (name,) = said
    told = "what there is to run is an engine that was built already: leave it out, or add an `onnx` artifact"
    assert TensorRtAdapter().conflict(alone, on_gpu({**choice, **said})) == (name, told)
    with pytest.raises(AdapterError, match=f"`{name}`: what there is to run is an engine"):
        TensorRtAdapter().open(alone, on_gpu({**choice, **said}))
    assert trt_options.conflict(alone, on_gpu({**choice, "cuda graph": True, "wait": "sleep"})) is None


def test_a_precision_that_the_graph_has_not_is_told_before_anything_starts(tmp_path: Path) -> None:
    nodes = [helper.make_node("Add", ["x", "x"], ["y"], name="add")]
    model = graph(tmp_path / "double.onnx", nodes, [1, 4], [1, 4], TensorProto.DOUBLE)
    told = ("precision", "precision fp32 was asked for, but the graph's is fp64, and TensorRT computes it in nothing: "
            "convert the model")  # fmt: skip
    assert TensorRtAdapter().conflict(model, on_gpu()) == told
