"""Kernels of the suite's own, as text that the GPU's driver compiles when they are loaded: PTX, NVIDIA's assembly.

https://docs.nvidia.com/cuda/parallel-thread-execution/
"""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.cuda_driver import check, driver

PTX = """\
.version 6.4
.target sm_75
.address_size 64

.visible .entry mix(.param .u64 numbers)
{
    .reg .u32 %r<6>;
    .reg .u64 %d<3>;
    mov.u32 %r0, %ctaid.x;
    mov.u32 %r1, %ntid.x;
    mov.u32 %r2, %tid.x;
    mad.lo.u32 %r3, %r0, %r1, %r2;
    ld.param.u64 %d0, [numbers];
    cvta.to.global.u64 %d0, %d0;
    mul.wide.u32 %d1, %r3, 4;
    add.u64 %d2, %d0, %d1;
    ld.global.u32 %r4, [%d2];
    add.u32 %r4, %r4, %r3;
    shr.u32 %r5, %r4, 16;
    xor.b32 %r4, %r4, %r5;
    mul.lo.u32 %r4, %r4, 0x7feb352d;
    shr.u32 %r5, %r4, 15;
    xor.b32 %r4, %r4, %r5;
    mul.lo.u32 %r4, %r4, 0x846ca68b;
    shr.u32 %r5, %r4, 16;
    xor.b32 %r4, %r4, %r5;
    st.global.u32 [%d2], %r4;
    ret;
}

.visible .entry spin(.param .u64 ns, .param .u64 told)
{
    .reg .u64 %d<5>;
    .reg .pred %p0;
    ld.param.u64 %d0, [ns];
    ld.param.u64 %d4, [told];
    cvta.to.global.u64 %d4, %d4;
    mov.u64 %d1, %globaltimer;
again:
    mov.u64 %d2, %globaltimer;
    sub.u64 %d3, %d2, %d1;
    setp.lt.u64 %p0, %d3, %d0;
    @%p0 bra again;
    st.global.u64 [%d4], %d3;
    ret;
}
"""
"""``mix`` scrambles 32-bit numbers in place, one a thread. ``spin`` keeps one thread busy for at least so many ns of
the GPU's own clock, and tells how many it were. For Turing and newer, which is what CUDA 13 knows."""


class Kernels:
    """The kernels, loaded into the context that is the calling thread's."""

    def __init__(self) -> None:
        self._module: Any = check("loading kernels", driver.cuModuleLoadData(PTX.encode() + b"\0"))
        self._found = {name: self._function(name) for name in ("mix", "spin")}

    def launch(self, name: str, blocks: int, threads: int, stream: Any, *given: int) -> None:
        """Put a kernel into the stream of that handle; ``given`` are its parameters, each of 64 bits."""
        parameters = (given, (ctypes.c_uint64,) * len(given))
        shape = (blocks, 1, 1, threads, 1, 1)
        check("starting a kernel", driver.cuLaunchKernel(self._found[name], *shape, 0, stream, parameters, 0))

    def close(self) -> None:
        check("unloading kernels", driver.cuModuleUnload(self._module))

    def _function(self, name: str) -> Any:
        return check(f"finding the kernel `{name}`", driver.cuModuleGetFunction(self._module, name.encode()))


def mixed(numbers: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """What ``mix`` makes of these numbers, computed by numpy."""
    found: Any = numbers + np.arange(len(numbers), dtype=np.uint32)
    for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B)):
        found ^= found >> np.uint32(shift)
        found *= np.uint32(factor)
    found ^= found >> np.uint32(16)
    return np.asarray(found, np.uint32)
