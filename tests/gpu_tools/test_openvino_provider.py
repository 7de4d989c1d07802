"""What may fall to the CPU in silence, held against a real provider that is not the CPU's: OpenVINO in ONNX Runtime."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.gpu_tools import models
from tests.gpu_tools.environments import ask

pytestmark = pytest.mark.gpu_tools
HERE, ELSEWHERE = {"device_type": "CPU"}, {"device_type": "GPU"}
OPENVINO, CPU = "OpenVINOExecutionProvider", "CPUExecutionProvider"


def test_a_graph_that_is_wholly_on_the_provider_opens_and_says_so(tmp_path: Path) -> None:
    told = ask("openvino", "open", device="openvino:0", options_of_provider=HERE, **models.scaling(tmp_path))
    assert told["facts"]["nodes by provider"] == {OPENVINO: 2}
    assert "notes" not in told["facts"]


def test_answers_are_right_and_their_queries_own(tmp_path: Path) -> None:
    told = ask("openvino", "answers", device="openvino:0", options_of_provider=HERE, **models.scaling(tmp_path))
    values = [{value for row in answer for value in row} for answer in told["answers"]]
    assert values == [{1.5}, {0.0}, {1.5}]


@pytest.mark.parametrize("fallback", [{}, {"cpu fallback": "allowed"}])
def test_a_provider_that_did_not_start_is_refused_with_its_own_reason(tmp_path: Path, fallback: dict[str, str]) -> None:
    words = models.scaling(tmp_path)
    told = ask("openvino", "open", device="openvino:0", options_of_provider=ELSEWHERE, extra=fallback, **words)
    assert told["error"] == "DeviceUnavailable"
    assert f"{OPENVINO} did not start, and the whole model would run on the CPU" in told["message"]
    assert fallback or "Device GPU is not available" in told["message"]


def test_a_part_on_the_cpu_is_refused_node_by_node(tmp_path: Path) -> None:
    told = ask("openvino", "open", device="openvino:0", options_of_provider=HERE, **models.mixed(tmp_path))
    assert told["error"] == "DeviceUnavailable"
    assert "of 4 nodes would run on the CPU, not on openvino:0: " in told["message"]
    assert "Det `det`" in told["message"]
    assert told["message"].endswith("say option `cpu fallback: allowed`")


def test_a_part_on_the_cpu_that_is_allowed_is_recorded_node_by_node(tmp_path: Path) -> None:
    words = models.mixed(tmp_path)
    allowed = {"cpu fallback": "allowed"}
    told = ask("openvino", "open", device="openvino:0", options_of_provider=HERE, extra=allowed, **words)
    facts = told["facts"]
    assert sum(facts["nodes by provider"].values()) == 4
    assert "Det `det`" in facts[f"nodes on {CPU}"]
    assert len(facts[f"nodes on {CPU}"]) == facts["nodes by provider"][CPU]
    assert [note for note in facts["notes"] if "ran on the CPU, not on openvino:0" in note and "Det `det`" in note]
