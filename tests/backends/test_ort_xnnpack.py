"""ONNX Runtime's XNNPACK. No package on PyPI has it: refused for real here, the rest with stand-ins for it."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import pytest

from backends import ort_config, ort_nodes, ort_profile, ort_providers, ort_xnnpack
from backends.ort import OnnxRuntimeAdapter
from bench.conformance import Example, onnx_examples
from bench.device.adapter import AdapterError, DeviceUnavailable, Settings

onnxruntime: Any = importlib.import_module("onnxruntime")
NAME, CPU = "XnnpackExecutionProvider", "CPUExecutionProvider"


def asked(**settings: Any) -> Settings:
    return Settings(**{"threads": 3, **settings, "extra": {"provider": "xnnpack", **settings.get("extra", {})}})


@pytest.fixture
def mlp(tmp_path: Path) -> Example:
    return onnx_examples(tmp_path)[0]


def stand_in(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A provider that this package really has, under XNNPACK's word."""
    monkeypatch.setitem(ort_providers.PROVIDERS, "xnnpack", ort_providers.Provider(name, memory="cpu"))


def test_a_package_that_is_built_without_it_is_refused_in_one_line(mlp: Example) -> None:
    assert NAME not in onnxruntime.get_available_providers()  # else the other tests here can do without stand-ins
    with pytest.raises(DeviceUnavailable) as caught:
        OnnxRuntimeAdapter().open(mlp.model, asked())
    assert f"is built without {NAME}" in str(caught.value)
    assert "--use_xnnpack" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_threads_are_its_own_and_the_frameworks_pool_has_one() -> None:
    settings = asked()
    options = ort_providers.options_of(settings, ort_config.values_of(settings), "")
    assert options == [(NAME, {"intra_op_num_threads": "3"})]
    config, facts = ort_config.configure(onnxruntime, settings)
    assert config.intra_op_num_threads == 1
    assert config.get_session_config_entry("session.intra_op.allow_spinning") == "0"
    assert (facts["threads"], facts["spinning"]) == (3, False)
    assert ort_config.configure(onnxruntime, Settings(threads=3))[0].intra_op_num_threads == 3


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        (asked(extra={"spinning": True}), "spinning"),
        (asked(extra={"execution mode": "parallel"}), "execution mode"),
        (asked(extra={"cudnn search": "default"}), "cudnn search"),
        (asked(device="cuda:0"), "provider"),
    ],
)
def test_what_does_not_go_with_it_is_told(settings: Settings, name: str, mlp: Example) -> None:
    found = ort_providers.conflict(mlp.model, settings, ort_config.values_of(settings))
    assert found is not None
    assert found[0] == name


def test_a_graph_of_16_bits_is_refused() -> None:
    for precision in ("fp16", "bf16", "fp32"):
        assert ort_providers.other_precision(asked(precision=precision), "fp16")
    assert not ort_providers.other_precision(asked(), "fp32")


def test_where_no_node_ran_on_it_there_is_no_number_under_its_name(
    mlp: Example, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A real provider that is there, is taken by the session and lists itself, but runs none of the nodes."""
    stand_in("AzureExecutionProvider", monkeypatch)
    told = rf"no node .* run on Azure\w+, .*: \d+ on {CPU}"
    with OnnxRuntimeAdapter().open(mlp.model, asked()) as session, pytest.raises(DeviceUnavailable, match=told):
        session.facts()


def test_the_nodes_are_those_of_a_profile_that_a_process_beside_makes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in(CPU, monkeypatch)
    for one in onnx_examples(tmp_path):
        nodes = ort_xnnpack.ran(one.model.artifacts["onnx"], one.model, asked())
        assert {node.provider for node in nodes} == {CPU}
        assert len(nodes) == len(set(nodes))
    with OnnxRuntimeAdapter().open(one.model, asked()) as session:
        facts = session.facts()
        assert facts["nodes by provider"] == {CPU: len(nodes)}
        assert facts["provider options"] == {CPU: {"intra_op_num_threads": "3"}}
        assert "notes" not in facts
        assert session.facts() == facts


def test_nodes_that_it_did_not_take_are_told_one_by_one() -> None:
    def event(name: str, provider: str, kind: str = "Conv") -> dict[str, Any]:
        return {"cat": "Node", "name": f"{name}_kernel_time", "args": {"provider": provider, "op_name": kind}}

    events = [event("c", NAME), event("d", CPU, "Det"), event("d", CPU, "Det"), {"cat": "Session", "name": "model_run"}]
    told = ort_nodes.facts_of(ort_profile.placed(events), [NAME], "cpu", True)
    assert told["nodes by provider"] == {NAME: 1, CPU: 1}
    assert told["notes"] == [f"1 of 2 nodes ran on {CPU}, not on {NAME}: Det `d`"]


def test_nodes_that_cannot_be_found_are_an_error(mlp: Example, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(CPU, monkeypatch)
    monkeypatch.setattr(ort_xnnpack, "BOOT", "raise SystemExit('no room')")
    with pytest.raises(AdapterError, match=r"which nodes of .* run on XNNPACK was not to be found: no room"):
        ort_xnnpack.ran(mlp.model.artifacts["onnx"], mlp.model, asked())
