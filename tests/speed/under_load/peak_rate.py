"""The highest rate that keeps a p99 of 10 ms on a device that takes 1 ms: ours, and two other ways to look for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tests.device.queues import highest_rate_per_s
from tests.speed import fresh
from tests.speed.agreement import Told, near
from tests.speed.lines import Line, bounded, middle
from tests.speed.peers import window_search
from tests.speed.peers.server_searches import LIMIT_NS, Q
from tests.speed.rounds import on_all_cores
from tests.speed.under_load import runs
from tests.speed.under_load.runs import SERVICE_NS

METRIC, ASKED_PER_S, MOST_S = "max rate under p99 10 ms", 500, 60
LIMITS = f"server: {{{METRIC}: {ASKED_PER_S}/s}}"
"""All that the contract says: how many processes, and how long each searches, are the defaults."""
LOADGEN, ANALYZER = "LoadGen's runs, doubled, then halved", "perf_analyzer's binary search, by arithmetic"


@dataclass(frozen=True)
class Search:
    """What each search found (per second), and the seconds that each took."""

    rates: Sequence[float]
    seconds: Sequence[float]


@dataclass(frozen=True)
class Searched:
    """What was found, and the seconds it took; ours is the whole run, starts included."""

    ours: Told | None
    seconds: float
    peers: Mapping[str, Search]


def measure(limits: str = LIMITS) -> Searched:
    """One run, then LoadGen in a process of its own; perf_analyzer's rules by arithmetic."""
    with runs.ran({"device": runs.target(runs.SPINNING, limits)}) as run:
        ours, seconds = runs.figure(runs.case_of(run, "device", "server"), METRIC), run.wall_ns / 1e9
    with on_all_cores():
        told = fresh.measured("peers.server_searches")
    loadgen = Search([float(told["rate_per_s"])], [float(told["seconds"])])
    return Searched(ours, seconds, {LOADGEN: loadgen, ANALYZER: Search(*window_search.searches())})


def lines(found: Searched) -> list[Line]:
    """Each rate beside the true one, and how long it took."""
    true = highest_rate_per_s(SERVICE_NS, Q, LIMIT_NS)

    def truth(processes: int) -> Told:
        return Told(true, true, true, (true,) * processes)

    made = [
        near(
            "`benchpact run` beside the true rate",
            found.ours,
            truth(len(found.ours.processes) if found.ours else 1),
            unit="per_s",
        ),
        bounded("the whole run", f"{found.seconds:.1f} s", f"≤ {MOST_S} s", found.seconds <= MOST_S),
    ]
    for what, search in found.peers.items():
        rates = tuple(search.rates)
        told = Told(middle(rates), min(rates), max(rates), rates)
        made.append(near(f"{what}, beside the true rate", told, truth(len(rates)), unit="per_s", within=None))
        made.append(Line(f"{what}: the search", f"{middle(search.seconds):.1f} s", "", None, "none", None))
    return made
