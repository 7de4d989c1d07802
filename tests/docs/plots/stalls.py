"""A device that stalls, asked in a closed and in an open loop: the same device, by arithmetic."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from bench.stats.pool import Pool, rank
from tests.device.queues import NS_PER_S, arrivals
from tests.device.stalling import EVERY_NS, STALL_NS
from tests.docs.plots.canvas import BLUE, GREY, INK, ORANGE, Axis, Panel, Parts, sheet, text
from tests.speed.under_load.arriving import STALLED_RATE_PER_S
from tests.speed.under_load.runs import SERVICE_NS

SEED, SHOWN_NS, JUDGED_NS, P99 = 20260101, 3 * NS_PER_S, 200 * NS_PER_S, 0.99
"""What is drawn, and what the p99 is of."""
STALL_S, TOP_MS = STALL_NS / NS_PER_S, 220
STALLS_S = (0.5, 1.5, 2.5)
Queries = NDArray[np.int64]
"""One row a query: when it was asked or came, and how long it took until its answer, ns."""


def answered_ns(begin_ns: int) -> int:
    """When a query that the device could begin then is answered: none begins in the first fifth of a second."""
    into = begin_ns % EVERY_NS
    return begin_ns + max(0, STALL_NS - into) + int(SERVICE_NS)


def closed(until_ns: int) -> Queries:
    """One caller, who asks again as soon as he is answered."""
    found, now = [], EVERY_NS // 2
    while now < EVERY_NS // 2 + until_ns:
        done = answered_ns(now)
        found.append((now - EVERY_NS // 2, done - now))
        now = done
    return np.array(found)


def opened(until_ns: int) -> Queries:
    """Callers who come when they like, first come, first served."""
    found, free = [], 0
    for due in (arrivals(STALLED_RATE_PER_S, SEED, until_ns) + EVERY_NS // 2).tolist():
        free = answered_ns(max(due, free))
        found.append((due - EVERY_NS // 2, free - due))
    return np.array(found)


def p99_ms(queries: Queries) -> float:
    """Of all their latencies."""
    return float(Pool([queries[:, 1].astype(np.uint64)]).at(rank(P99, len(queries)))) / 1e6


def draw() -> str:
    """One above the other: the same stalls, seen by each."""
    found: Parts = []
    sides = (
        ("Closed loop: one caller asks, waits, asks again (single-stream)", closed, ORANGE, 44, ""),
        (
            f"Open loop: {STALLED_RATE_PER_S} callers a second come when they like (server)",
            opened,
            BLUE,
            224,
            "time, s",
        ),
    )
    for title, loop, colour, top, label in sides:
        ticks = [(at, f"{at:g}") for at in (0, 0.5, 1, 1.5, 2, 2.5, 3)]
        y = Axis(0, TOP_MS, [(at, str(at)) for at in (0, 50, 100, 150, 200)], "latency, ms")
        panel = Panel(68, top, 560, 120, Axis(0, SHOWN_NS / NS_PER_S, ticks, label), y)
        found += [*panel.axes(title), *_queries(panel, loop(SHOWN_NS), p99_ms(loop(JUDGED_NS)), colour)]
    found.append(
        text(
            (68, 398),
            "each dot is a query, at the moment it came; grey: the device stalls; p99: of all queries in 200 s",
            INK,
        )
    )
    return sheet(
        412, "Latency of queries on a device that stalls for 200 ms once a second, closed and open loop", found
    )


def _queries(panel: Panel, queries: Queries, p99: float, colour: str) -> Parts:
    quick = queries[:, 1] <= SERVICE_NS
    slow = [(at / NS_PER_S, took / 1e6) for at, took in queries[~quick].tolist()]
    stalls = [panel.band([(at, 0), (at + STALL_S, 0)], [(at, TOP_MS), (at + STALL_S, TOP_MS)], GREY) for at in STALLS_S]
    steady = _thinned(queries[quick, 0])
    ms = SERVICE_NS / 1e6
    x, y = panel.at((panel.x.high, p99))
    said = text((x + 8, y + 4), f"p99: {p99:.0f} ms", INK, bold=True)
    return [
        *stalls,
        panel.dots([(at, ms) for at in steady], colour, 3),
        panel.dots(slow, colour, 4),
        panel.level(p99),
        said,
    ]


def _thinned(at_ns: Queries) -> list[float]:
    """One of all that would lie on the same spot, s."""
    step = 8 * 1e6
    return sorted({math.floor(one / step) * step / NS_PER_S for one in at_ns.tolist()})
