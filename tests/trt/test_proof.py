"""How the GPU suite knows that the GPU computes, on a GPU in software: what computes elsewhere is found out."""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.conformance import Example, onnx_examples
from bench.device.adapter import Settings
from bench.stats.pool import Pool
from tests.gpu import occupying, proven, runs, sessions
from tests.gpu.occupying import NotOnGpu

LYING = "tests.trt.lying:OnTheCpu"


@pytest.fixture
def example(tmp_path: Path) -> Example:
    return onnx_examples(tmp_path)[0]


@pytest.mark.parametrize("residency", ["host", "device"])
@pytest.mark.parametrize("extra", [{}, {"cuda graph": True}])
def test_a_session_that_computes_there_shows_it_and_answers(residency: str, extra: Any, example: Example) -> None:
    settings = Settings(device="cuda:0", residency=residency, extra=extra)
    with proven.TensorRt().open(example.model, settings) as session:
        staged = session.stage(example.queries[0])
        assert "stage" not in vars(session)
        found = session.read(session.run(staged))
    np.testing.assert_allclose(found["y"], example.answers[0]["y"], example.rtol, example.atol)


def test_what_the_cpu_computes_is_done_while_the_gpu_is_taken(example: Example) -> None:
    with sessions.opened(example.model, device="cpu") as session:
        staged = session.stage(example.queries[0])
        with pytest.raises(NotOnGpu, match="the GPU is not what computes"):
            occupying.demand(lambda: session.run(staged))


def test_a_run_that_does_not_wait_is_done_while_the_gpu_is_taken(example: Example) -> None:
    with proven.TensorRt().open(example.model, Settings(device="cuda:0")) as session:
        staged = session.stage(example.queries[0])
        with pytest.raises(NotOnGpu):
            occupying.demand(lambda: session._enqueue(staged))
        session._stream.wait()


def test_who_only_once_waits_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """As what another program held up by chance."""
    monkeypatch.setattr(occupying, "HELD_NS", 20_000_000)
    waits = iter([0, 0, 0.05, 0])
    with pytest.raises(NotOnGpu):
        occupying.demand(lambda: threading.Event().wait(next(waits)))


def test_the_same_model_and_settings_show_it_once(example: Example, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[object] = []
    monkeypatch.setattr(occupying, "demand", shown.append)
    for residency, times in (("host", 1), ("host", 1), ("device", 2)):
        with proven.TensorRt().open(example.model, Settings(device="cuda:0", residency=residency)) as session:
            for query in example.queries:
                session.stage(query)
        assert len(shown) == times


# Whole runs


@pytest.fixture
def in_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker finds the stand-in for TensorRT, too."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(path or "." for path in sys.path))


def test_our_p50_is_that_of_a_whole_process_run_and_the_engine_is_kept(
    example: Example, cache: Path, in_workers: None
) -> None:
    for origin in ("built", "found"):
        told = runs.whole("tests.gpu.proven:TensorRt", example.model, 2, {"residency": "device"}, 0.1)
        engines: Any = told.run.facts["engines"]
        assert {one["from"] for one in engines} == {origin}
        assert told.run.warm_up is not None and told.run.audit is not None
        estimate = Pool([told.ear.timings]).percentile(0.5)
        assert estimate is not None and runs.p50_ns(told) == estimate.value


def test_a_whole_run_of_what_only_says_that_it_is_there_is_none(example: Example) -> None:
    with pytest.raises(AssertionError, match=r"NotOnGpu.*the GPU is not what computes"):
        runs.whole(LYING, example.model, 2, {}, 0.1)
