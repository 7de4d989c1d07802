"""What a GPU is and how it is set, as JSON-ready facts; what is not told is left out, its reason kept beside."""

from __future__ import annotations

import json
import os
from functools import partial
from typing import Any, Callable, Dict, Iterable, List, Tuple

from .nvml import CLOCK_MEMORY, CLOCK_SM, SET, Gpu, Nvml, number_of, text_of
from .nvml_refusals import NotTold

MODES = ("off", "on")


def facts(nvml: Nvml, gpu: Gpu, own: Iterable[int] = ()) -> Dict[str, Any]:
    """Sizes in bytes, power in mW, clocks in MHz; ``others`` are the processes on it that are not our ``own``.

    ``why_not`` says of each fact that is missing why it is.
    """
    found: Dict[str, Any] = {}
    why_not: Dict[str, str] = {}
    asked: Dict[str, Callable[[], Any]] = {
        "name": lambda: text_of(gpu.ask("nvmlDeviceGetName")),
        "uuid": lambda: text_of(gpu.ask("nvmlDeviceGetUUID")),
        "driver": nvml.driver,
        "cuda": nvml.cuda,
        "memory_bytes": lambda: int(gpu.ask("nvmlDeviceGetMemoryInfo").total),
        "used_bytes": lambda: int(gpu.ask("nvmlDeviceGetMemoryInfo").used),
        "ecc": lambda: _mode(gpu.ask("nvmlDeviceGetEccMode")),
        "mig": lambda: _mode(gpu.ask("nvmlDeviceGetMigMode")),
        "persistence": lambda: _mode([gpu.ask("nvmlDeviceGetPersistenceMode")]),
        "power_limit_mw": lambda: number_of(gpu.ask("nvmlDeviceGetEnforcedPowerLimit")),
        "default_power_limit_mw": lambda: number_of(gpu.ask("nvmlDeviceGetPowerManagementDefaultLimit")),
        "max_sm_mhz": lambda: number_of(gpu.ask("nvmlDeviceGetMaxClockInfo", CLOCK_SM)),
        "max_memory_mhz": lambda: number_of(gpu.ask("nvmlDeviceGetMaxClockInfo", CLOCK_MEMORY)),
        "others": lambda: [[one.pid, one.used_bytes] for one in gpu.others(own)],
    }
    for name, call in asked.items():
        value, why = _told(call)
        if why:
            why_not[name] = why
        else:
            found[name] = value
    now = gpu.read()
    found.update({name: now[name] for name in ("sm_mhz", "memory_mhz", "temperature_c", "power_mw") if name in now})
    if "reasons" in now:
        found["clocks_set"] = bool(now["reasons"] & SET)
    why_not.update(gpu.why_not)
    return dict(found, why_not=why_not)


def _told(call: Callable[[], Any]) -> Tuple[Any, str]:
    try:
        return call(), ""
    except NotTold as reason:
        return None, str(reason)


def _mode(told: List[Any]) -> str:
    """What is so now; `on` and `off`, or NVML's own number."""
    now = number_of(told[0])
    return MODES[now] if now < len(MODES) else str(now)


def ask() -> Dict[str, Any]:
    """Every GPU of this machine, or why none is told."""
    try:
        nvml = Nvml()
        count = nvml.count()
    except NotTold as reason:
        return {"gpus": [], "why_not": str(reason)}
    return {"gpus": [_facts_at(nvml, index) for index in range(count)], "why_not": ""}


def _facts_at(nvml: Nvml, index: int) -> Dict[str, Any]:
    """Of one that cannot be reached, what the driver still tells of itself, and why not, by the name ``it``."""
    gpu, why = _told(partial(nvml.at, index))
    if not why:
        return facts(nvml, gpu)
    driver = {"driver": _told(nvml.driver)[0], "cuda": _told(nvml.cuda)[0]}
    return dict({name: told for name, told in driver.items() if told is not None}, why_not={"it": why})


def main() -> None:
    """Print what ``ask`` says; standard output holds nothing else."""
    print(json.dumps(ask()), flush=True)
    os._exit(0)  # past the driver's own shutdown


if __name__ == "__main__":
    main()
