"""benchpact's own side: its adapter's session behind its own loop, as the worker uses them."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter_ns
from typing import Any, cast

from bench import registry
from bench.device.adapter import ModelFiles, Session, Settings
from bench.device.library import SampleLibrary
from bench.device.scenarios import BLOCK_NS, Issuer
from tests.speed.rounds import Side, nearest_rank


def ours(backend: str, model: ModelFiles, library: SampleLibrary) -> Side:
    """The median recorded latency of the backend's session on one thread, in ns."""
    session = registry.load(backend).open(model, Settings(threads=1))
    issued = _issuing(session, library)

    def side(seconds: float) -> float:
        return nearest_rank(issued(seconds), 0.5)

    return side


def _issuing(session: Session, library: SampleLibrary) -> Callable[[float], list[int]]:
    """Our loop over the session: it issues for so many seconds and answers the latencies, in ns."""
    issuer = Issuer(session, library, 1, overlapped=False)
    per_query = min(issuer.drained_ns() for _ in range(20))

    def issued(seconds: float) -> list[int]:
        latencies: list[int] = []
        end_ns = perf_counter_ns() + int(seconds * 1e9)
        while perf_counter_ns() < end_ns:
            latencies += issuer.block(BLOCK_NS // per_query).latencies_ns
        return latencies

    return issued


class _InnerClock:
    """An OpenVINO session that notes each request's own clock between two queries, outside ours."""

    def __init__(self, session: Any) -> None:
        self.run, self.stage, self.read = session.run, session.stage, session.read
        self.noted_ms: list[float] = []

    def advance(self, outputs: Any) -> None:
        self.noted_ms.append(outputs.request.latency)

    def reset(self) -> None:
        """There is no state."""


def ours_by_inner_clock(model: ModelFiles, library: SampleLibrary) -> Side:
    """The median of OpenVINO's own clock inside the request, while our loop drives it, in ns."""
    session = _InnerClock(registry.load("openvino").open(model, Settings(threads=1)))
    issued = _issuing(cast(Session, session), library)

    def side(seconds: float) -> float:
        session.noted_ms.clear()
        issued(seconds)
        return nearest_rank(session.noted_ms, 0.5) * 1e6

    return side
