"""ONNX Runtime's TensorRT provider on a real GPU, in a process that is told that fp32 is no TF32."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from time import perf_counter_ns
from typing import Any, ClassVar

import pytest

from bench.device.adapter import ModelFiles, Session, Settings
from tests.gpu.commands import CPU, TENSORRT
from tests.gpu.promises import Computed, OnnxConformance, Promises
from tests.gpu.sessions import DEVICE, layers, opened, query

pytestmark = [pytest.mark.gpu, pytest.mark.timeout(900)]
BY_TENSORRT = {"provider": "tensorrt"}


@pytest.fixture(autouse=True)
def own_cache(cache: Path) -> Path:
    return cache


class OnDevice(OnnxConformance):
    adapter = "tests.gpu.proven:OnnxRuntime"
    __test__ = False
    settings = Settings(device=DEVICE, extra=BY_TENSORRT)

    def check_place(self, facts: Mapping[str, object]) -> None:
        super().check_place(facts)
        nodes: Any = facts["nodes by provider"]
        assert nodes.get(TENSORRT)
        assert not nodes.get(CPU)


class TestHostResident(OnDevice):
    __test__ = True


class TestDeviceResident(OnDevice):
    __test__ = True
    settings = Settings(device=DEVICE, residency="device", extra=BY_TENSORRT)


class TestSessions(Promises):
    """TF32 is asked for in another process. It has no graphs and no clock here, and what it waits for by itself is not
    documented: so none of its runs is known not to wait."""

    captured: ClassVar[Sequence[Mapping[str, Any]]] = ({},)
    computes: ClassVar[Sequence[Computed]] = (
        Computed("fp32", "fp32", 1e-4),
        Computed("fp32", "fp16", 2e-2),
        Computed("fp32", "bf16", 5e-2),
        Computed("fp16", "fp16", 2e-2),
        Computed("bf16", "bf16", 5e-2),
    )
    test_a_run_that_does_not_wait_is_caught = None  # type: ignore[assignment]
    test_tf32_is_other_arithmetic_than_fp32 = None  # type: ignore[assignment]
    test_a_captured_graph_is_faster_than_many_small_launches = None  # type: ignore[assignment]
    test_the_gpus_own_time_is_the_hosts_but_for_starting_and_waiting = None  # type: ignore[assignment]

    def opened(self, model: ModelFiles, extra: Mapping[str, Any] | None = None, **settings: Any) -> Session:
        on_gpu = settings.get("device", DEVICE) == DEVICE
        return opened(model, {**(extra or {}), **(BY_TENSORRT if on_gpu else {})}, **settings)


def opening_ns(model: Any, **settings: Any) -> tuple[int, dict[str, Any]]:
    begin = perf_counter_ns()
    with opened(model, BY_TENSORRT, residency="device", **settings) as session:
        session.run(session.stage(query(8, 512)))
        return perf_counter_ns() - begin, dict(session.facts())


def test_an_engine_is_built_once_and_never_taken_for_anothers(folder: Path) -> None:
    model = layers(folder, 8, 512, batch=8)
    built, facts = opening_ns(model)
    assert facts["engine cache"].startswith("built: ")
    assert facts["notes"]
    found, facts = opening_ns(model)
    assert facts["engine cache"].startswith("found: ")
    assert found < built / 5
    _, facts = opening_ns(model, precision="fp16")
    assert facts["engine cache"].startswith("built: ")
