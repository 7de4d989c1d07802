"""What the clock sees of a TensorRT session: a query's work put into the stream, and one wait for it."""

from __future__ import annotations

from typing import Any, Callable

from backends import cuda_driver, staging
from backends.cuda_driver import Stream, driver
from bench.device.adapter import AdapterError

Enqueue = Callable[[Any], None]


def runner(enqueue: Enqueue, stream: Stream) -> staging.Run:
    """``run``: put a query's work into the stream, and wait for the stream."""
    wait, handle = driver.cuStreamSynchronize, stream.handle

    def run(staged: Any) -> Any:
        enqueue(staged)
        answer = wait(handle)
        if answer[0]:
            cuda_driver.check("the work on the GPU", answer)
        return staged

    return run


def from_host(stream: Stream) -> Enqueue:
    """Copies in, the engine, copies out: everything has its fixed place, so nothing is bound again."""
    copy_in, copy_out = driver.cuMemcpyHtoDAsync, driver.cuMemcpyDtoHAsync
    handle, number = stream.handle, stream.number

    def enqueue(staged: Any) -> None:
        slot = staged.slot
        for target, source, size in staged.moves_in:
            answer = copy_in(target, source, size, handle)
            if answer[0]:
                cuda_driver.check("a copy to the GPU", answer)
        if not slot.execute(number):
            raise AdapterError("TensorRT did not start the query: %s" % slot.why())
        for target, source, size in slot.moves_out:
            answer = copy_out(target, source, size, handle)
            if answer[0]:
                cuda_driver.check("a copy from the GPU", answer)

    return enqueue


def on_device(stream: Stream) -> Enqueue:
    """The engine alone; where another query ran before, it is told where this one's inputs lie."""
    number = stream.number

    def enqueue(staged: Any) -> None:
        slot = staged.slot
        if slot.bound is not staged:
            slot.turn_to(staged)
        if not slot.execute(number):
            raise AdapterError("TensorRT did not start the query: %s" % slot.why())

    return enqueue


def captured(stream: Stream) -> Enqueue:
    """The query's captured graph."""
    launch, handle = driver.cuGraphLaunch, stream.handle

    def enqueue(staged: Any) -> None:
        answer = launch(staged.graph.runnable, handle)
        if answer[0]:
            cuda_driver.check("launching a CUDA graph", answer)

    return enqueue
