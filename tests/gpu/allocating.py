"""Memory of a GPU taken by the driver alone, so that it is known how much; as a program, held until its input ends."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def allocated(size: int) -> Iterator[None]:
    """``size`` bytes of ``cuda:0`` in the primary context, which stays."""
    cuda, pointer = driver(), ctypes.c_uint64()
    check(cuda.cuMemAlloc_v2(ctypes.byref(pointer), ctypes.c_size_t(size)))
    try:
        yield
    finally:
        check(cuda.cuMemFree_v2(pointer))


def driver() -> Any:
    """The driver's library; ``cuda:0``'s primary context, which frameworks use too, is this thread's and stays."""
    cuda = ctypes.CDLL("libcuda.so.1")
    device, context = ctypes.c_int(), ctypes.c_void_p()
    check(cuda.cuInit(0))
    check(cuda.cuDeviceGet(ctypes.byref(device), 0))
    check(cuda.cuDevicePrimaryCtxRetain(ctypes.byref(context), device))
    check(cuda.cuCtxSetCurrent(context))
    return cuda


def used_bytes() -> int:
    """What of the GPU's memory is taken, by whomever."""
    free, total = _told()
    return total - free


def free_bytes() -> int:
    """What of the GPU's memory nobody has taken."""
    return _told()[0]


def _told() -> tuple[int, int]:
    free, total = ctypes.c_size_t(), ctypes.c_size_t()
    check(driver().cuMemGetInfo_v2(ctypes.byref(free), ctypes.byref(total)))
    return free.value, total.value


def check(code: int) -> None:
    if code:
        raise RuntimeError(f"CUDA error {code}")


def main() -> None:
    """Hold as many bytes as the first word says; a line on standard output says that they are held."""
    with allocated(int(sys.argv[1])):
        print("held", flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
