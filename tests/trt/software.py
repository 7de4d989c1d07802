"""A GPU in software: NVIDIA's driver compiled from ``software_cuda.c``, and the stand-in for TensorRT above it."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from backends import cuda_probe

HERE = Path(__file__).parent


class Counts(NamedTuple):
    """What the driver did since the process began; ``held`` and ``highest`` are bytes of its memory."""

    allocations: int
    copies_in: int
    copies_out: int
    waits: int
    launches: int
    pinned: int
    held: int
    highest: int
    retained: int


class Software(NamedTuple):
    """The driver that is loaded."""

    library: Any

    def counts(self) -> Counts:
        told = (ctypes.c_ulong * len(Counts._fields))()
        self.library.software_counts(told)
        return Counts(*told)

    def limit(self, size: int) -> None:
        self.library.software_limit(ctypes.c_size_t(size))

    def fail(self, code: int) -> None:
        """The next wait for a stream finds this error of the work."""
        self.library.software_fail(code)

    def hold(self, stream: int) -> None:
        """Let the stream get no further than here, until ``release``."""
        self.library.software_hold(ctypes.c_void_p(stream))

    def release(self) -> None:
        self.library.software_release()

    def delay(self, stream: int, seconds: float) -> None:
        """Keep the stream busy that long."""
        self.library.software_delay(ctypes.c_void_p(stream), ctypes.c_double(seconds))


def compiled(folder: Path) -> Path:
    """A folder with the driver."""
    library = folder / "libcuda.so.1"
    source = HERE / "software_cuda.c"
    command = ["cc", "-O1", "-Wall", "-Werror", "-shared", "-fPIC", "-pthread", "-Wl,-soname,libcuda.so.1"]
    subprocess.run([*command, "-o", library, source, "-ldl"], check=True)
    return folder


@contextmanager
def loaded(folder: Path) -> Iterator[Software]:
    """The driver for this process and those that it starts, and ``tensorrt`` is the stand-in."""
    if find_spec("cuda") is None or find_spec("cuda.bindings") is None:
        missing = "cuda-bindings is not installed: pip install -e '.[test]'"
        (pytest.fail if os.environ.get("BENCHPACT_CI") else pytest.skip)(missing)
    library = ctypes.CDLL(str(folder / "libcuda.so.1"))  # whoever asks for libcuda.so.1 from now on gets this one
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LD_LIBRARY_PATH", str(folder))
        patch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
        patch.setattr(cuda_probe, "_FOUND", [])
        patch.syspath_prepend(str(HERE / "fake"))
        try:
            yield Software(library)
        finally:
            sys.modules.pop("tensorrt", None)
