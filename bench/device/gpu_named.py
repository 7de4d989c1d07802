"""Whether this machine has the GPU that a session says it runs on: asked of NVIDIA's driver, without a CUDA context.

A session that does run there has begun the driver already: to ask again costs nothing.
"""

from __future__ import annotations

import ctypes
import sys

from .adapter import DeviceUnavailable
from .cuda_library import LIBRARY, begin


def is_named(device: str) -> bool:
    """Whether the word is one of CUDA's, however it is written."""
    return device.lower().startswith("cuda")


def demand(device: str) -> None:
    """DeviceUnavailable where ``cuda:N`` is said and the driver has no such GPU; off Linux nobody can tell it here."""
    why = _missing(device) if is_named(device) and sys.platform == "linux" else ""
    if why:
        raise DeviceUnavailable("the adapter says that it runs on %s, but %s" % (device, why))


def without_driver(device: str) -> str:
    """Why ``cuda:N`` cannot be here; nothing where only the driver could tell, which is not asked."""
    try:
        if is_named(device) and sys.platform == "linux":
            ctypes.CDLL(LIBRARY)
    except OSError as error:
        return "there is no NVIDIA driver here (%s)" % error
    return ""


def _missing(device: str) -> str:
    """Why there is no such GPU; nothing where the driver has it."""
    try:
        _, count, code = begin(LIBRARY)
    except (OSError, AttributeError) as error:
        return "there is no NVIDIA driver here (%s)" % error
    if code:
        return "NVIDIA's driver has no GPU (CUDA error %d)" % code
    kind, _, number = device.partition(":")
    number = number or "0"
    if kind.lower() != "cuda" or not number.isdecimal() or int(number) >= count:
        return "NVIDIA's driver has only cuda:0 to cuda:%d" % (count - 1)
    return ""
