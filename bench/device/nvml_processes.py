"""Who is on a GPU, by NVML's lists, and what each holds there."""

from __future__ import annotations

from typing import Any, Callable, Dict, NamedTuple, Optional, Tuple

from .nvml_refusals import NotOffered, NotTold

PROCESSES = (
    "nvmlDeviceGetComputeRunningProcesses",
    "nvmlDeviceGetGraphicsRunningProcesses",
    "nvmlDeviceGetMPSComputeRunningProcesses",
)
"""The lists of who is on a GPU: without the first nothing is known, the others may not be offered by a GPU."""
UNSEEN = "NVML lists no process of this worker on the GPU (in a container, process numbers may be others)"
UNTOLD = "NVML does not tell what one process holds (so in some containers, under MIG and on Windows)"


class Using(NamedTuple):
    """A process on the GPU, and what it holds there; None: not told."""

    pid: int
    used_bytes: Optional[int]


def listed(ask: Callable[[str], Any]) -> Tuple[Dict[int, Optional[int]], Optional[NotTold]]:
    """What each process holds, by number, as far as it is listed; why a list is refused, None where none is."""
    found: Dict[int, Optional[int]] = {}
    refused: Optional[NotTold] = None
    for call in PROCESSES:
        try:
            processes = ask(call)
        except NotTold as reason:
            if call == PROCESSES[0]:
                raise
            if not isinstance(reason, NotOffered):
                refused = refused or reason
            continue
        for one in processes:  # a process may stand in two of them
            held, so_far = one.usedGpuMemory, found.get(int(one.pid))
            found[int(one.pid)] = held if so_far is None else max(so_far, held or 0)
    return found, refused
