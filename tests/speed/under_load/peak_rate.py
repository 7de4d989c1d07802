"""The highest rate that keeps a p99 of 10 ms on a device that takes 1 ms: ours, and two other ways to look for it."""

from __future__ import annotations

from dataclasses import dataclass

from tests.device.queues import highest_rate_per_s
from tests.speed import fresh
from tests.speed.agreement import Told, near
from tests.speed.lines import Line, bounded
from tests.speed.peers.server_searches import ANALYZER, LIMIT_NS, LOADGEN, Q
from tests.speed.rounds import on_all_cores
from tests.speed.under_load import runs
from tests.speed.under_load.runs import SERVICE_NS

PROCESSES, SEARCH_S, MOST_S = 3, 10, 60
METRIC = "max rate under p99 10 ms"
PEERS = {LOADGEN: "LoadGen's runs, doubled, then halved", ANALYZER: "perf_analyzer's windows, doubled, then halved"}


@dataclass(frozen=True)
class Searched:
    """What each found (per second), and the seconds it took; ours is the whole run, starts included."""

    ours: Told | None
    seconds: float
    peers: dict[str, tuple[float, float]]


def measure(search_s: float = SEARCH_S, peers: tuple[str, ...] = (LOADGEN, ANALYZER)) -> Searched:
    """One run, then each peer in a process of its own."""
    limits = f"server: {{{METRIC}: 1/s, search time: {search_s * 1000:.0f} ms, processes: {PROCESSES}}}"
    with runs.ran({"device": runs.target(runs.SPINNING, limits)}) as run:
        ours, seconds = runs.figure(runs.case_of(run, "device", "server"), METRIC), run.wall_ns / 1e9
    found = {}
    for name in peers:
        with on_all_cores():
            told = fresh.measured("peers.server_searches", name)
        found[name] = (float(told["rate_per_s"]), float(told["seconds"]))
    return Searched(ours, seconds, found)


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
    for name, what in PEERS.items():
        rate, seconds = found.peers[name]
        told = Told(rate, rate, rate, (rate,))
        made.append(near(f"{what}, beside the true rate", told, truth(1), unit="per_s", within=None))
        made.append(Line(f"{what}: the search", f"{seconds:.1f} s", "", None, "none", None))
    return made
