"""A real asynchronous device with its own memory, without a GPU: ONNX Runtime's WebGPU on a software Vulkan."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.gpu_tools import models
from tests.gpu_tools.environments import ask, software_vulkan

pytestmark = pytest.mark.gpu_tools
WEBGPU = "WebGpuExecutionProvider"


@pytest.mark.parametrize("residency", ["host", "device"])
def test_answers_are_right_wherever_the_data_lives(residency: str, tmp_path: Path) -> None:
    told = ask(
        "webgpu", "answers", software_vulkan(), device="webgpu:0", residency=residency, **models.scaling(tmp_path)
    )
    values = [{value for row in answer for value in row} for answer in told["answers"]]
    assert values == [{1.5}, {0.0}, {1.5}]
    assert told["facts"]["nodes by provider"] == f"all on {WEBGPU}: the framework refuses others"
    assert told["facts"]["residency"] == residency


def test_the_audit_passes_a_run_that_brings_its_outputs_to_the_host(tmp_path: Path) -> None:
    told = ask("webgpu", "audit", software_vulkan(), device="webgpu:0", residency="host", **models.working(tmp_path))
    assert told["complaint"] == ""
    assert told["ratio"] >= 0.9


def test_the_audit_catches_a_run_that_returns_before_the_device_is_done(tmp_path: Path) -> None:
    """This provider's run does not wait for its device, though the framework's way to bind is the same as CUDA's."""
    told = ask("webgpu", "audit", software_vulkan(), device="webgpu:0", residency="device", **models.working(tmp_path))
    assert told["complaint"].startswith("the clock stopped before the work did")


def test_a_part_on_the_cpu_costs_copies_at_its_borders(tmp_path: Path) -> None:
    words = models.mixed(tmp_path)
    refused = ask("webgpu", "open", software_vulkan(), device="webgpu:0", **words)
    assert refused["error"] == "DeviceUnavailable"
    assert "would run on the CPU, not on webgpu:0: Det `det`" in refused["message"]
    profiled = ask("webgpu", "borders", software_vulkan(), device="webgpu:0", prefix=str(tmp_path / "profile"), **words)
    assert len(profiled["copies"]) >= 2  # to the CPU and back


def test_a_part_on_the_cpu_is_never_allowed_where_the_record_does_not_name_the_rest(tmp_path: Path) -> None:
    """This provider's nodes are in no record: whether it runs any of them, nobody says."""
    words, allowed = models.mixed(tmp_path), {"cpu fallback": "allowed"}
    told = ask("webgpu", "open", software_vulkan(), device="webgpu:0", extra=allowed, **words)
    assert told["error"] == "DeviceUnavailable"
    assert f"no node of the graph would run on {WEBGPU}, by the framework's own record" in told["message"]
