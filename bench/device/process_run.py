"""One process run of one case in its worker, phase by phase: start, import, load, first query, and what is measured.

What only an open loop needs is imported where a job has one: a start pays for nothing that it does not use.
"""

from __future__ import annotations

from contextlib import ExitStack, nullcontext
from typing import Any, Dict, List

from . import gpu_named, memory, records, throttling
from .adapter import Adapter, AdapterError, Arrays, DeviceUnavailable, Session, Settings
from .answers import send_answers
from .audit import CHANGES_TEXT, audit_session, changes_later
from .batches import best_batch
from .channel import Channel, Host
from .grouping import choose_calls
from .library import SampleLibrary, open_library
from .loop import as_in_service, loop_cost, quiet
from .measurement import Measurement, timed_loop
from .metering import NO_GPU, Meter
from .meters import meter_for
from .outputs import NanCount, check
from .records import Job
from .scenarios import Issuer, WarmUp, warm_up
from .subject import load_adapter, model_files, shares_session
from .told import demand
from .warmup import RULE


class MeasurementInvalid(AdapterError):
    """The closure audit failed: the numbers would not mean what they seem to mean."""


class ProcessRunner:
    """One process run, phase by phase."""

    def __init__(self, job: Job, channel: Channel, host: Host) -> None:
        self.job = job
        self.channel = channel
        self.host = host
        self.adapter: Adapter
        self.said: Dict[str, Any] = {}
        self.noted: List[str] = []
        self.started: memory.Started = tuple

    def measure(self) -> None:
        """Everything between the start and the end.

        Reading the samples stands between two phases and in none: they are the harness's, not the
        model's, and no start of the model in service pays for them.
        """
        job, channel = self.job, self.channel
        library = open_library(job.inputs, job.state, job.dims, job.batch_dim, job.samples, job.seed)
        with channel.phase(records.IMPORT):
            self.adapter = adapter = load_adapter(job.adapter)
            found = adapter.probe()
        if not found.usable:
            raise DeviceUnavailable(". ".join(part for part in (found.reason, found.remedy) if part))
        after_import = memory.resident()
        model = model_files(job)
        with ExitStack() as stack:
            with channel.phase(records.LOAD):
                session = stack.enter_context(adapter.open(model, Settings(**job.settings)))
            self.started = getattr(adapter, "processes", tuple)
            after_load = memory.resident(self.started())
            nan = self._first_query(session, library)
            self._say_facts(session, library, dict(found.versions), nan)
            if not job.only_start:
                with meter_for(job, self.said["facts"], self.started) as meter:
                    self._measure(session, library, meter)
                self._say_again(session)
            peak = memory.resident(self.started())
            fields = {"import_bytes": after_import.now_bytes, "load_bytes": after_load.now_bytes}
            channel.send(records.MEMORY, dict(fields, peak_bytes=peak.peak_bytes, method=memory.method()))
            if job.only_start:
                self._audit_start(session, library)
            if job.aims:
                self._search(session, library)
            if job.collect_outputs:
                with channel.phase(records.ACCURACY):
                    self._note(send_answers(job, session, library, self._check, channel))
                    demand(session, Settings(**job.settings))
            with channel.phase(records.CLOSE):
                stack.close()

    def _first_query(self, session: Session, library: SampleLibrary) -> NanCount:
        staged = session.stage(library.query(0, library.group))
        with self.channel.phase(records.FIRST_QUERY):
            outputs = session.run(staged)
            arrays = session.read(outputs)
        self._check(arrays, library.group)
        nan = NanCount()
        nan.add(arrays, library.group)
        self._note(nan.notes("samples of the first query"))
        return nan

    def _check(self, arrays: Arrays, samples: int) -> None:
        check(arrays, self.job.outputs, self.job.dims, self.job.batch_dim, samples)

    def _note(self, notes: List[str]) -> None:
        for note in notes:
            self.channel.send(records.NOTE, {"text": note})

    def _say_facts(self, session: Session, library: SampleLibrary, versions: Dict[str, str], nan: NanCount) -> None:
        cost = loop_cost()
        facts, notes = demand(session, Settings(**self.job.settings))
        notes = gpu_named.notes_of(facts["device"], notes)
        self._note(notes)
        self.noted = notes
        if self.job.cores:
            facts[records.CORES] = ",".join(map(str, self.job.cores))
        if self.job.workers > 1:
            facts[records.WORKERS] = self.job.workers
            shared = shares_session(self.job, self.adapter)
            facts[records.SESSIONS] = "one, shared by all" if shared else "one a worker"
        facts[records.LOOP_ITERATION] = round(cost.iteration_ns, 1)
        facts[records.LOOP_RECORDED] = round(cost.recorded_ns, 1)
        if nan.whole():
            facts[records.NAN_OUTPUTS] = ", ".join(nan.whole())
        samples = {"source": library.source, "count": library.count}
        self.said = {"facts": facts, "versions": versions, "samples": samples}
        self.channel.send(records.FACTS, self.said)

    def _say_again(self, session: Session) -> None:
        """What a session knows only once it was measured: the most memory that it took, notes of other batch sizes.

        And whether it still runs as was asked: what fell back under way was not measured under the target's name.
        """
        now, notes = demand(session, Settings(**self.job.settings))
        self._note([note for note in notes if note not in self.noted])
        if any(self.said["facts"].get(name) != fact for name, fact in now.items()):
            self.said["facts"].update(now)
            self.channel.send(records.FACTS, self.said)

    def _measure(self, session: Session, library: SampleLibrary, meter: Meter) -> None:
        overlapped = self.job.scenario == "offline"
        batch = self._batch(session, library, overlapped)
        issuer = Issuer(session, library, batch, overlapped)
        before = throttling.look()
        with quiet():
            with self.channel.phase(records.WARM_UP):
                self._look_before(issuer)
                issuer.drained_ns()
                drained_ns = min(issuer.drained_ns(), issuer.drained_ns())
                self._warm_up(issuer, drained_ns)
                self._group(issuer)
            with self.channel.phase(records.AUDIT):
                self._audit(issuer)
            if self.job.scenario not in records.OPEN_LOOPS:
                with self.channel.phase(records.MEASURE):
                    timed_loop(self._measurement(issuer, meter))
                    self._look(issuer)
            elif self.job.rate_per_s or self.job.trace:
                from .under_load import serve

                with self.channel.phase(records.MEASURE), as_in_service() if self.job.soaks else nullcontext():
                    serve(self._measurement(issuer, meter), self.adapter, library)
                    self._look(issuer)
        self._say_board(before, throttling.look(), meter)
        self._say_meter(session, meter)

    def _measurement(self, issuer: Issuer, meter: Meter) -> Measurement:
        return Measurement(self.job, issuer, self.channel, self.host, self.started, meter)

    def _search(self, session: Session, library: SampleLibrary) -> None:
        """After memory was read: overloads may take more of it."""
        from .under_load import search

        issuer = Issuer(session, library, max(1, self.job.batch), False)
        with quiet(), self.channel.phase(records.SEARCH):
            fields = search(self.job, self.adapter, issuer, library)
            demand(session, Settings(**self.job.settings))
        self.channel.send(records.SEARCHED, fields)

    def _say_board(self, before: throttling.Look, after: throttling.Look, meter: Meter) -> None:
        """What the machine really was while it was measured: temperature, frequencies, what held it down."""
        told, held = dict(throttling.told(before, after), **meter.facts()), throttling.during(before, after)
        if held:
            told[records.THROTTLED] = held
        if told:
            self.said["facts"].update(told)
            self.channel.send(records.FACTS, self.said)

    def _say_meter(self, session: Session, meter: Meter) -> None:
        """What the timed part cost beside time, and the framework's own account of its memory beside it."""
        if not meter.ended:
            return
        self._note(meter.notes())
        told = meter.metering()
        own = None if told.gpu_by == NO_GPU else session.facts().get(records.GPU_OWN)
        self.channel.send(records.METERS, dict(told._asdict(), own_bytes=own if isinstance(own, int) else None))

    def _audit_start(self, session: Session, library: SampleLibrary) -> None:
        """The audit of a process that only starts: after all that it measures, so that it is in none of it."""
        batch = library.group if self.job.batch_dim is None else max(1, self.job.batch)
        issuer = Issuer(session, library, batch, False)
        with quiet(), self.channel.phase(records.AUDIT):
            self._look_before(issuer)
            self._audit(issuer)

    def _look_before(self, issuer: Issuer) -> None:
        """Whether outputs are as declared, and done when they are read: asked before any burst."""
        self._look(issuer)
        if changes_later(issuer):
            raise MeasurementInvalid(CHANGES_TEXT)

    def _look(self, issuer: Issuer) -> None:
        """Whether outputs are as declared at the size that is timed, before and after: fast nonsense is no speed."""
        nan = NanCount()
        for arrays in issuer.answers():
            self._check(arrays, issuer.batch)
            nan.add(arrays, issuer.batch)
        if nan.whole():
            self.said["facts"][records.NAN_MEASURED] = ", ".join(nan.whole())
            self.channel.send(records.FACTS, self.said)

    def _batch(self, session: Session, library: SampleLibrary, overlapped: bool) -> int:
        job = self.job
        if job.batch_dim is None:
            if job.batch not in (0, 1, library.group):
                raise AdapterError(
                    "the model's batch size is fixed at %d: it cannot take batches of %d" % (library.group, job.batch)
                )
            if library.group != job.batch:
                self.channel.send(records.BATCH, {"size": library.group, "tried": []})
            return library.group
        if job.batch:
            return job.batch
        size, tried = best_batch(session, library, overlapped, self.host.wants_stop)
        self.channel.send(records.BATCH, {"size": size, "tried": tried})
        self._note(["peak memory includes trying batches of up to %d to find the best" % tried[-1][0]] if tried else [])
        return size

    def _warm_up(self, issuer: Issuer, drained_ns: int) -> None:
        so_far = WarmUp(0, 0, None)
        for so_far in warm_up(issuer, drained_ns, self.job.warm_up_max_ns):  # noqa: B007 - the last one is kept
            if self.host.wants_stop():
                break
        self.channel.send(records.WARM, dict(so_far._asdict(), settled=so_far.settled, rule=RULE))

    def _group(self, issuer: Issuer) -> None:
        """How many calls one timing holds: what the job says, or by how long a call takes; said where it is asked."""
        job = self.job
        if job.scenario not in records.TIMED_ONE_BY_ONE:
            return
        if job.calls_per_timing == 0:
            cost_ns = self.said["facts"][records.LOOP_RECORDED]
            choose_calls(issuer, cost_ns, job.max_queries // max(1, job.min_queries))
        elif issuer.advance is None:
            issuer.calls = min(job.calls_per_timing, job.max_queries)
        self.said["facts"][records.CALLS_PER_TIMING] = issuer.calls
        self.channel.send(records.FACTS, self.said)

    def _audit(self, issuer: Issuer) -> None:
        closure, complaint = audit_session(issuer)
        self.channel.send(records.AUDITED, dict(closure._asdict(), wall_ns=max(1, closure.wall_ns)))
        if complaint:
            raise MeasurementInvalid(complaint)
