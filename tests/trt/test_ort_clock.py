"""ONNX Runtime's queries by the GPU's own clock, on NVIDIA's driver in software.

The provider is a stand-in: its work is a stream that is kept busy, and it waits, as the real one, unless told not to.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
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
NEEDED = ("cuInit", "cuDeviceGet", "cuDevicePrimaryCtxRetain", "cuCtxSetCurrent", "cuStreamCreate", "cuStreamDestroy")
NEEDED_LAST = ("cuDevicePrimaryCtxRelease", "cuGetErrorString")


@pytest.fixture
def clock(gpu: Software) -> Iterator[OrtClock]:
    one = OrtClock(0)
    yield one
    one.close()


class Native:
    """A session whose provider works on the stream that it is told of."""

    def __init__(self, gpu: Software, stream: int) -> None:
        self._gpu, self._stream, self.waited = gpu, stream, 0
        self._sess = SimpleNamespace(run_with_iobinding=self.run)

    def run(self, binding: Any, options: Any) -> None:
        self._gpu.delay(self._stream, BUSY_S)
        unwaited = options is not None and options.get_run_config_entry(ort_clock.UNWAITED) == "1"
        if not unwaited:
            cuda_driver.check("waiting", cuda_driver.driver.cuStreamSynchronize(self._stream))
            self.waited += 1


def test_computing_is_told_apart_from_handing_over(gpu: Software, clock: OrtClock) -> None:
    native = Native(gpu, int(clock.options()["user_compute_stream"]))
    times = clock.asking(ORT, native)
    for _ in range(3):
        told = times(SimpleNamespace(native=None))
        assert set(told) == {"gpu compute", "enqueue"}
        assert told["gpu compute"] >= 0.9 * BUSY_S * 1e9
        assert told["enqueue"] < 0.5 * BUSY_S * 1e9
    assert native.waited == 0


def test_a_query_asked_for_is_over_when_its_times_are_told(gpu: Software, clock: OrtClock) -> None:
    stream = int(clock.options()["user_compute_stream"])
    before = gpu.counts().waits
    clock.asking(ORT, Native(gpu, stream))(SimpleNamespace(native=None))
    assert gpu.counts().waits == before + 1


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


# A session of the real framework, on the CPU, in the place of one on a GPU

ON_CPU = ort_providers.Provider("CPUExecutionProvider", memory="cpu")


@pytest.fixture
def example(tmp_path: Path) -> Example:
    return onnx_examples(tmp_path)[0]


def session_of(example: Example, clock: OrtClock | None) -> OrtDeviceSession:
    native = ORT.InferenceSession(str(example.model.artifacts["onnx"]), providers=[ON_CPU.name])
    facts: dict[str, object] = {"device": "cuda:0", "residency": "device"}
    return OrtDeviceSession(ORT, native, example.model, facts, ON_CPU, clock)


def test_a_session_with_a_clock_answers_as_one_without_and_tells_its_times(gpu: Software, example: Example) -> None:
    before = gpu.counts().retained
    with session_of(example, OrtClock(0)) as session:
        staged = [session.stage(query) for query in example.queries]
        for one, right in zip(staged, example.answers, strict=True):
            assert set(session.device_times(one)) == {"gpu compute", "enqueue"}
            np.testing.assert_allclose(session.read(session.run(one))["y"], right["y"], example.rtol, example.atol)
    assert gpu.counts().retained == before
    assert not hasattr(session, "device_times")


def test_a_session_without_a_clock_tells_none(example: Example) -> None:
    with session_of(example, None) as session:
        assert not hasattr(session, "device_times")


def test_its_one_stream_is_of_one_thread(example: Example) -> None:
    with session_of(example, OrtClock(0)) as session, ThreadPoolExecutor(1) as pool:
        session.stage(example.queries[0])
        with pytest.raises(AdapterError, match=r"`gpu clock`: .* say one worker"):
            pool.submit(session.stage, example.queries[0]).result()
    with session_of(example, None) as session, ThreadPoolExecutor(1) as pool:
        session.stage(example.queries[0])
        pool.submit(session.stage, example.queries[0]).result()
