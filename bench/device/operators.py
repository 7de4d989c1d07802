"""What each operator of a model takes, as its framework's own profiler tells: what a profiled session answers."""

from __future__ import annotations

from typing import Dict, Iterable, List, NamedTuple, Tuple


class Operator(NamedTuple):
    """One operator, or layer, over all profiled queries.

    ``name`` is the framework's own, ``kind`` what it computes (``Conv``, ``aten::addmm``). ``total_ns`` is its own
    time, without that of operators within it; ``calls`` how often it ran.
    """

    name: str
    kind: str
    total_ns: int
    calls: int


class Profiled(NamedTuple):
    """The operators of some queries; ``source`` says in words which profiler told them and what it counts."""

    operators: List[Operator]
    source: str


def gathered(rows: Iterable[Operator]) -> List[Operator]:
    """The rows of one operator added up, the costliest first."""
    found: Dict[Tuple[str, str], Tuple[int, int]] = {}
    for row in rows:
        total_ns, calls = found.get(row[:2], (0, 0))
        found[row[:2]] = (total_ns + row.total_ns, calls + row.calls)
    operators = [Operator(*key, *told) for key, told in found.items()]
    return sorted(operators, key=lambda one: one.total_ns, reverse=True)
