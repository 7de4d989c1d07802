"""How late queries are issued, and what a device that stalls does to those who arrive meanwhile."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bench.device.arrivals import NS_PER_S
from bench.units import show
from tests.device.stalling import EVERY_NS, STALL_NS
from tests.speed.agreement import NOT_MEASURED, Told, near
from tests.speed.lines import Line, bounded
from tests.speed.under_load import runs
from tests.speed.under_load.runs import SERVICE_NS

RATE_PER_S, LATE_P50_NS, LATE_P99_NS = 1000, 20_000, 1_000_000
PROCESSES = 3
STALLED_RATE_PER_S = 200
Q = 0.99


@dataclass(frozen=True)
class Arriving:
    """Lateness of each process (median, p99; ns), and the p99 of open and closed loop on a device that stalls."""

    late_ns: Sequence[tuple[int | None, int | None]]
    open_loop: Told | None
    closed_loop: Told | None


def measure(seconds: int = 2, stalled_seconds: int = 4, closed_seconds: int = 2) -> Arriving:
    """One run: the null backend at 1 000/s, and the stalling device under both loops."""
    processes, percentile = f"processes: {PROCESSES}", f"latency p{Q * 100:g}: 9 s"
    null = f"server: {{rate: {RATE_PER_S}/s, {percentile}, time: {seconds} s, {processes}}}"
    opened = f"server: {{rate: {STALLED_RATE_PER_S}/s, {percentile}, time: {stalled_seconds} s, {processes}}}"
    long = f"min time: {closed_seconds} s, time: {closed_seconds} s"
    closed = f"single-stream: {{{percentile}, {long}, {processes}}}"
    targets = {"idle": runs.target("null", null), "stalls": runs.target(runs.STALLING, f"{opened}, {closed}")}
    with runs.ran(targets) as run:
        serving = [one.serving for one in runs.case_of(run, "idle", "server").process_runs]
        late = [(None, None) if one is None else (one.late_p50_ns, one.late_p99_ns) for one in serving]
        loops = [runs.percentile(run, runs.case_of(run, "stalls", one), Q) for one in ("server", "single-stream")]
        return Arriving(late, loops[0], loops[1])


def expected_ns() -> float:
    """The p99 of those who arrive at any time, on a device that stalls for a part of each period.

    Who arrives x after a stall of length S began waits for the rest of it, and for the rate·x who came before him:
    S - x·(1 - ρ). So those who wait longest are the first to come, and they are ``1 - q`` of all if x is that share
    of a period.
    """
    load = STALLED_RATE_PER_S * SERVICE_NS / NS_PER_S
    return STALL_NS - (1 - Q) * EVERY_NS * (1 - load) + SERVICE_NS


def _worst(what: str, late_ns: Sequence[int | None], most_ns: int) -> Line:
    """Not measured where any process does not tell: no query of it found the model free."""
    told, target = [one for one in late_ns if one is not None], f"≤ {show(most_ns, 'ns')}"
    if not told or len(told) < len(late_ns):
        return bounded(what, NOT_MEASURED, target, False)
    return bounded(what, show(max(told), "ns"), target, max(told) <= most_ns)


def lines(found: Arriving) -> list[Line]:
    """Lateness by its worst process, and the two loops beside what the theory says."""
    late = []
    for name, which, most in (("median", 0, LATE_P50_NS), ("p99", 1, LATE_P99_NS)):
        what = f"issued late at {RATE_PER_S}/s on `null`, {name}, the worst of {PROCESSES} processes"
        late.append(_worst(what, [one[which] for one in found.late_ns], most))
    stall = f"a device that stalls {show(STALL_NS, 'ns')} once a second, p{Q * 100:.0f}"
    closed = NOT_MEASURED if found.closed_loop is None else found.closed_loop.text()
    theory = Told(expected_ns(), expected_ns(), expected_ns(), (expected_ns(),) * PROCESSES)
    return [
        *late,
        near(f"{stall}: `server` at {STALLED_RATE_PER_S}/s beside the theory", found.open_loop, theory),
        Line(f"{stall}: a closed loop (`single-stream`)", closed, "", None, "none", None),
    ]
