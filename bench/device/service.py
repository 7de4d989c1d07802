"""The server scenario of one process run: its traffic, and who answers it."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Tuple, Union

from .adapter import Adapter, ModelFiles, Session, Settings
from .arrivals import CONSTANT, Offsets, Schedule, open_arrivals
from .crew import Crew, Station
from .lead import may_poll, punctual
from .library import SampleLibrary, SamplesRejected
from .line import Line, Rules
from .rate_trials import Begin, one_thread, with_crew
from .records import Job
from .scenarios import Issuer
from .serving import OpenLoop
from .stations import cores_for, others, pinned, station_of
from .subject import shares_session
from .told import demand
from .trace import Traffic, rate_of, read_trace

Trying = Tuple[Begin, Dict[str, Any]]
"""What begins a trial, and what is told of who answers it."""


ALONE: Dict[str, Any] = {"workers": 1, "sessions": 1, "cores": []}
"""One thread waits for an arrival and runs it: nobody takes its core, and the system may move it to a free one."""


class Service(NamedTuple):
    """An open loop that is about to begin, and what is known of it beforehand."""

    loop: Union[OpenLoop, Crew]
    traffic: Traffic
    crew: Dict[str, Any]

    def told(self) -> Dict[str, Any]:
        """How the schedule was kept: a ``served`` record. Nothing can be issued any more after this."""
        loop, traffic = self.loop, self.traffic
        fields = {"rate_per_s": traffic.rate_per_s, "arrivals": traffic.kind, "seed": traffic.seed}
        fields.update(unanswered=loop.unanswered(), found_free=loop.lateness.count)
        late = loop.lateness.percentile
        fields.update(late_p50_ns=late(0.5), late_p90_ns=late(0.9), late_p99_ns=late(0.99))
        fields.update(self.crew, lead_ns=loop.lead.longest_ns, between_ns=loop.between_ns)
        if isinstance(loop, Crew):
            fields.update(issues=loop.issues, batch_max=loop.batch_max, answered=loop.answered)
            fields.update(dropped=loop.dropped, timed_out=loop.timed_out)
        return fields


@contextmanager
def serving(job: Job, adapter: Adapter, issuer: Issuer, library: SampleLibrary, model: ModelFiles) -> Iterator[Service]:
    """The service that the job asks for: this thread alone on the issuer's session, or a crew."""
    trace = _trace(job)
    rate, window_ns = rate_of(trace, job.rate_per_s, job.max_ns, job.max_queries)
    traffic = Traffic(job.arrivals, rate, job.arrivals_seed, window_ns, job.max_queries, trace)
    if not job.needs_crew:
        with punctual():
            yield Service(OpenLoop(issuer, *traffic), traffic, ALONE)
        return
    line = Line(traffic.schedule(), Rules(job.max_batch, job.max_wait_ns, job.queue))
    until_ns = traffic.window_ns if traffic.is_timed else None
    with manned(job, adapter, issuer, library, model, line, until_ns) as (crew, told):
        yield Service(crew, traffic, told)


@contextmanager
def searching(
    job: Job, adapter: Adapter, issuer: Issuer, library: SampleLibrary, model: ModelFiles
) -> Iterator[Trying]:
    """Who answers the trials of a search for the highest rate: as in ``serving``, and the same for all of them."""
    if job.workers == job.max_batch == 1:
        with punctual():
            yield one_thread(issuer, job), ALONE
        return
    nobody = Line(Schedule(open_arrivals(CONSTANT, 1.0, 0), 0, 0), Rules(job.max_batch, job.max_wait_ns))
    with manned(job, adapter, issuer, library, model, nobody, None, stays=True) as (crew, told):
        yield with_crew(crew, job), told


@contextmanager
def manned(
    job: Job,
    adapter: Adapter,
    issuer: Issuer,
    library: SampleLibrary,
    model: ModelFiles,
    line: Line,
    until_ns: Optional[int],
    stays: bool = False,
) -> Iterator[Tuple[Crew, Dict[str, Any]]]:
    """A crew at its stations, each pinned where there are cores enough, and what is told of it."""
    settings = Settings(**job.settings)
    cores = cores_for(job.workers, settings.threads)
    shared = shares_session(job, adapter)

    @contextmanager
    def opened() -> Iterator[Session]:
        """A further worker's, asked again what it ran on when its work is done."""
        if shared:
            yield issuer.session
            return
        with adapter.open(model, settings) as session:
            yield session
            demand(session, settings)

    def set_up(session: Session) -> Station:
        """Warm, and asked what it runs on: a session of its own may fall back where the first one did not."""
        station = station_of(session, library, issuer.batch, job.max_batch)
        demand(session, settings)
        return station

    polls = may_poll(job.workers * settings.threads)
    with pinned(cores[0] if cores else None), punctual():
        rest: List[Optional[int]] = [*cores[1:]] or [None] * (job.workers - 1)
        stations = others(opened, set_up, rest)
        crew = Crew(line, set_up(issuer.session), stations, until_ns, job.timeout_ns, stays, polls)
        told = {"workers": job.workers, "sessions": 1 if shared else job.workers, "cores": cores}
        try:
            crew.open()
            yield crew, told
        finally:
            crew.close()
        crew.complain()


def _trace(job: Job) -> Optional[Offsets]:
    if job.trace is None:
        return None
    try:
        return read_trace(Path(job.trace))
    except (OSError, ValueError) as error:
        raise SamplesRejected("%s: %s" % (job.trace, error))
