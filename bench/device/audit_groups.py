"""Is a group of overlapped batches done when ``run_all`` returns?"""

from __future__ import annotations

from time import perf_counter_ns
from typing import NamedTuple

from .audit_closure import AUDIT_NS, CLOSED
from .audit_reading import AUDIT_MOST_NS, AUDIT_TRIES
from .scenarios import Issuer


class Groups(NamedTuple):
    """Groups of overlapped batches, until one more query is answered."""

    number: int
    queries: int
    latency_ns: int
    wall_ns: int
    ratio: float


def audit_groups(issuer: Issuer, drained_ns: int) -> Groups:
    """The same question to ``run_all``: groups of batches, ended by one more query that is read.

    That query waits where the groups' work is still queued. Twice its idle time is taken off: it comes after
    other work, and its own start may be cold.
    """
    until = perf_counter_ns() + AUDIT_MOST_NS
    best, tries = _groups(issuer, drained_ns), 1
    while best.ratio < CLOSED and (tries < AUDIT_TRIES or perf_counter_ns() < until):
        best, tries = max(best, _groups(issuer, drained_ns), key=lambda groups: groups.ratio), tries + 1
    return best


def too_quick(groups: Groups, run_ns: int) -> bool:
    """Whether a group was done in half of the time that one of its batches takes alone: nothing overlaps that well."""
    return 2 * groups.latency_ns < groups.number * run_ns


def _groups(issuer: Issuer, drained_ns: int) -> Groups:
    """As many batches as take ``AUDIT_NS`` one by one: a session that only enqueues cannot pile up more."""
    begin = perf_counter_ns()
    block = issuer.block(AUDIT_NS // max(1, drained_ns))
    issuer.drained_ns()
    wall, latency_ns = max(1, perf_counter_ns() - begin - 2 * drained_ns), sum(block.latencies_ns)
    return Groups(len(block.latencies_ns), block.samples // issuer.batch, latency_ns, wall, latency_ns / wall)
