"""Is a query's work left to whoever reads its outputs? Single queries are read, and the read is held against its cost.

It must be done by itself: one read ends a burst, however long, and would hide that. And a burst never lets state move
on, so what that takes is held against copying the outputs, too.
"""

from __future__ import annotations

from time import perf_counter_ns
from typing import Any, List, NamedTuple, Sequence

from .loop import LoopCost
from .scenarios import Issuer

AUDIT_TRIES = 3
AUDIT_MOST_NS = 300_000_000
"""Further tries of the audit, beyond ``AUDIT_TRIES``, begin before this."""
READ_SHARE = 1 / 3
"""A read that takes less than this of its query hides nothing that matters."""
READS = 2
"""A read of fresh outputs may take this many times a read of the same outputs again …"""
COPIES = 20
"""… and any read this many times a copy of its arrays."""
COPY_BYTES = 4 << 20
"""So much of an array is copied to know what copying it takes."""
READ_SLACK_NS = 10_000
READ_SLACK_ITERATIONS = 100
"""What a read may take beyond that, an output and once more: the larger of the two, in ns and in empty iterations."""


class Reading(NamedTuple):
    """One query, its outputs read, read again, and copied."""

    run_ns: int
    fresh_ns: int
    again_ns: int
    copy_ns: int
    outputs: int
    advance_ns: int = 0
    """Letting the state move on; 0 without one."""


def readings(issuer: Issuer, cost: LoopCost) -> List[Reading]:
    """Some queries with their reads; more of them while they look as if work were left to the reads."""
    until = perf_counter_ns() + AUDIT_MOST_NS
    found = [_reading(issuer) for _ in range(AUDIT_TRIES)]
    while (works_in_read(found, cost) or works_in_advance(found, cost)) and perf_counter_ns() < until:
        found.append(_reading(issuer))
    return found


def works_in_read(found: Sequence[Reading], cost: LoopCost) -> bool:
    """Whether reading outputs takes a considerable share of the query, and much longer than it must.

    Longer than it must: even the quickest read of fresh outputs is above ``READS`` times the median read of
    the same outputs again, or above ``COPIES`` times the median copy of the arrays; and by more than a slack.
    """
    fresh = min(one.fresh_ns for one in found)
    again, copy, run = (median([one[at] for one in found]) for at in (2, 3, 0))
    must_ns = min(READS * again, COPIES * copy) + _slack_ns(found, cost)
    return fresh > READ_SHARE * (run + fresh) and fresh > must_ns


def works_in_advance(found: Sequence[Reading], cost: LoopCost) -> bool:
    """Whether letting the state move on takes a considerable share of the query, and much longer than a copy."""
    advance, run = min(one.advance_ns for one in found), median([one.run_ns for one in found])
    must_ns = COPIES * median([one.copy_ns for one in found]) + _slack_ns(found, cost)
    return advance > READ_SHARE * (run + advance) and advance > must_ns


def again_is_slow(found: Sequence[Reading], cost: LoopCost) -> bool:
    """Whether reading the same outputs again takes much longer than a copy: time that is taken off without reason.

    A burst with a large idle read taken off proves little by itself: allocating megabytes may cost the double.
    """
    again, copy = (median([one[at] for one in found]) for at in (2, 3))
    return again > COPIES * copy + _slack_ns(found, cost)


def drained_ns(found: Sequence[Reading]) -> int:
    """The quickest query from issue to outputs read on the host."""
    return min(one.run_ns + one.fresh_ns for one in found)


def _slack_ns(found: Sequence[Reading], cost: LoopCost) -> float:
    return max(READ_SLACK_NS, READ_SLACK_ITERATIONS * cost.iteration_ns) * (1 + found[0].outputs)


def _reading(issuer: Issuer) -> Reading:
    """What is read is let go at once: the audit must not raise the peak memory that is reported."""
    session = issuer.session
    begin = perf_counter_ns()
    outputs = session.run(issuer.pool[0])
    ran = perf_counter_ns()
    session.read(outputs)
    read = perf_counter_ns()
    arrays = session.read(outputs)
    again = perf_counter_ns()
    copy_ns, number = sum(map(_copy_ns, arrays.values())), len(arrays)
    del arrays
    advance_ns = 0
    if issuer.advance is not None:
        advancing = perf_counter_ns()
        issuer.advance(outputs)
        advance_ns = perf_counter_ns() - advancing
    return Reading(ran - begin, read - ran, again - read, copy_ns, number, advance_ns)


def _copy_ns(array: Any) -> int:
    """How long a copy of the array takes, by a part of it where it is large."""
    part = array.reshape(-1)[: max(1, COPY_BYTES // array.itemsize)] if array.flags.c_contiguous else array
    begin = perf_counter_ns()
    part.copy()
    copied_ns = perf_counter_ns() - begin
    return copied_ns * int(array.nbytes) // max(1, int(part.nbytes))


def median(values: Sequence[int]) -> int:
    return sorted(values)[len(values) // 2]
