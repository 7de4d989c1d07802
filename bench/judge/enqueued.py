"""Whether a device waits for its host: handing a query over takes about as long as the device takes for it. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from bench import units
from bench.device.records import ENQUEUE, ON_DEVICE
from bench.results import ProcessRun

BOUND = 0.8
"""Share of the device's own time from which on the host is said to bound the rate: that of NVIDIA's trtexec."""


def note(runs: Sequence[ProcessRun]) -> str:
    """One sentence where, in the median of a process, the host's part is more than ``BOUND`` of the device's."""
    for run in runs:
        times = {one.name: one.p50_ns for one in run.device_times}
        if ENQUEUE in times and ON_DEVICE in times and times[ENQUEUE] > BOUND * times[ON_DEVICE]:
            host, device = units.show(times[ENQUEUE], "ns"), units.show(times[ON_DEVICE], "ns")
            return (
                f"the host takes {host} to hand over a query that the device computes in {device}, in the median: the "
                "host bounds the rate; a larger batch, or kernels captured and replayed, leave it less to do"
            )
    return ""
