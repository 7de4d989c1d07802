"""The audit of an open session: is the work done when ``run`` returns, or later, where no clock looks?

Three questions, each asked before the measurement:

- *closure*: do the latencies of a burst account for its wall time, until its last outputs are read?
- *reading*: is a query's work left to whoever reads its outputs? One read ends a burst, however long, and
  would hide that; so single queries are read too, and the read is held against what it must cost.
- *groups*: is a group of overlapped batches done when ``run_all`` returns?

Each is asked again where the answer is bad: other work on the machine may spoil one try, not all of them.
"""

from __future__ import annotations

import zlib
from time import perf_counter_ns, sleep
from typing import Any, Dict, List, NamedTuple, Sequence, Tuple

import numpy as np

from .adapter import Arrays, Session
from .loop import MAX_BLOCK, LoopCost, loop_cost, timed_block
from .scenarios import Issuer

LATER_S = 0.02
"""How long outputs that were read are left alone, to see whether they change."""
AUDIT_NS = 50_000_000
AUDIT_TRIES = 3
SHORTEST_NS = 2_000_000
"""Of queries with their reads: a burst of calls that do nothing is then a tenth of it."""
SHORTEST_READS = 20
"""… its work takes so many times what a read may …"""
SHORTEST_QUERIES = 100
"""… and it has so many: a few may wait for the work by chance. Longer queries are little disturbed between calls."""
AUDIT_MOST_NS = 300_000_000
"""Further tries of the audit, beyond ``AUDIT_TRIES``, begin before this."""
CLOSED = 0.9
"""The least ratio of the closure audit: below it the clock stopped before the work did …"""
UNSURE = 1 / 4
"""… unless what is missing is below this share of the loop's own cost: so well is that known on a busy machine, and
no work is handed over in 30 ns."""
IMPOSSIBLE = 1.1
"""A ratio above this, with half of what was taken off the wall time given back, cannot be."""
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


CHANGES_TEXT = (
    "the clock stopped before the work did: outputs that had been read changed within %d ms, though nothing was asked "
    "for; `run` must return when the result is usable, and `read` must wait for it" % (LATER_S * 1000)
)
EARLY_TEXT = (
    "the clock stopped before the work did: %d queries were recorded as %.3f ms in all, "
    "but took %.3f ms until their outputs could be read; `run` must return when the result is usable"
)
IMPOSSIBLE_TEXT = (
    "the audit does not add up: the latencies are %.3f ms in all, but their queries took %.3f ms, once the time of "
    "reading outputs again is taken off; reading must cost the same each time"
)
LAZY_TEXT = (
    "the clock stopped before the work did: `run` was recorded as %.3f ms, but reading its outputs took %.3f ms, "
    "much longer than copying them does; `run` must return when the result is usable, and leave no work to `read`"
)
GROUPS_TEXT = (
    "the clock stopped before the work did: %d batches handed to `run_all` were recorded as %.3f ms in all, but took "
    "%.3f ms until the next query was answered (one alone takes %.3f ms); `run_all` must return when every result "
    "is usable"
)


class Closure(NamedTuple):
    """The closure audit's figures: see ``audit``. ``taken_off_ns`` is the idle read's time, not part of ``wall_ns``."""

    queries: int
    latency_ns: int
    wall_ns: int
    loop_ns: int
    ratio: float
    taken_off_ns: int = 0

    def is_impossible(self) -> bool:
        """Whether the latencies are more than the wall time that they were part of, whatever was taken off it."""
        half = (self.taken_off_ns + self.loop_ns) // 2
        return self.latency_ns > IMPOSSIBLE * (self.wall_ns + self.taken_off_ns - half)

    def is_early(self) -> bool:
        """Whether the clock stopped before the work did."""
        missing_ns = self.wall_ns - self.loop_ns - self.latency_ns
        return self.ratio < CLOSED and missing_ns > UNSURE * self.loop_ns

    def is_closed(self) -> bool:
        """Whether the clock ran while the work did, and no longer."""
        return not self.is_early() and not self.is_impossible()


class Reading(NamedTuple):
    """One query, its outputs read, read again, and copied."""

    run_ns: int
    fresh_ns: int
    again_ns: int
    copy_ns: int
    outputs: int


class Groups(NamedTuple):
    """Groups of overlapped batches, until one more query is answered."""

    number: int
    queries: int
    latency_ns: int
    wall_ns: int
    ratio: float


def audit_session(issuer: Issuer) -> Tuple[Closure, str]:
    """All three questions: the closure audit's figures, and what is wrong in one sentence, or nothing."""
    cost = loop_cost()
    found = readings(issuer, cost)
    closure = audit(issuer, drained_ns(found), cost, _median([one.again_ns for one in found]))
    if closure.is_impossible() and again_is_slow(found, cost):
        return closure, IMPOSSIBLE_TEXT % (closure.latency_ns / 1e6, closure.wall_ns / 1e6)
    if closure.is_early():
        return closure, EARLY_TEXT % (closure.queries, closure.latency_ns / 1e6, closure.wall_ns / 1e6)
    if works_in_read(found, cost):
        run, fresh = _median([one.run_ns for one in found]) / 1e6, min(one.fresh_ns for one in found) / 1e6
        return closure, LAZY_TEXT % (run, fresh)
    return closure, _groups_complaint(issuer, found) if issuer.run_all is not None else ""


def changes_later(issuer: Issuer) -> bool:
    """Whether outputs that were read change while nothing is asked for: somebody still worked on them.

    A session whose ``read`` does not wait either leaves no time to be missed, but yesterday's bytes in its buffers. So
    this comes before any burst, when few queries can be under way, and with a query unlike the one before it.
    """
    outputs = issuer.session.run(issuer.pool[-1])
    before = _sums(issuer.session.read(outputs))
    sleep(LATER_S)
    after = _sums(issuer.session.read(outputs))
    if issuer.advance is not None:
        issuer.advance(outputs)
    return before != after


def _sums(arrays: Arrays) -> Dict[str, int]:
    """A checksum an output, so that no copy of them is kept: the audit must not raise the peak memory."""
    flat: Dict[str, Any] = {name: np.ascontiguousarray(array).reshape(-1) for name, array in arrays.items()}
    return {name: zlib.crc32(array.view(np.uint8)) for name, array in flat.items()}


def _groups_complaint(issuer: Issuer, found: Sequence[Reading]) -> str:
    groups = audit_groups(issuer, drained_ns(found))
    run_ns = min(one.run_ns for one in found)
    if groups.ratio < CLOSED or too_quick(groups, run_ns):
        return GROUPS_TEXT % (groups.queries, groups.latency_ns / 1e6, groups.wall_ns / 1e6, run_ns / 1e6)
    return ""


def audit(issuer: Issuer, drained_ns: int, cost: LoopCost, read_ns: int = 0) -> Closure:
    """The closure audit: do the recorded latencies account for the time the work really took?

    A single-stream burst of one staged query, ended by reading the outputs on the host, an idle read's
    time taken off. The sum of the latencies over the burst's wall time, less the loop's own cost, must
    come near 1; an asynchronous session whose ``run`` returns early stays far below, however often it
    is tried. So the best of several is kept against the machine's own disturbances: half of an empty
    call's time lies between two latencies, and other work may take the processor there. The loop's cost
    is measured anew for each further try: beside other work the whole loop is slower, not the call alone.
    And each is half as long as the one before: a machine that is shared leaves short times undisturbed. A
    session that returns early does so in a short burst too.

    Reading megabytes may cost five times as much when their memory is new to the process. So time that is
    missing is no lie as long as it is below ``READS`` times ``read_ns``, the ordinary read of outputs that
    were read before; there is no work in that for a session to hide.
    """
    until = perf_counter_ns() + AUDIT_MOST_NS
    queries = max(2, min(AUDIT_NS // max(1, drained_ns), MAX_BLOCK))
    least = min(queries, _shortest(drained_ns, read_ns))
    best, tries = _burst(issuer, queries, cost, READS * read_ns), 1
    while not best.is_closed() and (tries < AUDIT_TRIES or perf_counter_ns() < until):
        queries = max(least, queries // 2)
        again = _burst(issuer, queries, loop_cost(), READS * read_ns)
        best, tries = min(best, again, key=_badness), tries + 1
    return best


def _shortest(drained_ns: int, read_ns: int) -> int:
    """Queries of the shortest burst: its work must be long beside what a read may take, which is taken off it.

    And they must be many: the best of a hundred tries of two queries would clear anybody.
    """
    work_ns = max(1, drained_ns - read_ns)
    return max(SHORTEST_QUERIES, SHORTEST_NS // max(1, drained_ns), SHORTEST_READS * READS * read_ns // work_ns)


def readings(issuer: Issuer, cost: LoopCost) -> List[Reading]:
    """Some queries with their reads; more of them while they look as if work were left to the reads."""
    until = perf_counter_ns() + AUDIT_MOST_NS
    found = [_reading(issuer.session, issuer.pool[0]) for _ in range(AUDIT_TRIES)]
    while works_in_read(found, cost) and perf_counter_ns() < until:
        found.append(_reading(issuer.session, issuer.pool[0]))
    return found


def works_in_read(found: Sequence[Reading], cost: LoopCost) -> bool:
    """Whether reading outputs takes a considerable share of the query, and much longer than it must.

    Longer than it must: even the quickest read of fresh outputs is above ``READS`` times the median read of
    the same outputs again, or above ``COPIES`` times the median copy of the arrays; and by more than a slack.
    """
    fresh = min(one.fresh_ns for one in found)
    again, copy, run = (_median([one[at] for one in found]) for at in (2, 3, 0))
    must_ns = min(READS * again, COPIES * copy) + _slack_ns(found, cost)
    return fresh > READ_SHARE * (run + fresh) and fresh > must_ns


def again_is_slow(found: Sequence[Reading], cost: LoopCost) -> bool:
    """Whether reading the same outputs again takes much longer than a copy: time that is taken off without reason.

    A burst with a large idle read taken off proves little by itself: allocating megabytes may cost the double.
    """
    again, copy = (_median([one[at] for one in found]) for at in (2, 3))
    return again > COPIES * copy + _slack_ns(found, cost)


def _slack_ns(found: Sequence[Reading], cost: LoopCost) -> float:
    return max(READ_SLACK_NS, READ_SLACK_ITERATIONS * cost.iteration_ns) * (1 + found[0].outputs)


def drained_ns(found: Sequence[Reading]) -> int:
    """The quickest query from issue to outputs read on the host."""
    return min(one.run_ns + one.fresh_ns for one in found)


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


def _badness(closure: Closure) -> Tuple[bool, float]:
    return not closure.is_closed(), abs(closure.ratio - 1)


def _burst(issuer: Issuer, queries: int, cost: LoopCost, most_read_ns: int) -> Closure:
    session, staged = issuer.session, issuer.pool[0]
    latencies: List[int] = []
    outputs = session.run(staged)
    session.read(outputs)
    idle_read_ns = min(_read_ns(session, outputs), _read_ns(session, outputs))
    begin = perf_counter_ns()
    timed_block(session.run, [staged] * (queries - 1), latencies)
    issue = perf_counter_ns()
    outputs = session.run(staged)
    latencies.append(perf_counter_ns() - issue)
    session.read(outputs)
    wall, loop_ns, latency_ns = perf_counter_ns() - begin, int(cost.outside_ns * queries), sum(latencies)
    taken_off_ns = max(idle_read_ns, min(most_read_ns, wall - loop_ns - latency_ns))
    wall -= taken_off_ns
    return Closure(queries, latency_ns, wall, loop_ns, latency_ns / max(1, wall - loop_ns), taken_off_ns)


def _read_ns(session: Session, outputs: Any) -> int:
    begin = perf_counter_ns()
    session.read(outputs)
    return perf_counter_ns() - begin


def _reading(session: Session, staged: Any) -> Reading:
    """What is read is let go at once: the audit must not raise the peak memory that is reported."""
    begin = perf_counter_ns()
    outputs = session.run(staged)
    ran = perf_counter_ns()
    session.read(outputs)
    read = perf_counter_ns()
    arrays = session.read(outputs)
    again = perf_counter_ns()
    return Reading(ran - begin, read - ran, again - read, sum(map(_copy_ns, arrays.values())), len(arrays))


def _copy_ns(array: Any) -> int:
    """How long a copy of the array takes, by a part of it where it is large."""
    part = array.reshape(-1)[: max(1, COPY_BYTES // array.itemsize)] if array.flags.c_contiguous else array
    begin = perf_counter_ns()
    part.copy()
    copied_ns = perf_counter_ns() - begin
    return copied_ns * int(array.nbytes) // max(1, int(part.nbytes))


def _groups(issuer: Issuer, drained_ns: int) -> Groups:
    """As many batches as take ``AUDIT_NS`` one by one: a session that only enqueues cannot pile up more."""
    begin = perf_counter_ns()
    block = issuer.block(AUDIT_NS // max(1, drained_ns))
    issuer.drained_ns()
    wall, latency_ns = max(1, perf_counter_ns() - begin - 2 * drained_ns), sum(block.latencies_ns)
    return Groups(len(block.latencies_ns), block.samples // issuer.batch, latency_ns, wall, latency_ns / wall)


def _median(values: Sequence[int]) -> int:
    return sorted(values)[len(values) // 2]
