"""Whether a server scenario's system kept up with its arrivals: what is said where it did not."""

from __future__ import annotations

from collections.abc import Sequence

from bench import units
from bench.device.arrivals import BURSTS
from bench.metrics import LOST
from bench.results import Figure, ProcessRun, Serving

NS_PER_S = 1_000_000_000
DROPPED = LOST[0].name
FULL = 1.0
"""The load from which on a queue grows without bound: Kleinrock, *Queueing Systems* I (1975), section 2.1."""
LATE = 0.5
"""Of the mean time between arrivals, or between bursts: a median lateness above it makes them others than asked for."""
LATE_TAIL_NS = 10_000_000
"""A lateness at p99, or p90 of fewer queries, above this and above the mean time between arrivals does so too."""
MEDIAN, P90, P99 = "in the median", "at p90", "at p99"
TOLD_BY = {MEDIAN: 20, P90: 100, P99: 1000}
"""Queries that found a worker free, from which on a percentile of their lateness is told: ten lie beyond it."""
MOSTLY = 0.5
"""Of the time that queries took: where the harness's part is more, a queue is the harness's rather than the model's."""
LOWEST_PER_S = 1e-9
"""A rate that is no rate, of a process that tells nonsense, counts as this."""
GROWING = "the queue was still growing: longer measured, latencies would be longer"


def load(run: ProcessRun) -> float | None:
    """Mean time that a query takes the model, over the time that the rate leaves for it; None in other scenarios.

    Of the second half of the queries: a system that slows down is judged as it is at the end.
    """
    served = _second_half(run)
    if served is None or run.serving is None:
        return None
    return served * run.serving.rate_per_s / NS_PER_S / run.serving.crew.workers


def overload(runs: Sequence[ProcessRun]) -> str:
    """One sentence where a process could not keep the rate, of the one that was worst; else nothing."""
    loads = [(load(run) or 0.0, run) for run in runs if overloaded(run)]
    worst, run = max(loads, key=lambda pair: pair[0], default=(0.0, None))
    taken = None if run is None else _second_half(run)
    if run is None or run.serving is None or taken is None:
        return ""
    rate, longest = units.show(run.serving.rate_per_s, "per_s"), max(block.queue_max or 0 for block in run.blocks)
    workers = f" {run.serving.crew.workers} workers" if run.serving.crew.workers > 1 else ""
    left = f", and {run.serving.unanswered:,} were never answered" if run.serving.unanswered else ""
    return (
        f"the system cannot keep {rate}: a query takes it {units.show(taken, 'ns')} on average, {worst:.3g} times what "
        f"the rate leaves{workers}, so the queue grew ({longest:,} at most{left})"
    )


def late_harness(runs: Sequence[ProcessRun]) -> str:
    """One sentence where queries that found a worker free were issued too late for the arrivals to be as stated.

    It names the worst process, and says in how many it was so. So it is where the model alone would have kept the
    rate (``own_overload``).
    """
    if own := own_overload(runs):
        return own
    served = [one.serving for one in runs if one.serving is not None]
    for where in TOLD_BY:
        late = [(ns, one) for one in served if (ns := lateness(one).get(where, 0)) and _is_late(where, ns, one)]
        if late:
            worst, one = max(late, key=lambda pair: pair[0] / _gap_ns(pair[1]))
            many = f"; so in {len(late)} of {len(served)} processes, this is the worst" if len(served) > 1 else ""
            return _cannot_keep(one.rate_per_s, worst, where, _gap_ns(one), one.arrivals) + many
    return ""


def own_overload(runs: Sequence[ProcessRun]) -> str:
    """One sentence where a queue grew only by what the harness took between two queries; else nothing."""
    own = [(load(run) or 0.0, run) for run in runs if overloads_itself(run)]
    worst, run = max(own, key=lambda pair: pair[0], default=(0.0, None))
    if run is None or run.serving is None:
        return ""
    gap_ns = NS_PER_S / max(run.serving.rate_per_s, LOWEST_PER_S)
    between, model = (units.show(one * worst * gap_ns, "ns") for one in (_between(run), 1 - _between(run)))
    many = f"; so in {len(own)} of {len(runs)} processes, this is the worst" if len(runs) > 1 else ""
    rate = units.show(run.serving.rate_per_s, "per_s")
    return (
        f"the harness itself cannot keep {rate} here: a query takes it {between} "
        f"beside the model's {model}, and the rate leaves {units.show(gap_ns, 'ns')} for both" + many
    )


def overloads_itself(run: ProcessRun) -> bool:
    """Whether the model alone would have kept the rate, and with what the harness took beside it the queue grew."""
    own = load(run) or 0.0
    return own >= FULL > own * (1 - _between(run))


def mostly_own(runs: Sequence[ProcessRun]) -> str:
    """One sentence where in most processes more than half of what queries took was the harness's; else nothing.

    A latency that is kept all the same is kept; one that is missed is not the model's.
    """
    shares = sorted(_between(run) for run in runs if run.serving is not None)
    if not shares or shares[(len(shares) - 1) // 2] <= MOSTLY:
        return ""
    rate = max((run.serving.rate_per_s for run in runs if run.serving is not None), default=0.0)
    return (
        f"the harness itself cannot keep {units.show(rate, 'per_s')} within it here: of the time that queries took, "
        f"{units.show(shares[len(shares) // 2], 'ratio')} was its own, from the end of one to the issue of the next"
    )


def _between(run: ProcessRun) -> float:
    """The share of the time that queries took which the harness took between them; 0 where that is not told."""
    busy_ns = sum(block.busy_ns or 0 for block in run.blocks)
    between_ns = run.serving.between_ns if run.serving is not None else None
    return min(1.0, between_ns / busy_ns) if between_ns and busy_ns else 0.0


def lateness(one: Serving) -> dict[str, int]:
    """How late (ns) a process's queries were issued that found a worker free: the percentiles that so many tell."""
    told = {MEDIAN: one.late_p50_ns, P90: one.late_p90_ns, P99: one.late_p99_ns}
    return {where: ns for where, ns in told.items() if ns is not None and one.found_free >= TOLD_BY[where]}


def _is_late(where: str, late_ns: int, one: Serving) -> bool:
    gaps = late_ns / _gap_ns(one)
    return gaps > LATE if where == MEDIAN else gaps > 1 and late_ns > LATE_TAIL_NS


def _gap_ns(one: Serving) -> float:
    """The mean time between two moments at which something arrives: those of a burst arrive at one."""
    burst = BURSTS.fullmatch(one.arrivals)
    return NS_PER_S * (int(burst[1]) if burst else 1) / max(one.rate_per_s, LOWEST_PER_S)


def late_search(runs: Sequence[ProcessRun], rate_per_s: float) -> str:
    """The same where the highest rate was searched for, and that was found."""
    late = [one.searched.late_p50_ns for one in runs if one.searched is not None]
    worst = max((ns for ns in late if ns is not None), default=None)
    if worst is None or worst * rate_per_s <= LATE * NS_PER_S:  # a rate of 0, which nothing keeps, is never too high
        return ""
    return _cannot_keep(rate_per_s, worst, MEDIAN, NS_PER_S / rate_per_s)


def _cannot_keep(rate_per_s: float, late_ns: float, where: str, gap_ns: float, arrivals: str = "") -> str:
    late_by, gap = units.show(late_ns, "ns"), units.show(gap_ns, "ns")
    two = "bursts" if BURSTS.fullmatch(arrivals) else "arrivals"
    return (
        f"the harness itself cannot keep {units.show(rate_per_s, 'per_s')} here: queries that found a worker free were "
        f"issued {late_by} late {where}, with {gap} between two {two}"
    )


def crowded(runs: Sequence[ProcessRun]) -> str:
    """One sentence where more workers than cores answered: whoever waits for a query then takes time from a model."""
    for run in runs:
        if run.serving is None or run.serving.crew.workers == 1:
            continue
        cores, threads = run.machine.get("usable_cores"), run.facts.get("threads")
        needed = run.serving.crew.workers * (threads if isinstance(threads, int) else 1)
        if isinstance(cores, int) and needed > cores:
            who = f"{needed} threads of {run.serving.crew.workers} workers"
            return f"{who} share {cores} usable cores: they wait for each other"
    return ""


def lost_figure(metric: str, finished: Sequence[ProcessRun]) -> Figure | None:
    """The share of all queries that was dropped or timed out; the interval holds the processes' own shares.

    A query that was let in and never answered is one of all, and counts as timed out. How long it would have waited is
    not known, so the interval holds the share without those too.
    """
    served = [one.serving for one in finished if one.serving is not None and one.serving.crew.answered is not None]
    totals = [(one.crew.answered or 0) + one.crew.dropped + one.unanswered for one in served]
    if not sum(totals):
        return None
    least = [one.crew.dropped if metric == DROPPED else one.crew.timed_out for one in served]
    most = [count + (0 if metric == DROPPED else one.unanswered) for count, one in zip(least, served, strict=True)]
    low, own = ([count / max(1, n) for count, n in zip(counts, totals, strict=True)] for counts in (least, most))
    return Figure(metric, "ratio", sum(most) / sum(totals), min(low), max(own), tuple(own), sum(totals))


def overloaded(run: ProcessRun) -> bool:
    """Whether a whole process's queue grew without bound: not where those that were too many were dropped.

    Nor where it grew by what the harness took, which says nothing of the model.
    """
    if not run.is_whole or run.serving is None or run.serving.crew.dropped or overloads_itself(run):
        return False
    return (load(run) or 0.0) >= FULL


def why_not_met(runs: Sequence[ProcessRun]) -> str:
    """Why no latency of a server case can be called met, however short it is; else nothing."""
    if overload(runs):
        return GROWING
    unanswered = sum(run.serving.unanswered for run in runs if run.serving is not None)
    return f"{unanswered:,} queries were not answered when the measurement ended" if unanswered else ""


def _second_half(run: ProcessRun) -> float | None:
    """Mean time (ns) a query takes the model, of those blocks that begin after half of the queries."""
    total, before, busy_ns, count = sum(block.count for block in run.blocks), 0, 0, 0
    for block in run.blocks:  # those that were dropped took no time
        if block.busy_ns is not None and (2 * before >= total or before + block.count == total):
            busy_ns, count = busy_ns + block.busy_ns, count + block.samples // run.batch
        before += block.count
    return busy_ns / count if count else None
