"""A process that profiles a model and times no query of it: ``benchpact profile``.

What a profiler records slows the model down, so it is never on where anything is measured.
"""

from __future__ import annotations

from typing import Any, Dict, List

from . import gpu_named, records
from .adapter import Adapter, AdapterError, DeviceUnavailable, Session, Settings
from .channel import Channel
from .library import SampleLibrary, open_library
from .operators import Profiled
from .records import Job
from .scenarios import Issuer
from .subject import load_adapter, model_files
from .told import demand

FEWEST, MOST, ABOUT_NS = 5, 100, 1_000_000_000
"""Queries that are profiled: as many as take about a second, within these bounds."""
WARM_UP_QUERIES = 3
MOST_OPERATORS = 1000
"""The costliest that are told one by one; the others are in the sum."""
MOST_CHARACTERS = 200


def profile(job: Job, channel: Channel) -> None:
    """Load the model with its framework's profiler on, run some queries, and say what each operator took.

    Raises AdapterError where the backend has no profiler, or it told nothing.
    """
    library = open_library(job.inputs, job.state, job.dims, job.batch_dim, job.samples, job.seed)
    with channel.phase(records.IMPORT):
        adapter = load_adapter(job.adapter)
        found = adapter.probe()
    if not found.usable:
        raise DeviceUnavailable(". ".join(part for part in (found.reason, found.remedy) if part))
    with channel.phase(records.LOAD):
        opened = _opened(adapter, job)
    with opened as session:
        issuer = Issuer(session, library, _batch(job, library), overlapped=False)
        with channel.phase(records.WARM_UP):
            drained_ns = min(issuer.drained_ns() for _ in range(WARM_UP_QUERIES))
        queries = max(FEWEST, min(MOST, ABOUT_NS // max(1, drained_ns)))
        with channel.phase(records.PROFILE):
            staged = (issuer.pool * (queries // len(issuer.pool) + 1))[:queries]
            told = session.profile(staged)  # type: ignore[attr-defined]
        facts, notes = demand(session, Settings(**job.settings))
        notes = gpu_named.notes_of(facts["device"], notes)
        if notes:
            facts[records.NOTES] = notes
        samples = {"source": library.source, "count": library.count}
        channel.send(records.FACTS, {"facts": facts, "versions": dict(found.versions), "samples": samples})
        channel.send(records.PROFILED, dict(_fields(told), queries=queries, batch=issuer.batch))


def _opened(adapter: Adapter, job: Job) -> Session:
    profiled = getattr(adapter, "profiled", None)
    if profiled is None:
        raise AdapterError("this backend tells nothing of its operators: its framework offers no profile that it reads")
    session: Session = profiled(model_files(job), Settings(**job.settings))
    return session


def _batch(job: Job, library: SampleLibrary) -> int:
    if job.batch_dim is None and job.batch not in (1, library.group):
        told = (library.group, job.batch)
        raise AdapterError("the model's batch size is fixed at %d: it cannot take batches of %d" % told)
    return library.group if job.batch_dim is None else job.batch


def _fields(told: Profiled) -> Dict[str, Any]:
    operators = sorted(told.operators, key=lambda one: one.total_ns, reverse=True)
    if not operators:
        raise AdapterError("%s told of no operator" % told.source)
    costliest: List[List[Any]] = [
        [one.name[:MOST_CHARACTERS], one.kind[:MOST_CHARACTERS], one.total_ns, one.calls]
        for one in operators[:MOST_OPERATORS]
    ]
    total_ns = sum(one.total_ns for one in operators)
    return {"source": told.source, "count": len(operators), "total_ns": total_ns, "operators": costliest}
