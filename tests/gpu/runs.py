"""Whole process runs of the harness's own on ``cuda:0``: what they come to is what a user reads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from backends import cuda_probe
from bench.conformance.tried import tensor_jobs
from bench.device.adapter import ModelFiles
from bench.device.records import TensorJob
from bench.stats.pool import Pool, rank
from tests.launch.talk import MS, Told, job, measure

DEVICE = "cuda:0"
SPINNING = "tests.gpu.spinning:Spinning"
DEADLINE_S = 600
"""For a process that builds an engine, too."""


def spun(ns: int, waits: bool = True) -> Told:
    """Half a second of queries, each a kernel that takes ``ns``."""
    asked = job(
        SPINNING,
        settings={"device": DEVICE, "extra": {"ns": ns, "waits": waits}},
        outputs=[TensorJob("y", "float64", ["batch"])],
        min_ns=100 * MS,
        max_ns=500 * MS,
        calls_per_timing=1,
    )
    return measure(asked, deadline_s=120)


def whole(adapter: str, model: ModelFiles, samples: int, settings: Mapping[str, Any], seconds: float = 1.0) -> Told:
    """``seconds`` of queries of so many samples, drawn from 0 to 1; AssertionError where it failed, or was elsewhere.

    ``adapter`` is one of ``tests.gpu.proven``: its session shows in the worker that the GPU computes.
    """
    asked = job(
        adapter,
        settings={"device": DEVICE, **settings},
        artifacts={kind: str(path) for kind, path in model.artifacts.items()},
        inputs=tensor_jobs(model.inputs),
        outputs=tensor_jobs(model.outputs),
        batch=samples,
        min_ns=int(seconds * 1000 * MS),
        max_ns=int(seconds * 1000 * MS),
        warm_up_max_ns=2000 * MS,
    )
    told = measure(asked, deadline_s=DEADLINE_S)
    assert told.run.failure is None, told.run.failure
    assert told.run.facts["device"] == DEVICE
    assert told.run.facts["gpu"] == cuda_probe.numbered(DEVICE)._asdict()
    return told


def p50_ns(told: Told) -> float:
    """Its latency p50, as a report tells it."""
    latencies = Pool([told.ear.timings])
    return float(latencies.at(rank(0.5, latencies.count)))
