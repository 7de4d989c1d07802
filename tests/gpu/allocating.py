"""Memory of a GPU taken by the driver alone, so that it is known how much; as a program, held until its input ends."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def allocated(size: int) -> Iterator[None]:
    """``size`` bytes of ``cuda:0`` in the primary context, which stays."""
    cuda = ctypes.CDLL("libcuda.so.1")
    device, context, pointer = ctypes.c_int(), ctypes.c_void_p(), ctypes.c_uint64()
    _check(cuda.cuInit(0))
    _check(cuda.cuDeviceGet(ctypes.byref(device), 0))
    _check(cuda.cuDevicePrimaryCtxRetain(ctypes.byref(context), device))
    _check(cuda.cuCtxSetCurrent(context))
    _check(cuda.cuMemAlloc_v2(ctypes.byref(pointer), ctypes.c_size_t(size)))
    try:
        yield
    finally:
        _check(cuda.cuMemFree_v2(pointer))


def _check(code: int) -> None:
    if code:
        raise RuntimeError(f"CUDA error {code}")


def main() -> None:
    """Hold as many bytes as the first word says; a line on standard output says that they are held."""
    with allocated(int(sys.argv[1])):
        print("held", flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
