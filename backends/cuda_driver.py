"""A thin layer over NVIDIA's driver API (``cuda.bindings.driver``): context, stream, events, memory, graphs.

https://nvidia.github.io/cuda-python/cuda-bindings/latest/module/driver.html
Sizes are in bytes. What the driver refuses is a ``CudaError`` with the driver's own words. Nothing here waits for the
device but ``Stream.wait`` and what frees something.
"""

from __future__ import annotations

import ctypes
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Optional, Tuple

import numpy as np

from backends.late import Late
from bench.device.adapter import AdapterError

if TYPE_CHECKING:
    from cuda.bindings import driver
else:
    driver = Late("cuda.bindings.driver")

__all__ = ["Buffer", "Context", "CudaError", "Event", "Graph", "Pinned", "Stream", "begin_capture", "check", "driver"]
__all__ += ["end_capture"]

NS_PER_MS = 1_000_000
NON_BLOCKING = 1
"""``CU_STREAM_NON_BLOCKING``: no other stream of the process, the default one's neither, holds this one up."""


class CudaError(AdapterError):
    """The driver refused a call; ``code`` is its ``CUresult``."""

    def __init__(self, what: str, code: int, words: str) -> None:
        super().__init__("%s failed: %s (CUDA error %d)" % (what, words, code))
        self.code = code


def check(what: str, answer: Tuple[Any, ...]) -> Any:
    """What a call gave beside its ``CUresult``, which comes first; CudaError where that is not success."""
    if int(answer[0]) != 0:
        raise CudaError(what, int(answer[0]), _words(answer[0]))
    return answer[1] if len(answer) > 1 else None


def _words(error: Any) -> str:
    code, text = driver.cuGetErrorString(error)
    if int(code) != 0 or not text:
        return "the driver has no words for it"
    return text.decode(errors="replace") if isinstance(text, bytes) else str(text)


class Context:
    """The primary context of GPU ``number``: the one that CUDA's runtime, and so a framework above it, works in.

    ``spins`` says whether a wait spins on a core or sleeps; None leaves it as it is, to who else works in it.
    """

    def __init__(self, number: int, spins: Optional[bool] = True) -> None:
        check("starting CUDA's driver", driver.cuInit(0))
        self._device = check("finding cuda:%d" % number, driver.cuDeviceGet(number))
        if spins is not None:
            flags = driver.CUctx_flags.CU_CTX_SCHED_SPIN if spins else driver.CUctx_flags.CU_CTX_SCHED_BLOCKING_SYNC
            check("saying how to wait", driver.cuDevicePrimaryCtxSetFlags(self._device, int(flags)))
        self._handle: Any = check("opening cuda:%d" % number, driver.cuDevicePrimaryCtxRetain(self._device))
        self.use()

    def use(self) -> None:
        """Make it the calling thread's own: every thread that calls the driver needs that once."""
        check("using the context", driver.cuCtxSetCurrent(self._handle))

    def close(self) -> None:
        if self._handle is not None:
            self._handle = None
            check("closing the context", driver.cuDevicePrimaryCtxRelease(self._device))


class Stream:
    """A queue of work on the device."""

    def __init__(self) -> None:
        self.handle: Any = check("making a stream", driver.cuStreamCreate(NON_BLOCKING))
        self.number = int(self.handle)

    def wait(self) -> None:
        """Return when all that was put in is done; an error of that work comes up here."""
        check("the work on the GPU", driver.cuStreamSynchronize(self.handle))

    def copy_in(self, device: int, host: int, size: int) -> None:
        check("a copy to the GPU", driver.cuMemcpyHtoDAsync(device, host, size, self.handle))

    def copy_out(self, host: int, device: int, size: int) -> None:
        check("a copy from the GPU", driver.cuMemcpyDtoHAsync(host, device, size, self.handle))

    def copy_within(self, target: int, source: int, size: int) -> None:
        check("a copy on the GPU", driver.cuMemcpyDtoDAsync(target, source, size, self.handle))

    def zero(self, device: int, size: int) -> None:
        check("writing zeros on the GPU", driver.cuMemsetD8Async(device, 0, size, self.handle))

    def hold(self, microseconds: int) -> None:
        """Let nothing that is put in from now on begin for so long: the driver calls usleep(3) in its turn."""
        sleep = ctypes.cast(ctypes.CDLL(None).usleep, ctypes.c_void_p).value
        check("holding a stream", driver.cuLaunchHostFunc(self.handle, driver.CUhostFn(sleep), microseconds))

    def close(self) -> None:
        if self.handle is not None:
            handle, self.handle = self.handle, None
            check("ending a stream", driver.cuStreamDestroy(handle))


class Event:
    """A moment in a stream, by the device's own clock (resolution about 0.5 µs)."""

    def __init__(self) -> None:
        self.handle: Any = check("making an event", driver.cuEventCreate(0))

    def record(self, stream: Stream) -> None:
        check("recording an event", driver.cuEventRecord(self.handle, stream.handle))

    def ns_since(self, earlier: "Event") -> int:
        """Time between two moments that have passed, in ns; CudaError where one has not."""
        elapsed_ms = check("reading an event", driver.cuEventElapsedTime(earlier.handle, self.handle))
        return round(float(elapsed_ms) * NS_PER_MS)

    def close(self) -> None:
        if self.handle is not None:
            handle, self.handle = self.handle, None
            check("ending an event", driver.cuEventDestroy(handle))


class Buffer:
    """Memory of the device. It is freed by ``close``, or with its last user."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._handle: Any = None
        self._handle = check("taking %d bytes of the GPU's memory" % size, driver.cuMemAlloc(max(1, size)))
        self.address = int(self._handle)

    def close(self) -> None:
        if self._handle is not None:
            handle, self._handle = self._handle, None
            check("freeing memory of the GPU", driver.cuMemFree(handle))

    def __del__(self) -> None:
        _freed_at_last(self)


class Pinned:
    """Page-locked memory of the host as an array: copies to and from the device need no further copy."""

    def __init__(self, shape: Tuple[int, ...], dtype: str) -> None:
        kind = np.dtype(dtype)
        self.size = int(np.prod(shape, dtype=np.int64)) * kind.itemsize
        self._handle: Any = None
        what = "taking %d bytes of page-locked memory" % self.size
        self._handle = check(what, driver.cuMemHostAlloc(max(1, self.size), 0))
        self.address = int(self._handle)
        view = memoryview((ctypes.c_char * max(1, self.size)).from_address(self.address)).cast("B")
        self.array: Any = np.frombuffer(view, kind, count=self.size // kind.itemsize).reshape(shape)

    def close(self) -> None:
        if self._handle is not None:
            handle, self._handle = self._handle, None
            self.array = np.empty(0)
            check("freeing page-locked memory", driver.cuMemFreeHost(handle))

    def __del__(self) -> None:
        _freed_at_last(self)


class Graph:
    """Work that was captured from a stream once, and is launched again as a whole."""

    def __init__(self, handle: Any) -> None:
        self._handle: Any = handle
        self.runnable: Any = check("making a CUDA graph", driver.cuGraphInstantiate(handle, 0))

    def launch(self, stream: Stream) -> None:
        check("launching a CUDA graph", driver.cuGraphLaunch(self.runnable, stream.handle))

    def close(self) -> None:
        if self._handle is not None:
            handle, self._handle = self._handle, None
            check("ending a CUDA graph", driver.cuGraphExecDestroy(self.runnable))
            check("ending a CUDA graph", driver.cuGraphDestroy(handle))

    def __del__(self) -> None:
        _freed_at_last(self)


def begin_capture(stream: Stream) -> None:
    """What is put into the stream from now on is kept, and not done."""
    mode = driver.CUstreamCaptureMode.CU_STREAM_CAPTURE_MODE_THREAD_LOCAL
    check("capturing a CUDA graph", driver.cuStreamBeginCapture(stream.handle, mode))


def end_capture(stream: Stream) -> Graph:
    """The graph of all that was put into the stream since ``begin_capture``."""
    return Graph(check("capturing a CUDA graph", driver.cuStreamEndCapture(stream.handle)))


def _freed_at_last(owner: Any) -> None:
    """An owner that nobody closed: by the end of the process the driver may be gone, and there is nobody to tell."""
    with suppress(Exception):  # a finaliser has no caller
        owner.close()
