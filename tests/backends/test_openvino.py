"""OpenVINO: the promises of every adapter for IR and ONNX, and those of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backends import ov as adapter_module
from backends.ov import OpenVinoAdapter
from bench.conformance import AdapterConformance, Example, onnx_examples, wide_onnx_example
from bench.device.adapter import AdapterError, DeviceUnavailable, ModelRejected, Settings, TensorSpec

OPENVINO = "backends.ov:OpenVinoAdapter"


def as_ir(example: Example, folder: Path, compress: bool = False) -> Example:
    """The example's ONNX file as IR, its weights beside it."""
    openvino: Any = adapter_module._import()
    path = folder / f"{example.name}.xml"
    openvino.save_model(openvino.Core().read_model(str(example.model.artifacts["onnx"])), str(path), compress)
    return example.with_artifacts({"openvino": path})


class TestOnnx(AdapterConformance):
    adapter = OPENVINO

    def make_examples(self, folder: Path) -> Sequence[Example]:
        return onnx_examples(folder)


class TestIr(AdapterConformance):
    adapter = OPENVINO

    def make_examples(self, folder: Path) -> Sequence[Example]:
        return [as_ir(example, folder) for example in onnx_examples(folder)]

    def make_wide_example(self, folder: Path) -> Example:
        return as_ir(wide_onnx_example(folder), folder)


@pytest.fixture
def mlp(tmp_path: Path) -> Example:
    return onnx_examples(tmp_path)[0]


def test_a_precision_that_the_processor_does_not_take_is_never_a_number_under_its_name(mlp: Example) -> None:
    for word in ("fp32", "bf16", "fp16"):
        said = facts_or_refusal(mlp, word)
        assert said.get("precision", word) == word
        assert said.get("refusal", "it takes f32").endswith(("it takes f32", "it takes bf16"))
    assert facts_or_refusal(mlp, "fp32")["config"]["INFERENCE_PRECISION_HINT"] == "f32"


def facts_or_refusal(example: Example, precision: str) -> dict[str, Any]:
    """Which of the two depends on the processor."""
    try:
        with OpenVinoAdapter().open(example.model, Settings(precision=precision)) as session:
            return dict(session.facts())
    except DeviceUnavailable as error:
        return {"refusal": str(error)}


class Turncoat:
    """A compiled model that took bf16 on its own account, as OpenVINO does by default where the processor has it."""

    def __init__(self, config: dict[str, Any]) -> None:
        self.config = config

    def get_property(self, name: str) -> Any:
        openvino: Any = adapter_module._import()
        return openvino.Type.bf16 if name == "INFERENCE_PRECISION_HINT" else self.config[name]


def test_a_compiled_model_that_takes_another_precision_is_refused(mlp: Example) -> None:
    refusal = pytest.raises(DeviceUnavailable, match=r"INFERENCE_PRECISION_HINT f32, but .* takes bf16")
    with OpenVinoAdapter().open(mlp.model, Settings()) as session, refusal:
        session._check(Turncoat(session._config))


def test_more_threads_than_it_takes_are_refused(mlp: Example) -> None:
    with pytest.raises(DeviceUnavailable, match="INFERENCE_NUM_THREADS 4096, but on this processor it takes"):
        OpenVinoAdapter().open(mlp.model, Settings(threads=4096))


def test_compressed_weights_are_told(mlp: Example, tmp_path: Path) -> None:
    with OpenVinoAdapter().open(as_ir(mlp, tmp_path, compress=True).model, Settings()) as session:
        facts: Any = session.facts()
    assert facts["precision"] == "fp32"
    assert facts["weights"]["float16"] == 8 * 16 + 16 + 16 * 4


def test_one_request_in_single_stream_and_streams_of_its_own_offline(mlp: Example) -> None:
    with OpenVinoAdapter().open(mlp.model, Settings(threads=2)) as session:
        assert session.facts()["streams"] == 1
        assert not hasattr(session, "run_all")
    with OpenVinoAdapter().open(mlp.model, Settings(threads=2, scenario="offline")) as session:
        assert session.facts()["streams"] == 2
        assert hasattr(session, "run_all")
    extra = {"streams": 1}
    with OpenVinoAdapter().open(mlp.model, Settings(threads=2, scenario="offline", extra=extra)) as session:
        assert session.facts()["streams"] == 1
    with pytest.raises(AdapterError, match="only 1 threads"):
        OpenVinoAdapter().open(mlp.model, Settings(scenario="offline", extra={"streams": 2}))


def test_the_tensors_of_a_contract_must_be_the_artifacts(mlp: Example) -> None:
    wrong: list[tuple[str, dict[str, Any]]] = [
        ("has no input `z`; it has x", {"inputs": (TensorSpec("z", "float32", ("batch", 8)),)}),
        ("has no output `z`", {"outputs": (TensorSpec("z", "float32", ("batch", 4)),)}),
        ("is float32 in the artifact, not float64", {"inputs": (TensorSpec("x", "float64", ("batch", 8)),)}),
        (
            r"has shape \[\?, 8\] in the artifact, not \[batch, 9\]",
            {"inputs": (TensorSpec("x", "float32", ("batch", 9)),)},
        ),
        ("also takes input `x`", {"inputs": ()}),
    ]
    for message, change in wrong:
        with pytest.raises(ModelRejected, match=message):
            OpenVinoAdapter().open(replace(mlp.model, **change), Settings())


def test_weights_that_are_cut_off_or_missing_are_rejected(mlp: Example, tmp_path: Path) -> None:
    example = as_ir(mlp, tmp_path)
    weights = example.model.artifacts["openvino"].with_suffix(".bin")
    weights.write_bytes(weights.read_bytes()[:10])
    with pytest.raises(ModelRejected, match=r"openvino does not take mlp\.xml: \S+"):
        OpenVinoAdapter().open(example.model, Settings())
    weights.unlink()
    with pytest.raises(ModelRejected):
        OpenVinoAdapter().open(example.model, Settings())


def test_an_artifact_of_another_name_is_refused(mlp: Example, tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    path.write_bytes(b"anything")
    with pytest.raises(ModelRejected, match=r"model\.pt should end in \.onnx"):
        OpenVinoAdapter().open(mlp.with_artifacts({"onnx": path}).model, Settings())


def test_importing_it_sends_nothing_home() -> None:
    code = (
        "import sys; from backends.ov import OpenVinoAdapter; found = OpenVinoAdapter().probe()\n"
        "assert found.usable and 'openvino' in sys.modules\n"
        "print([name for name in sys.modules if 'telemetry' in name and 'openvino_telemetry' in name])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_query_shape_seen_again_is_compiled_anew_only_if_another_came_between(mlp: Example) -> None:
    with OpenVinoAdapter().open(mlp.model, Settings()) as session:
        one, other = session.stage(mlp.queries[0]), session.stage(mlp.queries[0])
        assert one.ready is other.ready
        assert session.stage(mlp.queries[1]).ready is not one.ready
        np.testing.assert_allclose(session.read(session.run(one))["y"], mlp.answers[0]["y"], 1e-4, 1e-5)
