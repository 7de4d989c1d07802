"""The open loop in a worker: arrivals at one rate, or the search for the highest. Imported where a job asks for it."""

from __future__ import annotations

from time import perf_counter_ns
from typing import Any, Dict

from . import memory, records
from .adapter import Adapter
from .library import SampleLibrary
from .measurement import Measurement
from .rate_trials import search_rates
from .records import Job
from .scenarios import Issuer
from .service import searching, serving
from .subject import model_files


def serve(measurement: Measurement, adapter: Adapter, library: SampleLibrary) -> None:
    """The queue that is left when arrivals end is answered too, for at most ``max_ns`` more."""
    job, watch = measurement.job, measurement.watch()
    held = memory.Held(job.max_ns, measurement.started)
    with serving(job, adapter, measurement.issuer, library, model_files(job)) as service:
        measurement.meter.begin()
        start, loop = perf_counter_ns(), service.loop
        while True:
            watch.begin()
            found = loop.block()
            if found is None:
                break
            seen, (block, busy_ns, queue_max) = watch.seen(), found
            start = min(start, block.span.start_ns)
            if job.soaks:
                seen.update(held.look())
            measurement.send(block, start, seen, busy_ns=busy_ns, queue_max=queue_max)
            elapsed = perf_counter_ns() - start
            enough = elapsed >= job.min_ns and loop.answered >= job.min_queries
            if elapsed >= 2 * job.max_ns or (enough and measurement.host.wants_stop()):
                loop.stop()
        measurement.meter.end()
        measurement.channel.send(records.SERVED, service.told())


def search(job: Job, adapter: Adapter, issuer: Issuer, library: SampleLibrary) -> Dict[str, Any]:
    """The highest rates that keep the job's aims, as the fields of a record."""
    service_ns = min(issuer.drained_ns() for _ in range(3))
    with searching(job, adapter, issuer, library, model_files(job)) as (begin, told):
        fields = search_rates(begin, job, service_ns)
    return dict(fields, **told)
