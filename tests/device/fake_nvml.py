"""NVIDIA's library as a compiled stand-in (``nvml.c``), under the real pynvml: in this process, or in another one."""

from __future__ import annotations

import ctypes
import subprocess
from pathlib import Path
from typing import Any

SOURCE = Path(__file__).with_name("nvml.c")
UUID = "GPU-00000000-0000-0000-0000-000000000000"


def compiled(folder: Path) -> Path:
    """The folder with the library, for ``LD_LIBRARY_PATH``."""
    return _library(folder, "libnvidia-ml.so.1", SOURCE)


def driver(folder: Path) -> Path:
    """The folder with a driver beside NVML that has one GPU (``driver.c``), for sessions that say they run on it.

    The library itself does not say what it is called: a process that looks into it by its path may load another
    ``libcuda.so.1`` later (``tests/trt``), and would be given this one.
    """
    return _library(folder, "libcuda.so.1", SOURCE.with_name("driver.c"), "another")


def _library(folder: Path, name: str, source: Path, called: str = "") -> Path:
    soname = f"-Wl,-soname,{called or name}"
    command = ["cc", "-shared", "-fPIC", "-O1", "-w", soname, "-o", str(folder / name), str(source)]
    subprocess.run(command, check=True)
    return folder


class Fake:
    """The library in this process: the loader finds it by its name once it is there."""

    def __init__(self, folder: Path) -> None:
        self._library: Any = ctypes.CDLL(str(folder / "libnvidia-ml.so.1"))
        self._library.fake_set.argtypes = [ctypes.c_char_p, ctypes.c_double]

    def set(self, **values: float) -> None:
        for name, value in values.items():
            self._library.fake_set(name.encode(), float(value))

    def fail(self, call: str, code: int) -> None:
        """The call gives this error from now on."""
        self._library.fake_set(f"fail:{call}".encode(), float(code))

    def reset(self) -> None:
        self._library.fake_reset()
