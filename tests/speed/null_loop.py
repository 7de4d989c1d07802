"""The loop on the null backend: what it costs an iteration, beside the same job written by hand.

``python -m tests.speed.null_loop ROUNDS SECONDS FILE`` measures in this process, pinned to one core, and writes the
figures to FILE as JSON.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from time import perf_counter_ns
from typing import Any

from bench.device.adapter import ModelFiles, Session, Settings, TensorSpec
from bench.device.library import open_library
from bench.device.records import TensorJob
from bench.device.scenarios import Issuer
from bench.device.subject import load_adapter
from tests.speed.rounds import Side, nearest_rank, pin, take_turns

QUERIES = 20_000
"""Queries a block, as many as a block of a very fast call has."""


def issuer_on_null() -> Issuer:
    """The real issuer on the null backend's session."""
    model = ModelFiles({}, (TensorSpec("x", "float32", ("batch", 8)),), (TensorSpec("y", "float32", ("batch", 8)),))
    library = open_library([TensorJob("x", "float32", ["batch", 8])], {}, {}, "batch", None, seed=0)
    return Issuer(load_adapter("backends.null:NullAdapter").open(model, Settings()), library, 1, overlapped=False)


def iteration(issuer: Issuer) -> Side:
    """Wall time of a whole block, everything in ``block`` included, over its queries; the median block, in ns."""
    return _blocks(lambda: len(issuer.block(QUERIES).latencies_ns))


def recorded(issuer: Issuer) -> Side:
    """The mean latency recorded for the empty call; the median block, in ns.

    The mean, because the clock here counts in tens of nanoseconds.
    """

    def side(seconds: float) -> float:
        means = []
        end_ns = perf_counter_ns() + int(seconds * 1e9)
        while perf_counter_ns() < end_ns:
            means.append(sum(issuer.block(QUERIES).latencies_ns) / QUERIES)
        return nearest_rank(means, 0.5)

    return side


def by_hand(session: Session, staged: Sequence[Any]) -> Side:
    """The same job in the shortest loop that somebody would write."""

    def loop(run: Callable[[Any], Any] = session.run, clock: Callable[[], int] = perf_counter_ns) -> int:
        latencies = []
        for query in staged:
            begin = clock()
            run(query)
            end = clock()
            latencies.append(end - begin)
        return len(latencies)

    return _blocks(loop)


def sides() -> dict[str, Side]:
    """The sides of this contest."""
    issuer = issuer_on_null()
    staged = (issuer.pool * (QUERIES // len(issuer.pool) + 1))[:QUERIES]
    hand = by_hand(issuer.session, staged)
    return {
        "iteration": iteration(issuer),
        "by hand": hand,
        "recorded": recorded(issuer),
        "by hand, again": by_hand(issuer.session, staged),
    }


def _blocks(block: Callable[[], int]) -> Side:
    def side(seconds: float) -> float:
        costs = []
        end_ns = perf_counter_ns() + int(seconds * 1e9)
        while perf_counter_ns() < end_ns:
            begin = perf_counter_ns()
            queries = block()
            costs.append((perf_counter_ns() - begin) / queries)
        return nearest_rank(costs, 0.5)

    return side


def main() -> None:
    """One process of the contest: side -> its figure in each round, in ns."""
    pin()
    figures = take_turns(sides(), int(sys.argv[1]), float(sys.argv[2]))
    Path(sys.argv[3]).write_text(json.dumps(figures), encoding="utf-8")


if __name__ == "__main__":
    main()
