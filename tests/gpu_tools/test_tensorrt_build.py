"""Engines built for real, by TensorRT-RTX, on a machine without a GPU: parsed, profiled, built, serialised, kept."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.gpu import sessions
from tests.gpu_tools import models
from tests.gpu_tools.environments import ask

pytestmark = pytest.mark.gpu_tools


@pytest.fixture
def told(tmp_path: Path) -> Callable[..., dict[str, Any]]:
    """What the child answers, its engines kept in a cache of this test."""

    def told(what: str, **words: Any) -> dict[str, Any]:
        return ask("tensorrt-rtx", what, {"BENCHPACT_CACHE": str(tmp_path / "cache")}, "trt_child", **words)

    return told


def test_an_engine_is_built_once_and_found_by_the_next_process(told: Any, tmp_path: Path) -> None:
    words = models.scaling(tmp_path)
    built = told("build", **words)
    assert built["from"] == "built"
    assert built["bytes"] > 1000
    assert 0 < built["build_ns"] < 600e9
    found = told("build", **words)
    assert found == {**built, "from": "found"}
    assert (Path(built["cache"]) / "timings.cache").stat().st_size


@pytest.mark.parametrize(
    "changed", [{"level": 1}, {"precision": "tf32"}, {"sizes": "batch 1/2/8"}, {"capability": "8.6"}]
)
def test_another_option_is_another_engine(changed: dict[str, Any], told: Any, tmp_path: Path) -> None:
    words = models.scaling(tmp_path)
    assert told("build", **words)["from"] == "built"
    assert told("build", **words, **changed)["from"] == "built"
    assert told("build", **words)["from"] == "found"


@pytest.mark.parametrize("graph", ["fp32", "fp16", "bf16"])
def test_the_gpu_suites_graphs_are_built_in_their_own_precision(graph: str, told: Any, tmp_path: Path) -> None:
    path = sessions.layers(tmp_path, 2, 64, graph=graph).artifacts["onnx"]
    ends = {"inputs": {"x": ["batch", 64]}, "outputs": {"y": ["batch", 64]}}
    assert told("build", model=str(path), **ends, graph=graph, precision=graph)["from"] == "built"


def test_an_engine_that_was_cut_is_built_again(told: Any, tmp_path: Path) -> None:
    words = models.scaling(tmp_path)
    told("build", **words)
    (engine,) = (tmp_path / "cache").glob("engines/*/*.engine")
    engine.write_bytes(engine.read_bytes()[:-1])
    assert told("build", **words)["from"] == "built"
    assert told("build", **words)["from"] == "found"


def test_timings_that_are_no_timings_are_left_aside(told: Any, tmp_path: Path) -> None:
    words = models.scaling(tmp_path)
    told("build", **words)
    (timings,) = (tmp_path / "cache").glob("engines/*/timings.cache")
    timings.write_bytes(b"garbage")
    told("build", **words, sizes="batch 1/2/8")
    assert timings.read_bytes() != b"garbage"


def test_a_node_without_a_kernel_is_named(told: Any, tmp_path: Path) -> None:
    refused = told("build", **models.mixed(tmp_path), sizes="")
    assert refused["error"] == "ModelRejected"
    assert refused["message"].startswith("TensorRT-RTX does not take mixed.onnx: node 2 Det `det`: UNSUPPORTED_NODE")


@pytest.mark.parametrize("data", [b"no model\n" * 99, b"\x00\x01junk", b""])
def test_what_is_no_model_is_refused_with_the_parsers_words(data: bytes, told: Any, tmp_path: Path) -> None:
    words = models.scaling(tmp_path)
    path = Path(words["model"])
    path.write_bytes(data or path.read_bytes()[:300])
    refused = told("build", **words)
    assert refused["error"] == "ModelRejected"
    why = "it holds no graph with an output" if data[:1] == b"\x00" else "MODEL_DESERIALIZE_FAILED"
    assert refused["message"].startswith(f"TensorRT-RTX does not take scaling.onnx: {why}")


def test_a_graph_that_is_not_the_contracts_is_refused(told: Any, tmp_path: Path) -> None:
    words = models.scaling(tmp_path)
    refused = told("build", **{**words, "inputs": {"image": ["batch", 64]}})
    assert refused["message"] == "the artifact has no input `image`; it has x"


def test_fp32_in_fp16_is_refused_by_what_is_strongly_typed(told: Any, tmp_path: Path) -> None:
    refused = told("build", **models.scaling(tmp_path), precision="fp16")
    assert refused["error"] == "ModelRejected"
    assert "computes a graph in its own types: say `precision: fp32`, or convert the model" in refused["message"]


def test_a_gpu_that_it_does_not_build_for_is_said(told: Any, tmp_path: Path) -> None:
    refused = told("build", **models.scaling(tmp_path), capability="6.1")
    assert refused["message"] == "TensorRT-RTX does not build for GPUs of compute capability 6.1"


def test_running_needs_the_gpu_and_says_so(told: Any, tmp_path: Path) -> None:
    words = models.scaling(tmp_path)
    refused = told("engine", **words)
    assert refused["error"] == "ModelRejected"
    assert "cudaError 35" in refused["message"]
    refused = told("open", **words)
    assert refused["error"] == "DeviceUnavailable"
    assert refused["message"].startswith("cuda:0 cannot be used: ")
