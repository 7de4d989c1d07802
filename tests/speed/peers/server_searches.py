"""LoadGen's way to look for the highest rate under a p99, on a device that takes exactly 1 ms.

``python -m tests.speed.peers.server_searches FILE`` writes the rate that was found, per second, and the seconds that it
took.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

from bench.device.adapter import ModelFiles, TensorSpec
from tests.device.spinning import SpinningSession

SERVICE_NS, LIMIT_NS, Q = 1_000_000, 10_000_000, 0.99
FIRST_PER_S, PRECISION, LEAST_PER_S = 200.0, 0.01, 1.0
RUN_S = 2.5
LEAST_QUERIES = 662
"""Of a LoadGen run: below 459 its early stopping calls no run valid, however good."""


def doubled_then_halved(keeps: Callable[[float], bool], first: float = FIRST_PER_S) -> float:
    """The highest rate that was seen to keep the limit: twice as high until one does not, then in the middle.

    Ends where the two rates around the answer are ``PRECISION`` apart; 0 where none above ``LEAST_PER_S`` keeps it.
    """
    low, high = 0.0, first
    while keeps(high):
        low, high = high, 2 * high
    while high - low > max(PRECISION * high, LEAST_PER_S):
        middle = (low + high) / 2
        low, high = (middle, high) if keeps(middle) else (low, middle)
    return low


def loadgen(run_s: float = RUN_S) -> float:
    """A LoadGen server run a rate, valid or not by LoadGen's own answer, its early stopping included."""
    from tests.speed.peers.mlperf import Driven, answering, server_settings

    session = _session()
    with Driven(answering(lambda indices: [session.run(None) for _ in indices]), 64) as driven:

        def keeps(rate: float) -> bool:
            return "Result is : VALID" in driven.summary(server_settings(run_s, rate, LIMIT_NS, Q, LEAST_QUERIES))

        return doubled_then_halved(keeps)


def _session() -> SpinningSession:
    side = (TensorSpec("x", "float32", ("batch", 4)),)
    return SpinningSession(ModelFiles({}, side, side), SERVICE_NS)


def main() -> None:
    """One search in this process."""
    begin = perf_counter()
    found = loadgen()
    told = {"rate_per_s": found, "seconds": perf_counter() - begin}
    Path(sys.argv[1]).write_text(json.dumps(told), encoding="utf-8")


if __name__ == "__main__":
    main()
