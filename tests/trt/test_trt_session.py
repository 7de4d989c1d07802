"""Streams, copies, events and memory of a TensorRT session, on NVIDIA's driver in software."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backends import cuda_driver
from backends.cuda_driver import Buffer, Context, CudaError, Event, Pinned, Stream
from backends.trt import TensorRtAdapter
from bench.conformance import Example, onnx_examples, wide_onnx_example
from bench.device import memory
from bench.device.adapter import AdapterError, Query, Settings
from bench.device.audit import audit_session
from bench.device.library import open_library
from bench.device.loop import quiet
from bench.device.records import TensorJob
from bench.device.scenarios import Issuer
from tests.trt.software import Software

BUSY_S = 0.03
"""Work that the stream is kept busy with: no event can be less apart."""


@pytest.fixture(scope="module")
def examples(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Example]:
    folder = tmp_path_factory.mktemp("models")
    return {one.name: one for one in (*onnx_examples(folder), wide_onnx_example(folder))}


def opened(example: Example, extra: Any = None, **settings: Any) -> Any:
    asked = Settings(**{"device": "cuda:0", "extra": extra or {}, **settings})
    return TensorRtAdapter().open(example.model, asked)


@pytest.fixture
def stream(gpu: Software) -> Iterator[Stream]:
    context = Context(0)
    one = Stream()
    yield one
    gpu.release()
    one.close()
    context.close()


# The driver


def test_the_device_works_on_while_the_host_goes_on_and_a_wait_ends_with_the_work(
    gpu: Software, stream: Stream
) -> None:
    pinned, place = Pinned((4,), "float32"), Buffer(16)
    pinned.array[:] = 7
    gpu.hold(stream.number)
    stream.copy_in(place.address, pinned.address, 16)
    pinned.array[:] = 9  # before the copy has its turn: what is copied is what is there then
    begun, ended = Event(), Event()
    begun.record(stream)
    gpu.delay(stream.number, BUSY_S)
    ended.record(stream)
    with pytest.raises(CudaError, match="device not ready"):
        ended.ns_since(begun)
    back = np.zeros(4, np.float32)
    stream.copy_out(back.ctypes.data, place.address, 16)
    assert not back.any()
    gpu.release()
    stream.wait()
    assert (back == 9).all()
    assert ended.ns_since(begun) >= BUSY_S * 1e9 * 0.9
    begun.close()
    ended.close()


def test_out_of_memory_is_told_in_words_that_make_it_a_failure_of_that_name(gpu: Software, stream: Stream) -> None:
    with pytest.raises(CudaError) as caught:
        Buffer(2 << 30)
    assert caught.value.code == 2
    assert memory.ran_out(str(caught.value))


def test_an_error_of_the_work_comes_up_where_the_stream_is_waited_for(gpu: Software, stream: Stream) -> None:
    gpu.fail(700)
    with pytest.raises(CudaError, match=r"the work on the GPU failed: an illegal memory access .*\(CUDA error 700\)"):
        stream.wait()
    stream.wait()


def test_memory_that_is_not_the_devices_is_refused(stream: Stream) -> None:
    pinned = Pinned((4,), "float32")
    with pytest.raises(CudaError, match="invalid argument"):
        stream.copy_in(pinned.address, pinned.address, 16)


def test_what_nobody_closed_is_freed_with_its_last_user(gpu: Software, stream: Stream) -> None:
    before = gpu.counts()
    places = [Buffer(1 << 20), Pinned((1 << 10,), "float32")]
    assert gpu.counts().held == before.held + (1 << 20)
    del places
    assert (gpu.counts().held, gpu.counts().pinned) == (before.held, before.pinned)


# Residency


def test_host_resident_runs_copy_each_input_in_and_each_output_back(gpu: Software, examples: Any) -> None:
    example = examples["mixed"]
    with opened(example, residency="host") as session:
        staged = session.stage(example.queries[0])
        session.run(staged)
        before = gpu.counts()
        session.run(staged)
        after = gpu.counts()
    assert after.copies_in - before.copies_in == len(example.model.inputs)
    assert after.copies_out - before.copies_out == len(example.model.outputs)
    assert after.waits - before.waits == 1
    assert after.allocations == before.allocations


def test_device_resident_runs_move_nothing_and_wait_once(gpu: Software, examples: Any) -> None:
    example = examples["mixed"]
    with opened(example, residency="device") as session:
        staged = [session.stage(query) for query in example.queries]
        session.run(staged[0])
        before = gpu.counts()
        session.run(staged[1])
        after = gpu.counts()
        assert after == before._replace(waits=before.waits + 1)
        session.read(session.run(staged[0]))
        assert gpu.counts().copies_out - after.copies_out == len(example.model.outputs)


def test_a_captured_graph_is_launched_as_a_whole(gpu: Software, examples: Any) -> None:
    example = examples["mlp"]
    with opened(example, {"cuda graph": True}, residency="device") as session:
        staged = session.stage(example.queries[0])
        before = gpu.counts()
        session.run(staged)
        assert gpu.counts() == before._replace(waits=before.waits + 1, launches=before.launches + 1)
        assert session.facts()["cuda graph"] is True


def test_a_replay_that_answers_otherwise_than_a_plain_run_is_refused(
    examples: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    example = examples["mlp"]
    monkeypatch.setattr(cuda_driver, "begin_capture", lambda _: None)  # the work is done, and the graph is empty
    real = cuda_driver.end_capture

    def end(stream: Stream) -> Any:
        stream.wait()
        cuda_driver.check("", cuda_driver.driver.cuStreamBeginCapture(stream.handle, 0))
        return real(stream)

    monkeypatch.setattr(cuda_driver, "end_capture", end)
    with (
        opened(example, {"cuda graph": True}, residency="device") as session,
        pytest.raises(AdapterError, match="output `y` of the replay is not that of a plain run"),
    ):
        session.stage(example.queries[0])


# What is audited


def audited(session: Any, example: Example) -> str:
    jobs = [TensorJob(spec.name, spec.dtype, list(spec.shape)) for spec in example.model.inputs]
    issuer = Issuer(session, open_library(jobs, {}, {}, "batch", None, 1), 16, overlapped=False)
    with quiet():
        for _ in range(5):
            issuer.drained_ns()
        return audit_session(issuer)[1]


@pytest.mark.parametrize("residency", ["host", "device"])
def test_the_audit_catches_a_session_that_does_not_wait(residency: str, examples: Any) -> None:
    example = examples["wide"]
    with opened(example, residency=residency) as session:
        assert audited(session, example) == ""
        enqueue = session._enqueue

        def run(staged: Any) -> Any:
            enqueue(staged)
            return staged

        session.run = run
        complaint = audited(session, example)
        session._stream.wait()
    assert complaint.startswith("the clock stopped before the work did")


# Memory, errors


def test_leaving_gives_back_every_byte(gpu: Software, examples: Any) -> None:
    before = gpu.counts()
    for residency in ("host", "device"):
        for extra in ({}, {"cuda graph": True}):
            example = examples["mlp"]
            with opened(example, extra, residency=residency) as session:
                staged = [session.stage(query) for query in example.queries]
                session.run(staged[0])
                assert gpu.counts().held > before.held
            assert gpu.counts().held == before.held
            assert gpu.counts().pinned == before.pinned
            assert gpu.counts().retained == before.retained
            with pytest.raises(AdapterError, match="closed"):
                session.run(staged[0])


def test_a_query_too_large_for_the_gpu_is_out_of_memory_and_the_session_goes_on(gpu: Software, examples: Any) -> None:
    example = examples["mlp"]
    with opened(example, residency="device") as session:
        staged = session.stage(example.queries[0])
        gpu.limit(gpu.counts().held + (1 << 10))
        try:
            with pytest.raises(AdapterError) as caught:
                session.stage(Query({"x": np.zeros((4096, 8), np.float32)}, 4096))
        finally:
            gpu.limit(1 << 30)
        assert memory.ran_out(str(caught.value))
        np.testing.assert_allclose(session.read(session.run(staged))["y"], example.answers[0]["y"], 1e-4, 1e-5)


def test_an_engine_for_which_there_is_no_room_is_out_of_memory(gpu: Software, examples: Any) -> None:
    gpu.limit(gpu.counts().held)
    try:
        with opened(examples["mlp"]) as session, pytest.raises(AdapterError) as caught:
            session.stage(examples["mlp"].queries[0])
    finally:
        gpu.limit(1 << 30)
    assert memory.ran_out(str(caught.value))


def test_a_failed_query_is_an_error_of_that_run(gpu: Software, examples: Any) -> None:
    with opened(examples["mlp"]) as session:
        staged = session.stage(examples["mlp"].queries[0])
        gpu.fail(700)
        with pytest.raises(CudaError, match="the work on the GPU failed: an illegal memory access"):
            session.run(staged)


@pytest.mark.parametrize(("fails", "told"), [(True, "the work on the GPU"), (False, "freeing memory of the GPU")])
def test_the_works_error_is_told_though_nothing_can_be_freed_after_it(
    fails: bool, told: str, gpu: Software, examples: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = cuda_driver.driver.cuMemFree

    def refused(address: Any) -> Any:
        free(address)
        return (cuda_driver.driver.CUresult.CUDA_ERROR_ILLEGAL_ADDRESS,)

    def query_fails() -> None:
        with monkeypatch.context() as patch, opened(examples["mlp"]) as session:
            staged = session.stage(examples["mlp"].queries[0])
            patch.setattr(cuda_driver, "driver", Refusing(cuda_driver.driver, refused))
            if fails:
                gpu.fail(700)
                session.run(staged)

    with pytest.raises(CudaError, match=told):
        query_fails()
    gc.collect()  # what could not be freed goes now, and not while another test counts


class Refusing:
    """The driver, its ``cuMemFree`` replaced."""

    def __init__(self, real: Any, free: Any) -> None:
        self._real = real
        self.cuMemFree = free

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


# State


@pytest.mark.parametrize("residency", ["host", "device"])
def test_state_stays_on_the_device(residency: str, gpu: Software, examples: Any) -> None:
    example = examples["recurrent"]
    with opened(example, residency=residency) as session:
        staged = session.stage(example.queries[0])
        outputs = session.run(staged)
        before = gpu.counts()
        session.advance(outputs)
        session.reset()
        after = gpu.counts()
    assert (after.copies_in, after.copies_out) == (before.copies_in, before.copies_out)


def test_a_state_of_another_shape_than_what_feeds_it_is_refused(tmp_path: Path, examples: Any) -> None:
    example = examples["recurrent"]
    model = example.with_artifacts({}).model
    wrong = type(model)(example.model.artifacts, model.inputs, model.outputs, {"h": "y"})
    with TensorRtAdapter().open(wrong, Settings(device="cuda:0")) as session:
        outputs = session.run(session.stage(example.queries[0]))
        with pytest.raises(AdapterError, match="output `y` and the state `h` that it feeds differ in shape"):
            session.advance(outputs)  # type: ignore[attr-defined]


# Threads


def test_sessions_of_several_threads_answer_each_rightly(gpu: Software, examples: Any) -> None:
    """As with several workers: each thread opens, stages, runs and closes its own."""
    example, before = examples["mlp"], gpu.counts()

    def work(at: int) -> None:
        with opened(example, {"cuda graph": at % 2 == 1}, residency="device" if at > 1 else "host") as session:
            staged = [session.stage(query) for query in example.queries]
            for _ in range(10):
                for one, right in zip(staged, example.answers, strict=True):
                    np.testing.assert_allclose(session.read(session.run(one))["y"], right["y"], 1e-4, 1e-5)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    assert (gpu.counts().held, gpu.counts().retained) == (before.held, before.retained)


# What is told beside the clock


def test_the_device_tells_a_querys_parts_by_its_own_clock(gpu: Software, examples: Any) -> None:
    example = examples["mlp"]
    with opened(example, residency="host") as session:
        staged = session.stage(example.queries[0])
        session._stream.wait()
        execute = staged.slot.execute

        def slower(stream: int) -> bool:
            gpu.delay(stream, BUSY_S)
            return bool(execute(stream))

        staged.slot.execute = slower
        told = session.device_times(staged)
        assert set(told) == {"gpu compute", "enqueue", "host to device", "device to host"}
        assert told["gpu compute"] >= BUSY_S * 1e9 * 0.9
        assert min(told.values()) >= 0
        np.testing.assert_allclose(session.read(staged)["y"], example.answers[0]["y"], 1e-4, 1e-5)


@pytest.mark.parametrize(
    ("residency", "graphs", "names"),
    [("device", False, {"gpu compute", "enqueue"}), ("device", True, {"gpu compute", "enqueue"}),
     ("host", True, {"captured graph, with its copies", "enqueue"})],
)  # fmt: skip
def test_no_time_is_told_of_copies_that_are_not_made_or_not_told_apart(
    residency: str, graphs: bool, names: set[str], examples: Any
) -> None:
    example = examples["mlp"]
    with opened(example, {"cuda graph": graphs}, residency=residency) as session:
        assert set(session.device_times(session.stage(example.queries[0]))) == names


def test_a_profile_tells_layers_by_name_and_kind(examples: Any) -> None:
    example = examples["mlp"]
    with opened(example, {"cuda graph": True}) as session:
        told = session.profile([session.stage(example.queries[0])] * 3)
    assert [(one.kind, one.calls, one.total_ns) for one in told.operators] == [
        ("MatMul", 3, 750_000), ("Add", 3, 750_000), ("Relu", 3, 750_000), ("MatMul", 3, 750_000),
    ]  # fmt: skip
    assert told.source.startswith("TensorRT's profiler")
