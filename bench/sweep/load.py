"""Latency under load: the swept rates against the latencies, and where the system saturates. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bench.metrics import THROUGHPUT
from bench.sweep.axes import Number, shown
from bench.sweep.rows import P50, P90, P99, Row


@dataclass(frozen=True)
class Point:
    """One rate (queries a second): latencies in ns and the rate achieved, None where not measured."""

    rate: Number
    p50_ns: float | None
    p90_ns: float | None
    p99_ns: float | None
    achieved_per_s: float | None
    saturated: str
    """Why the rate could not be kept: one sentence; "" where it was."""

    @property
    def measured(self) -> bool:
        """Whether anything is known of this rate."""
        return self.p50_ns is not None or self.achieved_per_s is not None


@dataclass(frozen=True)
class Curve:
    """One target with its threads and streams under rising load."""

    name: str
    points: tuple[Point, ...]


def curves(rows: Sequence[Row]) -> tuple[Curve, ...]:
    """A curve for each setup whose rate was swept; the offline batch size has no part in it."""
    found: dict[str, dict[Number, Point]] = {}
    for row in rows:
        if row.rate:
            name = row.configuration.without("rate", "batch")
            found.setdefault(name, {}).setdefault(row.rate, _point(row))
    return tuple(Curve(name, tuple(points[rate] for rate in sorted(points))) for name, points in found.items())


def saturation(curve: Curve) -> str:
    """Where the system saturates, in one sentence."""
    lost = next((point for point in curve.points if point.saturated), None)
    if lost is None:
        kept = [point.rate for point in curve.points if point.achieved_per_s is not None]
        if kept:
            return f"does not saturate up to {shown('rate', max(kept))}"
        known = any(point.measured for point in curve.points)
        return "was measured too briefly to tell whether it saturates" if known else "was not measured"
    below = [point.rate for point in curve.points if point.rate < lost.rate and point.measured]
    where = f"between {shown('rate', max(below))} and {shown('rate', lost.rate)}" if below else "at the lowest rate"
    return f"saturates {where}: {lost.saturated}"


def _point(row: Row) -> Point:
    return Point(row.rate, row.value(P50), row.value(P90), row.value(P99), row.value(THROUGHPUT.name), row.saturated)
