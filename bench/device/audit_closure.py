"""Do the latencies of a burst account for its wall time, until its last outputs are read?"""

from __future__ import annotations

from time import perf_counter_ns
from typing import Any, List, NamedTuple, Tuple

from .adapter import Session
from .audit_reading import AUDIT_MOST_NS, AUDIT_TRIES, READS
from .loop import MAX_BLOCK, LoopCost, loop_cost, timed_block
from .scenarios import Issuer

AUDIT_NS = 50_000_000
SHORTEST_NS = 2_000_000
"""Of queries with their reads: a burst of calls that do nothing is then a tenth of it."""
SHORTEST_READS = 20
"""… its work takes so many times what a read may …"""
SHORTEST_QUERIES = 100
"""… and it has so many: a few may wait for the work by chance. Longer queries are little disturbed between calls."""
CLOSED = 0.9
"""The least ratio of the closure audit: below it the clock stopped before the work did …"""
UNSURE = 1 / 4
"""… unless what is missing is below this share of the loop's own cost: so well is that known on a busy machine, and
no work is handed over in 30 ns."""
IMPOSSIBLE = 1.1
"""A ratio above this, with half of what was taken off the wall time given back, cannot be."""


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


def _badness(closure: Closure) -> Tuple[bool, float]:
    return not closure.is_closed(), abs(closure.ratio - 1)
