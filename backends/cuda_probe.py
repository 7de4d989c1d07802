"""Which NVIDIA GPUs work here, asked of the driver in a process of its own: a driver that crashes is a sentence.

``python -m backends.cuda_probe`` prints one JSON line. Only the driver's own library is asked (``libcuda``): a
framework's "is available" may mean that it was built for CUDA, and some crash without a driver.
"""

from __future__ import annotations

import ctypes
import json
import os
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Optional, Tuple

from bench.device.cuda_library import LIBRARY, begin

TIMEOUT_S = 30.0
"""The first call of a driver that nobody uses may take seconds: it sets the GPU up (persistence mode off)."""
MOST_ANSWER_BYTES = 1 << 20
CACHES = "warm: nothing is flushed between queries"
"""What to record of the GPU's own caches, of every session on one."""
CAPABILITY_MAJOR, CAPABILITY_MINOR = 75, 76
"""``CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR`` and ``_MINOR``."""
DRIVER = "install NVIDIA's driver and look at `nvidia-smi`; in a container: docker run --gpus all"
ERRORS = {
    34: ("the CUDA library here is a stub, made to build against", "take its folder out of LD_LIBRARY_PATH"),
    100: ("the driver finds no GPU", "look at `nvidia-smi` and at CUDA_VISIBLE_DEVICES; %s" % DRIVER),
    101: ("the driver finds no such GPU", "look at CUDA_VISIBLE_DEVICES"),
    802: ("the GPUs are not ready yet", "start NVIDIA's fabric manager: systemctl start nvidia-fabricmanager"),
    803: ("the driver's library does not fit its kernel module", "restart the machine after a driver update"),
    804: ("the CUDA compatibility package does not support this GPU", "install the driver that fits instead"),
    999: ("the driver fails, and does not say why", "look at dmesg and `nvidia-smi`; restart the machine"),
}
"""What ``cuInit`` answers (``CUresult``), in words, and what mends it."""


class Gpu(NamedTuple):
    """One GPU; its place in the list is its number in ``cuda:N``."""

    name: str
    uuid: str
    capability: str
    memory_bytes: int


class Found(NamedTuple):
    """The GPUs, and the CUDA version that the driver speaks; or why there is none, and what mends it."""

    gpus: Tuple[Gpu, ...] = ()
    driver: str = ""
    reason: str = ""
    remedy: str = ""


_FOUND: List[Found] = []
"""What was found, once a process: a driver does not come and go."""


def look(timeout_s: float = TIMEOUT_S) -> Found:
    """Ask the driver. Never raises."""
    if not _FOUND:
        _FOUND.append(_asked(timeout_s))
    return _FOUND[0]


def _asked(timeout_s: float) -> Found:
    command = [sys.executable, "-c", "from backends import cuda_probe; cuda_probe.main()"]
    environment = dict(os.environ, PYTHONPATH=os.pathsep.join(str(Path(path).absolute()) for path in sys.path))
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment,
            timeout=timeout_s, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return Found(reason="NVIDIA's driver did not answer within %g s" % timeout_s, remedy=ERRORS[999][1])
    except OSError as error:
        return Found(reason="the driver could not be asked: %s" % error, remedy=DRIVER)
    if done.returncode < 0:
        crashed = "NVIDIA's driver crashed when it was asked for its GPUs (signal %d)" % -done.returncode
        return Found(reason=crashed, remedy=ERRORS[999][1])
    try:
        said = json.loads(done.stdout[:MOST_ANSWER_BYTES].decode())
        return Found(tuple(Gpu(*one) for one in said["gpus"]), said["driver"], said["reason"], said["remedy"])
    except (ValueError, KeyError, TypeError):
        return Found(reason="asking NVIDIA's driver ended with code %d and no answer" % done.returncode, remedy=DRIVER)


def main() -> None:
    """Ask the driver in this very process, and print what it says; standard output holds nothing else."""
    print(json.dumps(ask()), flush=True)
    os._exit(0)  # past the driver's own shutdown


def ask(name: str = LIBRARY) -> Dict[str, Any]:
    """What the library says, ready for JSON."""
    try:
        cuda, count, code = begin(name)
    except (OSError, AttributeError) as error:
        return _none("there is no NVIDIA driver here (%s)" % error, DRIVER)
    version = ctypes.c_int()
    code = code or int(cuda.cuDriverGetVersion(ctypes.byref(version)))
    if code:
        return _none(*_told(cuda, code))
    driver = "%d.%d" % (version.value // 1000, version.value % 1000 // 10)
    return {"gpus": [_gpu(cuda, index) for index in range(count)], "driver": driver, "reason": "", "remedy": ""}


def _none(reason: str, remedy: str) -> Dict[str, Any]:
    return {"gpus": [], "driver": "", "reason": reason, "remedy": remedy}


def _told(cuda: Any, code: int) -> Tuple[str, str]:
    own, text = "", ctypes.c_char_p()
    if cuda.cuGetErrorString(code, ctypes.byref(text)) == 0 and text.value:
        own = ": %s" % text.value.decode(errors="replace")
    what, remedy = ERRORS.get(code, ("the driver does not start", DRIVER))
    return "%s (CUDA error %d%s)" % (what, code, own), remedy


def _gpu(cuda: Any, index: int) -> Gpu:
    handle, name, own = ctypes.c_int(), ctypes.create_string_buffer(256), (ctypes.c_ubyte * 16)()
    memory = ctypes.c_size_t()
    cuda.cuDeviceGet(ctypes.byref(handle), index)
    cuda.cuDeviceGetName(name, len(name), handle)
    # version 2 tells a MIG instance's own, where there is one
    getter = getattr(cuda, "cuDeviceGetUuid_v2", None) or cuda.cuDeviceGetUuid
    getter(own, handle)
    cuda.cuDeviceTotalMem_v2(ctypes.byref(memory), handle)
    capability = "%d.%d" % tuple(_attribute(cuda, which, handle) for which in (CAPABILITY_MAJOR, CAPABILITY_MINOR))
    told = name.value.decode(errors="replace")
    return Gpu(told, "GPU-%s" % uuid.UUID(bytes=bytes(own)), capability, memory.value)


def _attribute(cuda: Any, which: int, handle: Any) -> int:
    value = ctypes.c_int()
    cuda.cuDeviceGetAttribute(ctypes.byref(value), which, handle)
    return value.value


def gpu_of(device: str) -> Optional[Gpu]:
    """The GPU that ``cuda:N`` names; None where there is no such."""
    number = device.partition(":")[2] or "0"
    gpus = look().gpus
    return gpus[int(number)] if number.isdecimal() and int(number) < len(gpus) else None


def numbered(device: str) -> Gpu:
    """The GPU that ``cuda:N`` names; DeviceUnavailable, with those that there are, where there is no such."""
    from bench.device.adapter import DeviceUnavailable  # here: the process that only asks the driver needs none of it

    gpu = gpu_of(device)
    if gpu is None:
        told = ", ".join("cuda:%d %s" % (number, one.name) for number, one in enumerate(look().gpus))
        raise DeviceUnavailable("there is no %s: the driver has %s" % (device, told))
    return gpu


def demanded(device: str) -> Gpu:
    """As ``numbered``; where the driver has no GPU at all, DeviceUnavailable with the reason and what mends it."""
    from bench.device.adapter import DeviceUnavailable  # as above

    found = look()
    if not found.gpus:
        raise DeviceUnavailable("%s cannot be used: %s; to mend: %s" % (device, found.reason, found.remedy))
    return numbered(device)
