"""ONNX Runtime's queries by the GPU's own clock, on NVIDIA's driver in software.

The provider is a stand-in: its work is a stream that is kept busy, and it waits, as the real one, unless told not to.
"""

from __future__ import annotations

import importlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from backends import cuda_driver, ort_clock, ort_providers
from backends.ort_clock import OrtClock
from backends.ort_device import OrtDeviceSession
from bench.conformance import Example, onnx_examples
from bench.device.adapter import AdapterError, DeviceUnavailable
from tests.trt.software import Software

ORT: Any = importlib.import_module("onnxruntime")
BUSY_S = 0.03
ON_CPU = ort_providers.Provider("CPUExecutionProvider", memory="cpu")
NEEDED = ("cuInit", "cuDeviceGet", "cuDevicePrimaryCtxRetain", "cuCtxSetCurrent", "cuStreamCreate", "cuStreamDestroy")
NEEDED_LAST = ("cuDevicePrimaryCtxRelease", "cuGetErrorString")


class Native:
    """A session of the real framework, on the CPU, whose provider puts a part of its work into ``stream``, too."""

    def __init__(self, gpu: Software, stream: int, example: Example, busy_s: float = BUSY_S) -> None:
        self._gpu, self._stream, self._busy_s, self.waited = gpu, stream, busy_s, 0
        self._native = ORT.InferenceSession(str(example.model.artifacts["onnx"]), providers=[ON_CPU.name])
        self._sess = SimpleNamespace(run_with_iobinding=self.run)

    def run(self, binding: Any, options: Any) -> None:
        self._native._sess.run_with_iobinding(binding, options)
        self._gpu.delay(self._stream, self._busy_s)
        unwaited = options is not None and options.get_run_config_entry(ort_clock.UNWAITED) == "1"
        if not unwaited:
            cuda_driver.check("waiting", cuda_driver.driver.cuStreamSynchronize(self._stream))
            self.waited += 1

    def __getattr__(self, name: str) -> Any:
        return getattr(self._native, name)


@pytest.fixture
def example(tmp_path: Path) -> Example:
    return onnx_examples(tmp_path)[0]


def session_of(example: Example, clock: OrtClock | None, gpu: Software | None = None) -> OrtDeviceSession:
    """A session with that clock; its provider works on the clock's stream where there is a ``gpu``."""
    native: Any = ORT.InferenceSession(str(example.model.artifacts["onnx"]), providers=[ON_CPU.name])
    if gpu is not None and clock is not None:
        native = Native(gpu, int(clock.options()["user_compute_stream"]), example)
    facts: dict[str, object] = {"device": "cuda:0", "residency": "device"}
    return OrtDeviceSession(ORT, native, example.model, facts, ON_CPU, clock)


def test_computing_is_told_apart_from_handing_over(gpu: Software, example: Example) -> None:
    with session_of(example, OrtClock(0), gpu) as session:
        staged = session.stage(example.queries[0])
        native: Any = session._native
        assert session.device_times(staged)  # at first it is looked whether it is the provider's stream
        waited, before = native.waited, gpu.counts().waits
        for _ in range(3):
            told = session.device_times(staged)
            assert set(told) == {"gpu compute", "enqueue"}
            assert told["gpu compute"] >= 0.9 * BUSY_S * 1e9
            assert told["enqueue"] < 0.5 * BUSY_S * 1e9
        assert native.waited == waited
        assert gpu.counts().waits == before + 3


@pytest.mark.parametrize("busy_s", [0.0, 0.15])
def test_a_provider_that_works_elsewhere_has_no_time_there(busy_s: float, gpu: Software, example: Example) -> None:
    """As one would that did not take the option; its queries may be long. Events in an idle stream tell nothing."""
    clock, other = OrtClock(0), OrtClock(0)
    native = Native(gpu, int(other.options()["user_compute_stream"]), example, busy_s)
    facts: dict[str, object] = {"device": "cuda:0", "residency": "device"}
    with OrtDeviceSession(ORT, native, example.model, facts, ON_CPU, clock) as session:
        staged = session.stage(example.queries[0])
        assert "notes" not in session.facts()
        for _ in range(3):
            assert session.device_times(staged) == {}
        assert session.facts()["notes"] == [ort_clock.ELSEWHERE]
    other.close()


def test_how_the_host_waits_is_left_to_the_framework(monkeypatch: pytest.MonkeyPatch, gpu: Software) -> None:
    """CUDA's own rule holds of a context that nobody said anything of."""
    real = cuda_driver.driver
    forbidden = SimpleNamespace(**{name: getattr(real, name) for name in (*NEEDED, *NEEDED_LAST)})
    monkeypatch.setattr(cuda_driver, "driver", forbidden)  # without cuDevicePrimaryCtxSetFlags
    OrtClock(0).close()
    with pytest.raises(AttributeError):
        cuda_driver.Context(0)


def test_what_it_took_is_given_back(gpu: Software) -> None:
    before = gpu.counts().retained
    clock = OrtClock(0)
    assert gpu.counts().retained == before + 1
    clock.close()
    assert gpu.counts().retained == before


def test_without_the_bindings_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(number: int, spins: bool | None) -> None:
        raise ImportError("No module named 'cuda'")

    monkeypatch.setattr(ort_clock, "Context", missing)
    with pytest.raises(DeviceUnavailable, match="pip install cuda-bindings"):
        OrtClock(0)


def test_a_session_with_a_clock_answers_as_one_without_and_tells_its_times(gpu: Software, example: Example) -> None:
    before = gpu.counts().retained
    with session_of(example, OrtClock(0), gpu) as session:
        staged = [session.stage(query) for query in example.queries]
        for one, right in zip(staged, example.answers, strict=True):
            assert set(session.device_times(one)) == {"gpu compute", "enqueue"}
            np.testing.assert_allclose(session.read(session.run(one))["y"], right["y"], example.rtol, example.atol)
    assert gpu.counts().retained == before
    assert not hasattr(session, "device_times")


def test_a_session_without_a_clock_tells_none(example: Example) -> None:
    with session_of(example, None) as session:
        assert not hasattr(session, "device_times")


def test_its_one_stream_is_of_one_thread(gpu: Software, example: Example) -> None:
    with session_of(example, OrtClock(0), gpu) as session, ThreadPoolExecutor(1) as pool:
        session.stage(example.queries[0])
        with pytest.raises(AdapterError, match=r"`gpu clock`: .* say one worker"):
            pool.submit(session.stage, example.queries[0]).result()
    with session_of(example, None) as session, ThreadPoolExecutor(1) as pool:
        session.stage(example.queries[0])
        pool.submit(session.stage, example.queries[0]).result()
