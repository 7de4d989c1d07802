"""benchpact's own side: its adapter's session behind its own loop, as the worker uses them."""

from __future__ import annotations

from time import perf_counter_ns

from bench import registry
from bench.device.adapter import ModelFiles, Settings
from bench.device.library import SampleLibrary
from bench.device.scenarios import BLOCK_NS, Issuer
from tests.speed.rounds import Side, nearest_rank


def ours(backend: str, model: ModelFiles, library: SampleLibrary) -> Side:
    """The median recorded latency of the backend's session on one thread, in ns."""
    session = registry.load(backend).open(model, Settings(threads=1))
    issuer = Issuer(session, library, 1, overlapped=False)
    per_query = min(issuer.drained_ns() for _ in range(20))

    def side(seconds: float) -> float:
        latencies: list[int] = []
        end_ns = perf_counter_ns() + int(seconds * 1e9)
        while perf_counter_ns() < end_ns:
            latencies += issuer.block(BLOCK_NS // per_query).latencies_ns
        return nearest_rank(latencies, 0.5)

    return side
