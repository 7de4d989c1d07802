"""Whether work is the GPU's: while threads that spin have every place of the GPU, it has to wait for them.

A processor of a GPU (SM) has places for so many threads, and a block that has begun keeps its own until it ends: a
kernel of the same context begins only where some are free. What computes on the CPU is done meanwhile.
https://docs.nvidia.com/cuda/cuda-c-programming-guide/index.html#features-and-technical-specifications
"""

from __future__ import annotations

import time
from collections.abc import Callable
from time import perf_counter_ns

from backends.cuda_driver import Buffer, Context, Stream, check, driver
from tests.gpu.kernels import Kernels

THREADS = 512
"""In a block: the places of a processor are a multiple of it on each kind of GPU (1024, 1536, 2048)."""
HELD_NS, TIMES_THE_WORK = 50_000_000, 4
"""How long the places are taken: at least so long, and so many times as long as the work takes by itself."""
BEGUN_S = 0.002
"""Until the spinning threads have begun, surely."""
TRIES = 2
AT_LEAST = 0.9
"""Of the time that places are taken: on some GPUs the clock that threads spin by goes on in steps of a millisecond."""
COMPUTES_ELSEWHERE = (
    "it was done %.1f ms after all places of the GPU were taken for %.1f ms: the GPU is not what computes"
)
BLOCKING = "starting a kernel took %.1f ms: launches wait here (CUDA_LAUNCH_BLOCKING?), so nothing can be said"


class NotOnGpu(AssertionError):
    """Work that is said to be the GPU's is done while the GPU can take none."""


def demand(work: Callable[[], object]) -> None:
    """NotOnGpu where ``work``, which returns when it is done, does not wait for ``cuda:0`` in each of the tries."""
    took_ns = min(_ns(work) for _ in range(TRIES))
    with _Places() as places:
        for _ in range(TRIES):
            places.demand(work, max(HELD_NS, TIMES_THE_WORK * took_ns))


class _Places:
    """The places for threads of ``cuda:0``."""

    def __init__(self) -> None:
        self._cuda = Context(0, spins=None)
        self._stream, self._kernels, self._told = Stream(), Kernels(), Buffer(8)
        device = check("finding the device", driver.cuCtxGetDevice())
        names = driver.CUdevice_attribute
        several = (
            names.CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT,
            names.CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_MULTIPROCESSOR,
        )
        processors, each = (int(check("asking", driver.cuDeviceGetAttribute(one, device))) for one in several)
        self._blocks = processors * (each // THREADS)

    def demand(self, work: Callable[[], object], held_ns: int) -> None:
        """NotOnGpu where the work is done before places that were taken for ``held_ns`` can be free again."""
        begin = perf_counter_ns()
        self._kernels.launch("spin", self._blocks, THREADS, self._stream.handle, held_ns, self._told.address)
        launch_ns = perf_counter_ns() - begin
        if launch_ns > held_ns // 2:
            raise NotOnGpu(BLOCKING % (launch_ns / 1e6))
        time.sleep(BEGUN_S)
        work()
        done_ns = perf_counter_ns() - begin
        self._stream.wait()
        if done_ns < AT_LEAST * held_ns:
            raise NotOnGpu(COMPUTES_ELSEWHERE % (done_ns / 1e6, held_ns / 1e6))

    def __enter__(self) -> _Places:
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.wait()
        for one in (self._told, self._kernels, self._stream, self._cuda):
            one.close()


def _ns(work: Callable[[], object]) -> int:
    begin = perf_counter_ns()
    work()
    return perf_counter_ns() - begin
