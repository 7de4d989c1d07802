"""The audit of an open session: is the work done when ``run`` returns, or later, where no clock looks?

Three questions, each asked before the measurement: of *closure* (``audit_closure``), of *reading* (``audit_reading``)
and of *groups* (``audit_groups``). Each is asked again where the answer is bad: other work on the machine may spoil one
try, not all of them. Two more need no clock: whether outputs change after they were read, and whether they are the
answer to the query before.
"""

from __future__ import annotations

import zlib
from time import sleep
from typing import Any, Dict, Sequence, Tuple

import numpy as np

from .adapter import Arrays
from .audit_closure import CLOSED, Closure, audit
from .audit_groups import audit_groups, too_quick
from .audit_reading import Reading, again_is_slow, drained_ns, median, readings, works_in_advance, works_in_read
from .loop import loop_cost
from .scenarios import Issuer

LATER_S = 0.02
"""How long outputs that were read are left alone, to see whether they change."""
DEEPEST, BEHIND_NS = 8, 20_000_000
"""The deepest pipeline that is looked for, and about how long that may take for each of two queries."""
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
ADVANCE_TEXT = (
    "the clock stopped before the work did: `run` was recorded as %.3f ms, but `advance`, which is not timed, took "
    "%.3f ms, much longer than copying the outputs does; `run` must return when the result is usable, and leave no work"
)
BEHIND_TEXT = (
    "the clock stopped before the work did: the answer to a query came with a later one; `run` must return when the "
    "result of its own query is usable"
)
GROUPS_TEXT = (
    "the clock stopped before the work did: %d batches handed to `run_all` were recorded as %.3f ms in all, but took "
    "%.3f ms until the next query was answered (one alone takes %.3f ms); `run_all` must return when every result "
    "is usable"
)


def audit_session(issuer: Issuer) -> Tuple[Closure, str]:
    """All three questions: the closure audit's figures, and what is wrong in one sentence, or nothing."""
    cost = loop_cost()
    found = readings(issuer, cost)
    closure = audit(issuer, drained_ns(found), cost, median([one.again_ns for one in found]))
    if closure.is_impossible() and again_is_slow(found, cost):
        return closure, IMPOSSIBLE_TEXT % (closure.latency_ns / 1e6, closure.wall_ns / 1e6)
    if closure.is_early():
        return closure, EARLY_TEXT % (closure.queries, closure.latency_ns / 1e6, closure.wall_ns / 1e6)
    if works_in_read(found, cost):
        run, fresh = median([one.run_ns for one in found]) / 1e6, min(one.fresh_ns for one in found) / 1e6
        return closure, LAZY_TEXT % (run, fresh)
    if works_in_advance(found, cost):
        run, spent = median([one.run_ns for one in found]) / 1e6, min(one.advance_ns for one in found) / 1e6
        return closure, ADVANCE_TEXT % (run, spent)
    if is_behind(issuer, drained_ns(found)):
        return closure, BEHIND_TEXT
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


def is_behind(issuer: Issuer, drained_ns: int) -> bool:
    """Whether a query that follows many of another is answered as they were, and only later as it should be.

    A pipeline is full in a burst, so all its time is accounted for; but each answer comes a query, or some, too late.
    Where the first answer is the other query's, more are asked for, and then the other again: so a model whose answers
    are alike, or that keeps a state of its own, is not taken for one. Quick sessions are tried for a deep pipeline. A
    session with state gives each query another answer, and is not asked.
    """
    if issuer.advance is not None or len(issuer.pool) < 2:
        return False
    some, other = issuer.pool[0], issuer.pool[-1]
    before = _answer(issuer, some)
    if _answer(issuer, other) != before:
        return False
    depth = max(2, min(DEEPEST, BEHIND_NS // max(1, drained_ns)))
    late, again = ([_answer(issuer, staged) for _ in range(depth)] for staged in (other, some))
    return late[-2] == late[-1] == again[0] != before == again[-1]


def _answer(issuer: Issuer, staged: Any) -> Dict[str, int]:
    """One query's outputs, as checksums."""
    return _sums(issuer.session.read(issuer.session.run(staged)))


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
