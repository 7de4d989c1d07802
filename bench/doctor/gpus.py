"""NVIDIA's GPUs as their driver tells them, asked in a process of its own; none is started without a sign of one."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, fields
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from bench.device.nvml import INSTALL
from bench.doctor.diagnosis import Gpu
from bench.doctor.probing import run_apart

TIMEOUT_S = 30.0
SIGNS = ("dev/nvidiactl", "dev/dxg", "proc/driver/nvidia/version")
"""What there is where NVIDIA's driver is loaded; the second under Windows' subsystem for Linux."""
PACKAGE = "pynvml"


@dataclass(frozen=True)
class Read:
    """The GPUs; or why they are not told, and what mends it: nothing where there is no sign of any."""

    gpus: tuple[Gpu, ...] = ()
    why_not: str = ""
    remedy: str = ""


def read_gpus(root: Path = Path("/"), timeout_s: float = TIMEOUT_S) -> Read:
    """Ask the driver. A driver that crashes, hangs or talks nonsense is an answer too."""
    if not any((root / sign).exists() for sign in SIGNS):
        return Read()
    if find_spec(PACKAGE) is None:
        return Read((), "nvidia-ml-py is not installed", INSTALL)
    try:
        ended = run_apart((sys.executable, "-m", "bench.device.gpu_facts"), timeout_s)
    except OSError as error:
        return Read((), f"cannot start {sys.executable}: {error.strerror}", "")
    told = ended.answer[0] if ended.answer else {}
    try:
        gpus = tuple(_gpu(index, one) for index, one in enumerate(told["gpus"]))
        why_not = str(told["why_not"])
    except (KeyError, TypeError, ValueError, AttributeError):
        gpus, why_not = (), f"asking NVIDIA's driver for its GPUs {_how(ended.code, timeout_s)}"
    return Read(gpus, "" if gpus else why_not or "the driver has none", "look at `nvidia-smi` and at dmesg")


def _gpu(index: int, told: Mapping[str, Any]) -> Gpu:
    """What is not told, or is of another kind than it should be, is None."""
    others = told.get("others")
    kinds = {one.name: _kind(str(one.type)) for one in fields(Gpu)}
    plain = {name: told[name] for name, kind in kinds.items() if kind and type(told.get(name)) is kind}
    pids = tuple(int(pid) for pid, _ in others) if others is not None else None
    why_not = {str(name): str(why) for name, why in told["why_not"].items()}
    return Gpu(**{**plain, "index": index, "others": pids, "why_not": why_not})


def _kind(hint: str) -> type | None:
    return {"int | None": int, "str | None": str, "bool | None": bool}.get(hint)


def _how(code: int | None, timeout_s: float) -> str:
    if code is None:
        return f"took longer than {timeout_s:g} s"
    return f"ended by signal {-code}" if code < 0 else f"ended with code {code} and no answer"
