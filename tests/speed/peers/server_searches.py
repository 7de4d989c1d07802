"""Two other ways to look for the highest rate under a p99, on a device that takes exactly 1 ms.

``python -m tests.speed.peers.server_searches NAME FILE`` writes the rate that was found, per second, and the seconds
that it took.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from time import perf_counter

from bench.device.adapter import ModelFiles, TensorSpec
from bench.device.arrivals import NS_PER_S
from bench.device.library import open_library
from bench.device.loop import quiet
from bench.device.records import TensorJob
from bench.device.scenarios import Issuer
from bench.device.serving import OpenLoop
from tests.device.spinning import SpinningSession
from tests.speed.rounds import nearest_rank

SERVICE_NS, LIMIT_NS, Q = 1_000_000, 10_000_000, 0.99
LOADGEN, ANALYZER = "LoadGen", "perf_analyzer"
FIRST_PER_S, PRECISION, LEAST_PER_S = 200.0, 0.01, 1.0
RUN_S, WINDOW_S = 2.5, 0.5
LEAST_QUERIES = 662
"""Of a LoadGen run: below 459 its early stopping calls no run valid, however good."""
STABLE, WINDOWS, MOST_WINDOWS = 1.10, 3, 10


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


def settles(windows: Iterable[tuple[float, float]]) -> bool:
    """Whether three windows in a row are alike before one of the last three, or ten in all, say no.

    A window is a throughput and a p99 (ns). Alike: the largest of each is at most 1.1 times the smallest. Over the
    limit even one of the last three says no.
    """
    seen: list[tuple[float, float]] = []
    for window in windows:
        seen.append(window)
        last = seen[-WINDOWS:]
        if len(last) == WINDOWS:
            if any(p99 >= LIMIT_NS for _, p99 in last):
                return False
            if all(max(values) <= STABLE * min(values) for values in zip(*last, strict=True)):
                return True
    return False


def analyzer(window_s: float = WINDOW_S) -> float:
    """The same search, each rate judged by perf_analyzer's rules; the arrivals are ours."""
    return doubled_then_halved(lambda rate: settles(windows_at(rate, window_s)))


SEARCHES: dict[str, Callable[[], float]] = {LOADGEN: loadgen, ANALYZER: analyzer}


def _session() -> SpinningSession:
    side = (TensorSpec("x", "float32", ("batch", 4)),)
    return SpinningSession(ModelFiles({}, side, side), SERVICE_NS)


def windows_at(rate: float, window_s: float) -> Iterator[tuple[float, float]]:
    """Throughput and p99 (ns) of each window, one after the other, in one stream of arrivals."""
    library = open_library([TensorJob("x", "float32", ["batch", 4])], {}, {}, "batch", None, 1)
    issuer = Issuer(_session(), library, 1, False)
    window_ns = int(window_s * NS_PER_S)
    loop = OpenLoop(issuer, "poisson", rate, 1, MOST_WINDOWS * window_ns, 10**7)
    latencies: list[int] = []
    begin_ns = 0
    with quiet():
        while (served := loop.block()) is not None:
            span = served.block.span
            begin_ns = begin_ns or span.start_ns
            latencies += served.block.latencies_ns
            took_ns = span.start_ns + span.wall_ns - begin_ns
            if took_ns >= window_ns:
                yield len(latencies) / took_ns * NS_PER_S, nearest_rank(latencies, Q)
                latencies, begin_ns = [], 0


def main() -> None:
    """One search in this process."""
    begin = perf_counter()
    found = SEARCHES[sys.argv[1]]()
    told = {"rate_per_s": found, "seconds": perf_counter() - begin}
    Path(sys.argv[2]).write_text(json.dumps(told), encoding="utf-8")


if __name__ == "__main__":
    main()
