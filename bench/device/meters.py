"""Which meter a process run has: a process beside this one for a GPU, the processor's own counters elsewhere."""

from __future__ import annotations

from typing import Any, Mapping

from .gpu_named import is_cpu
from .memory import Started
from .metering import Meter, Metering
from .records import GPU, Job

UNSEEN = "nothing here looks at the device `%s`: only at processors and NVIDIA's GPUs"


class Unseen(Meter):
    """Of a device that nothing looks at: the processor's energy would not be what its queries take."""

    def __init__(self, device: str) -> None:
        self._why = UNSEEN % device[:80]

    def metering(self) -> Metering:
        return Metering(0, None, self._why, None, self._why)


def meter_for(job: Job, facts: Mapping[str, Any], started: Started) -> Meter:
    """By what the session says that it runs on; a GPU is the one of its UUID, where it tells one.

    Who has no GPU pays for nothing of it: no import and no process.
    """
    named, device = facts.get(GPU), str(facts.get("device", job.settings.get("device", "cpu")))
    if device.lower().startswith("cuda"):
        from .gpu_meter import GpuMeter

        told = named if isinstance(named, dict) else {}
        uuid, name = (str(told.get(word, "")) for word in ("uuid", "name"))
        return GpuMeter(uuid, list(job.cores), started, name)
    if not is_cpu(device):
        return Unseen(device)
    from .rapl import Rapl

    return Rapl()
