"""The harness's own process run of a kernel of known length."""

from __future__ import annotations

from bench.device.records import TensorJob
from tests.launch.talk import MS, Told, job, measure

SPINNING = "tests.gpu.spinning:Spinning"


def spun(ns: int, waits: bool = True) -> Told:
    """Half a second of queries, each a kernel that takes ``ns``."""
    asked = job(
        SPINNING,
        settings={"device": "cuda:0", "extra": {"ns": ns, "waits": waits}},
        outputs=[TensorJob("y", "float64", ["batch"])],
        min_ns=100 * MS,
        max_ns=500 * MS,
        calls_per_timing=1,
    )
    return measure(asked, deadline_s=120)
