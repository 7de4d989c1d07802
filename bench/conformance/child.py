"""What is looked at in a process of its own: memory after many openings, threads that really work, a profile.

``python -m bench.conformance.child memory|threads|profile`` reads a job on standard input and prints one line of
JSON last.
"""

from __future__ import annotations

import gc
import json
import os
import sys
from pathlib import Path
from time import perf_counter_ns
from typing import Any

from bench.device import memory
from bench.device.adapter import Adapter, ModelFiles, Query, Settings
from bench.device.library import open_library
from bench.device.records import decode_job
from bench.device.subject import load_adapter, model_files

OPENINGS = 20
WARM_OPENINGS = 3
WORK_NS = 600_000_000
PATIENCE_NS = 10 * WORK_NS
PROFILED = 4


def main(what: str, line: bytes) -> dict[str, object]:
    """Do what is asked with the job's model; what was found."""
    job = decode_job(line)
    adapter, model, settings = load_adapter(job.adapter), model_files(job), Settings(**job.settings)
    query = open_library(job.inputs, job.state, job.dims, job.batch_dim, None, job.seed).query(0, job.batch)
    return {"memory": _memory, "threads": _threads, "profile": _profile}[what](adapter, model, settings, query)


def _memory(adapter: Adapter, model: ModelFiles, settings: Settings, query: Query) -> dict[str, object]:
    """Growth of the resident set over many openings, in bytes."""
    for _ in range(WARM_OPENINGS):
        _open_once(adapter, model, settings, query)
    before = memory.resident().now_bytes or 0
    for _ in range(OPENINGS):
        _open_once(adapter, model, settings, query)
    return {"openings": OPENINGS, "growth_bytes": (memory.resident().now_bytes or 0) - before}


def _open_once(adapter: Adapter, model: ModelFiles, settings: Settings, query: Query) -> None:
    with adapter.open(model, settings) as session:
        session.read(session.run(session.stage(query)))
    del session
    gc.collect()


def _threads(adapter: Adapter, model: ModelFiles, settings: Settings, query: Query) -> dict[str, object]:
    """How many threads did a real share of the work, and how many the session says.

    Fewer than asked for are watched for longer: on a busy machine one may do all the work while another waits for a
    core.
    """
    with adapter.open(model, settings) as session:
        staged = session.stage(query)
        session.run(staged)
        before, busy, end = _cpu_ns(), 0, perf_counter_ns() + PATIENCE_NS
        while busy < settings.threads and perf_counter_ns() < end:
            stretch = perf_counter_ns() + WORK_NS
            while perf_counter_ns() < stretch:
                session.run(staged)
            busy = _busy(before, _cpu_ns())
        return {"busy": busy, "said": session.facts()["threads"]}


def _busy(before: dict[str, int], after: dict[str, int]) -> int:
    """How many threads did more than a tenth of all work in between."""
    spent = [ns - before.get(thread, 0) for thread, ns in after.items()]
    return sum(ns > sum(spent) / 10 for ns in spent)


def _profile(adapter: Adapter, model: ModelFiles, settings: Settings, query: Query) -> dict[str, object]:
    """What a session that was opened for it tells of its operators, and how many queries were run."""
    profiled: Any = adapter
    with profiled.profiled(model, settings) as session:
        staged = session.stage(query)
        session.run(staged)
        told = session.profile([staged] * PROFILED)
        session.read(session.run(staged))
    return {"queries": PROFILED, "source": told.source, "operators": [one._asdict() for one in told.operators]}


def _cpu_ns() -> dict[str, int]:
    """Time on a processor of each thread of this process, in ns (proc(5), /proc/PID/schedstat)."""
    spent = {}
    for task in Path("/proc/self/task").iterdir():
        try:
            spent[task.name] = int((task / "schedstat").read_text().split()[0])
        except OSError:  # noqa: PERF203 - a thread may end while it is looked at
            continue
    return spent


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1], sys.stdin.buffer.readline())), flush=True)
    os._exit(0)  # past the shutdown of frameworks, as the worker does
