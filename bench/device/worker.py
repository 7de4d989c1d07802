"""A worker: one process that reads a job, measures one process run of one case, and writes records.

Its standard output becomes standard error at once, so that no library's print can break the protocol;
the records go out on a private copy of it. It ends when the host is gone: standard input closed.
"""

from __future__ import annotations

import os
import sys
from time import perf_counter_ns

STARTED_NS = perf_counter_ns()

import faulthandler  # noqa: E402
import importlib  # noqa: E402
import platform  # noqa: E402
import traceback  # noqa: E402
from contextlib import ExitStack, suppress  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any, Dict, List, NoReturn  # noqa: E402

import numpy as np  # noqa: E402

from . import machine, memory, records  # noqa: E402
from .adapter import (  # noqa: E402
    Adapter,
    AdapterError,
    Arrays,
    DeviceUnavailable,
    ModelFiles,
    Session,
    Settings,
    TensorSpec,
)
from .channel import Channel, Host, die_with_parent  # noqa: E402
from .library import SampleLibrary, open_library  # noqa: E402
from .loop import loop_cost, quiet  # noqa: E402
from .outputs import NanCount, check  # noqa: E402
from .records import Job  # noqa: E402
from .scenarios import BLOCK_NS, CLOSED, Block, Issuer, audit, best_batch, warm_up  # noqa: E402
from .serving import OpenLoop  # noqa: E402
from .warmup import RULE  # noqa: E402

OUTPUT_CHUNK_BYTES = 8 << 20


class MeasurementInvalid(AdapterError):
    """The closure audit failed: the numbers would not mean what they seem to mean."""


def main() -> int:
    """Read the job from standard input, measure, write records; 0 unless an error was reported."""
    source = os.fdopen(os.dup(0), "rb")
    channel = Channel(os.fdopen(os.dup(1), "wb", buffering=0x10000))
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    die_with_parent()
    faulthandler.enable(all_threads=False)
    try:
        job = records.decode_job(source.readline())
        ready_ns = perf_counter_ns()
        host = Host(source)
        host.watch()
        hello = {"protocol": records.PROTOCOL, "pid": os.getpid(), "python": platform.python_version()}
        channel.send(records.HELLO, dict(hello, machine=machine.facts()))
        channel.send(records.ENTER, {"phase": records.START})
        channel.phase_done(records.START, ready_ns - (job.spawned_ns or STARTED_NS))
        ProcessRunner(job, channel, host).measure()
    except MemoryError:
        return _report(channel, "OutOfMemory", "the process ran out of memory (MemoryError)")
    except SystemExit as error:
        return _report(channel, "SystemExit", "the model's code ended the process: exit(%r)" % (error.code,))
    except Exception as error:  # noqa: BLE001 - whatever a framework raises must reach the host as a record
        return _report(channel, type(error).__name__, str(error) or repr(error))
    channel.send(records.END, {})
    return 0


def _report(channel: Channel, error: str, message: str) -> int:
    channel.send(records.ERROR, {"error": error, "message": message[:4000], "trace": traceback.format_exc()[-8000:]})
    channel.send(records.END, {})
    return 1


class ProcessRunner:
    """One process run, phase by phase."""

    def __init__(self, job: Job, channel: Channel, host: Host) -> None:
        self.job = job
        self.channel = channel
        self.host = host

    def measure(self) -> None:
        """Everything between the start and the end.

        Reading the samples stands between two phases and in none: they are the harness's, not the
        model's, and no start of the model in service pays for them.
        """
        job, channel = self.job, self.channel
        library = open_library(job.inputs, job.state, job.dims, job.batch_dim, job.samples, job.seed)
        with channel.phase(records.IMPORT):
            adapter = load_adapter(job.adapter)
            found = adapter.probe()
        if not found.usable:
            raise DeviceUnavailable(". ".join(part for part in (found.reason, found.remedy) if part))
        after_import = memory.resident()
        model, settings = model_files(job), Settings(**job.settings)
        with ExitStack() as stack:
            with channel.phase(records.LOAD):
                session = stack.enter_context(adapter.open(model, settings))
            after_load = memory.resident()
            self._first_query(session, library)
            self._say_facts(session, library, dict(found.versions))
            if not job.only_start:
                self._measure(session, library)
            peak = memory.resident()
            fields = {"import_bytes": after_import.now_bytes, "load_bytes": after_load.now_bytes}
            channel.send(records.MEMORY, dict(fields, peak_bytes=peak.peak_bytes, method=memory.method()))
            if job.collect_outputs:
                with channel.phase(records.ACCURACY):
                    self._send_outputs(session, library)

    def _first_query(self, session: Session, library: SampleLibrary) -> None:
        staged = session.stage(library.query(0, library.group))
        with self.channel.phase(records.FIRST_QUERY):
            outputs = session.run(staged)
            arrays = session.read(outputs)
        self._check(arrays, library.group)
        nan = NanCount()
        nan.add(arrays, library.group)
        self._note(nan.notes("samples of the first query"))

    def _check(self, arrays: Arrays, samples: int) -> None:
        check(arrays, self.job.outputs, self.job.dims, self.job.batch_dim, samples)

    def _note(self, notes: List[str]) -> None:
        for note in notes:
            self.channel.send(records.NOTE, {"text": note})

    def _say_facts(self, session: Session, library: SampleLibrary, versions: Dict[str, str]) -> None:
        cost = loop_cost()
        facts = dict(session.facts())
        facts["loop_iteration_ns"] = round(cost.iteration_ns, 1)
        facts["loop_recorded_ns"] = round(cost.recorded_ns, 1)
        samples = {"source": library.source, "count": library.count}
        self.channel.send(records.FACTS, {"facts": facts, "versions": versions, "samples": samples})

    def _measure(self, session: Session, library: SampleLibrary) -> None:
        overlapped = self.job.scenario == "offline"
        batch = self._batch(session, library, overlapped)
        issuer = Issuer(session, library, batch, overlapped)
        with quiet():
            with self.channel.phase(records.WARM_UP):
                issuer.drained_ns()
                drained_ns = min(issuer.drained_ns(), issuer.drained_ns())
                self._warm_up(issuer, drained_ns)
            with self.channel.phase(records.AUDIT):
                self._audit(issuer)
            with self.channel.phase(records.MEASURE):
                self._serve(issuer) if self.job.rate_per_s else self._timed_loop(issuer)

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
        so_far = (0, 0, False)
        for so_far in warm_up(issuer, drained_ns, self.job.warm_up_max_ns):  # noqa: B007 - the last one is kept
            if self.host.wants_stop():
                break
        queries, elapsed, settled = so_far
        fields = {"queries": queries, "duration_ns": elapsed, "settled": settled, "rule": RULE}
        self.channel.send(records.WARM, fields)

    def _audit(self, issuer: Issuer) -> None:
        drained_ns = min(issuer.drained_ns() for _ in range(3))
        closure = audit(issuer, drained_ns, loop_cost())
        self.channel.send(records.AUDITED, closure._asdict())
        if closure.ratio < CLOSED:
            raise MeasurementInvalid(
                "the clock stopped before the work did: %d queries were recorded as %.3f ms in all, "
                "but took %.3f ms until their outputs could be read; `run` must return when the result is usable"
                % (closure.queries, closure.latency_ns / 1e6, closure.wall_ns / 1e6)
            )

    def _timed_loop(self, issuer: Issuer) -> None:
        job, queries, size = self.job, 0, 1
        start = perf_counter_ns()
        while True:
            before = involuntary_switches()
            block = issuer.block(min(size, job.max_queries - queries))
            switches = involuntary_switches() - before
            queries += block.samples // issuer.batch
            elapsed = perf_counter_ns() - start
            self._send_block(block, start, switches=switches)
            enough = elapsed >= job.min_ns and queries >= job.min_queries
            if elapsed >= job.max_ns or queries >= job.max_queries or (enough and self.host.wants_stop()):
                return
            size = max(1, int(BLOCK_NS * block.samples // issuer.batch // max(1, block.span.wall_ns)))

    def _serve(self, issuer: Issuer) -> None:
        """The open loop. The queue that is left when arrivals end is answered too, for at most ``max_ns`` more."""
        job, start = self.job, perf_counter_ns()
        loop = OpenLoop(issuer, job.arrivals, job.rate_per_s, job.arrivals_seed, job.max_ns, job.max_queries)
        while True:
            before = involuntary_switches()
            served = loop.block()
            if served is None:
                break
            switches, (block, busy_ns, queue_max) = involuntary_switches() - before, served
            self._send_block(block, start, switches=switches, busy_ns=busy_ns, queue_max=queue_max)
            elapsed = perf_counter_ns() - start
            enough = elapsed >= job.min_ns and loop.answered >= job.min_queries
            if elapsed >= 2 * job.max_ns or (enough and self.host.wants_stop()):
                break
        fields = {"rate_per_s": job.rate_per_s, "arrivals": job.arrivals, "seed": job.arrivals_seed}
        fields.update(unanswered=loop.unanswered(), found_free=loop.lateness.count)
        late = {"late_p50_ns": loop.lateness.percentile(0.5), "late_p99_ns": loop.lateness.percentile(0.99)}
        self.channel.send(records.SERVED, dict(fields, **late))

    def _send_block(self, block: Block, start_ns: int, **more: int) -> None:
        fields = {"count": len(block.latencies_ns), "samples": block.samples}
        fields.update(start_ns=block.span.start_ns - start_ns, wall_ns=max(1, block.span.wall_ns), **more)
        self.channel.send(records.BLOCK, fields, np.array(block.latencies_ns, dtype="<u8").tobytes())

    def _send_outputs(self, session: Session, library: SampleLibrary) -> None:
        """Every sample once, in order, through the same session; each output in pieces as they come."""
        advance, reset = getattr(session, "advance", None), getattr(session, "reset", None)
        if reset is not None:
            reset()
        step = library.group if self.job.batch_dim is None else max(1, self.job.batch)
        nan = NanCount()
        for first in range(0, library.count, step):
            samples = min(step, library.count - first) if self.job.batch_dim else step
            outputs = session.run(session.stage(library.query(first, samples)))
            arrays = session.read(outputs)
            self._check(arrays, samples)
            nan.add(arrays, samples)
            for name, array in arrays.items():
                if name not in self.job.state.values():
                    self._send_array(name, first, np.ascontiguousarray(array))
            if advance is not None:
                advance(outputs)
        self._note(nan.notes("validation samples"))

    def _send_array(self, name: str, first: int, array: Any) -> None:
        data = memoryview(array.reshape(-1).view(np.uint8)) if array.size else memoryview(b"")
        head = {"name": name, "dtype": array.dtype.str, "shape": list(array.shape), "first": first, "bytes": len(data)}
        for at in range(0, max(1, len(data)), OUTPUT_CHUNK_BYTES):
            self.channel.send(records.OUTPUT, dict(head, at=at), bytes(data[at : at + OUTPUT_CHUNK_BYTES]))


def involuntary_switches() -> int:
    """Times the kernel took the processor away from this process so far (0 where it does not tell)."""
    try:
        import resource
    except ImportError:
        return 0
    return resource.getrusage(resource.RUSAGE_SELF).ru_nivcsw


def load_adapter(name: str) -> Adapter:
    """The adapter of ``module:Class``; DeviceUnavailable if it does not import."""
    module, _, cls = name.partition(":")
    try:
        adapter: Adapter = getattr(importlib.import_module(module), cls)()
    except (ImportError, AttributeError) as error:
        raise DeviceUnavailable("the adapter %s does not load: %s" % (name, error))
    return adapter


def model_files(job: Job) -> ModelFiles:
    """The job's model as the adapter wants it."""
    specs: List[List[TensorSpec]] = [
        [TensorSpec(tensor.name, tensor.dtype, tuple(tensor.shape)) for tensor in tensors]
        for tensors in (job.inputs, job.outputs)
    ]
    return ModelFiles(
        artifacts={kind: Path(path) for kind, path in job.artifacts.items()},
        inputs=tuple(specs[0]),
        outputs=tuple(specs[1]),
        state=job.state,
        dims=job.dims,
        factory=job.factory,
        code_dir=Path(job.code_dir) if job.code_dir else None,
    )


def run() -> NoReturn:
    """The whole life of the process: ``main``, and then past the interpreter's own shutdown.

    Some frameworks crash or hang there, and everything that is to be said has been said.
    """
    code = main()
    with suppress(OSError, ValueError):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    run()
