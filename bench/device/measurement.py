"""The closed loop: block after block until the job has enough, each told to the host as it ends."""

from __future__ import annotations

from time import perf_counter_ns
from typing import Any, Dict, NamedTuple

import numpy as np

from . import gpu_named, memory, own_clock, records
from .channel import Channel, Host
from .disturbance import Watch
from .metering import Meter
from .records import Job
from .scenarios import BLOCK_NS, Block, Issuer


class Measurement(NamedTuple):
    """What a timed loop measures, and whom it tells."""

    job: Job
    issuer: Issuer
    channel: Channel
    host: Host
    started: memory.Started
    """Further processes whose work and memory are the model's."""
    meter: Meter
    """What the timed part costs beside time."""

    def watch(self) -> Watch:
        """What disturbs this process and those."""
        watch = Watch()
        watch.started = self.started
        return watch

    def send(self, block: Block, start_ns: int, seen: Dict[str, int], **more: int) -> None:
        """Tell a block's timings; ``start_ns`` is when the first one began."""
        fields: Dict[str, Any] = {"count": len(block.latencies_ns), "samples": block.samples, "seen": seen}
        fields.update(start_ns=block.span.start_ns - start_ns, wall_ns=max(1, block.span.wall_ns), **more)
        self.channel.send(records.BLOCK, fields, np.array(block.latencies_ns, dtype="<u8").tobytes())
        self.meter.look()


def timed_loop(measurement: Measurement) -> None:
    """Until time and queries are spent, or the host has seen enough and the job allows to stop.

    What a device says by its own clock is asked for last, and never of a CPU: the clock that times it is its own.
    """
    measurement.meter.begin()
    _blocks(measurement)
    measurement.meter.end()
    if gpu_named.is_cpu(measurement.job.settings.get("device", "cpu")):
        return
    if times := own_clock.told(measurement.issuer.session, measurement.issuer.pool):
        measurement.channel.send(records.TIMES, times)


def _blocks(measurement: Measurement) -> None:
    job, issuer, watch = measurement.job, measurement.issuer, measurement.watch()
    queries, samples, size = 0, 0, 1
    start = perf_counter_ns()
    while True:
        watch.begin()
        block = issuer.block(min(size, job.max_queries - queries))
        seen = watch.seen()
        queries += block.samples // issuer.batch
        samples += block.samples
        elapsed = perf_counter_ns() - start
        measurement.send(block, start, seen)
        enough = elapsed >= job.min_ns and queries >= job.min_queries
        is_over = elapsed >= (job.max_ns if samples >= job.must_samples else 2 * job.max_ns)
        if is_over or job.max_queries - queries < issuer.calls or (enough and measurement.host.wants_stop()):
            return
        size = max(1, int(BLOCK_NS * block.samples // issuer.batch // max(1, block.span.wall_ns)))
