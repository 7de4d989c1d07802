"""LoadGen in its four scenarios, driving our adapter's session: what it reports, and its server's arrivals.

``python -m tests.speed.peers.four_scenarios SUBJECT SECONDS FILE`` writes the figures to FILE as JSON: scenario ->
figure -> ns. Offline's figure is the time a sample, one over its throughput. ``empty`` is what LoadGen reports of a
call that does nothing, in a test of its own: the driver's part.

In a test of their own, single- and multi-stream make the call again and again before they complete the query. ``cold``
is the first of these calls, which comes after LoadGen's own work, ``warm`` are the last, which come after the same
call: one thread, one process, one callback, one clock. What lies between them is what LoadGen's work does to the call.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import perf_counter_ns
from typing import Any

from bench import registry
from bench.device.adapter import Settings
from tests.speed.peers.mlperf import Driven, answering, server_settings, settings_for, told
from tests.speed.rounds import nearest_rank
from tests.speed.subjects import subject

SINGLE, MULTI, SERVER, OFFLINE = "SingleStream", "MultiStream", "Server", "Offline"
STREAMS, BATCH, RATE_PER_S = 8, 64, 1000.0
SAMPLES = 64
SAMPLES_A_CALL = {SINGLE: 1, MULTI: STREAMS, SERVER: 1, OFFLINE: BATCH}
NAMES = {"p50": "50.00", "p90": "90.00", "p99": "99.00"}
PER_SAMPLE, ARRIVALS = "time a sample", "arrivals"
EMPTY, COLD, WARM = "empty", "cold", "warm"
AGAIN, WARM_FROM = 16, 8
"""How often the call is made again, and from which time on it is warm: the first few times it still gets faster."""
OFFLINE_PER_S = {"tiny": 500_000, "digits": 100_000}
"""About how many samples a second there will be: LoadGen sizes its one query by it."""


class Timed:
    """Answers queries of one scenario, and notes how long each call of the session took."""

    def __init__(self, run: Callable[[Any], Any], staged: list[Any], samples: int) -> None:
        self.took_ns: list[int] = []
        self._run, self._staged, self._samples = run, staged, samples

    def __call__(self, indices: list[int]) -> None:
        run, staged = self._run, self._staged
        for at in range(0, len(indices), self._samples):
            query = staged[indices[at] // self._samples % len(staged)]
            begin = perf_counter_ns()
            run(query)
            self.took_ns.append(perf_counter_ns() - begin)


class Repeated(Timed):
    """Makes the call again, with the queries that come next, before LoadGen goes on."""

    def __init__(self, run: Callable[[Any], Any], staged: list[Any], samples: int) -> None:
        super().__init__(run, staged, samples)
        self.warm_ns: list[int] = []

    def __call__(self, indices: list[int]) -> None:
        super().__call__(indices)
        run, staged, at = self._run, self._staged, indices[0] // self._samples
        took = []
        for query in (staged[(at + turn) % len(staged)] for turn in range(1, 1 + AGAIN)):
            begin = perf_counter_ns()
            run(query)
            took.append(perf_counter_ns() - begin)
        self.warm_ns += took[WARM_FROM:]


def measure(name: str, seconds: float, folder: Path) -> dict[str, Any]:
    """Every scenario's figures (ns), and under ``arrivals`` those of its server: offsets from the first, ns."""
    raced, found = subject(name, folder), {}  # type: Any, dict[str, Any]
    session, library = registry.load("onnxruntime").open(raced.files(), Settings(threads=1)), raced.library()
    for scenario, samples in SAMPLES_A_CALL.items():
        staged = [session.stage(library.query(first, samples)) for first in range(0, SAMPLES, samples)]
        timed = Timed(session.run, staged, samples)
        empty = Timed(_nothing, staged, samples)
        found[scenario] = _figures(scenario, _driven(timed, scenario, seconds, name))
        driver = _figures(scenario, _driven(empty, scenario, seconds, name))
        found[scenario].update({f"{EMPTY} {figure}": ns for figure, ns in driver.items()})
        if scenario in (SINGLE, MULTI):
            repeated = Repeated(session.run, staged, samples)
            _driven(repeated, scenario, seconds, name)
            found[scenario].update(_percentiles(COLD, repeated.took_ns), **_percentiles(WARM, repeated.warm_ns))
    return {**found, ARRIVALS: _arrivals(seconds)}


def _driven(timed: Timed, scenario: str, seconds: float, name: str) -> str:
    """LoadGen's summary of one test, after a shorter one that warms up."""
    with Driven(answering(timed), SAMPLES) as driven:
        driven.summary(_settings(scenario, seconds / 5, name))
        timed.took_ns.clear()
        return driven.summary(_settings(scenario, seconds, name))


def _percentiles(what: str, took_ns: list[int]) -> dict[str, float]:
    return {f"{what} {name}": nearest_rank(took_ns, float(q) / 100) for name, q in NAMES.items()}


def _nothing(_: Any) -> None:
    """A call that takes no time."""


def _figures(scenario: str, summary: str) -> dict[str, float]:
    if scenario == OFFLINE:
        return {PER_SAMPLE: 1e9 / told(summary, "Samples per second")}
    return {name: told(summary, f"{percent} percentile latency (ns)") for name, percent in NAMES.items()}


def _settings(scenario: str, seconds: float, name: str) -> Any:
    if scenario == SERVER:
        return server_settings(seconds, RATE_PER_S, 1_000_000_000, 0.99)
    settings = settings_for(scenario, seconds, 100 if scenario != OFFLINE else 1)
    settings.single_stream_expected_latency_ns = settings.multi_stream_expected_latency_ns = 100_000
    settings.multi_stream_samples_per_query = STREAMS
    settings.offline_expected_qps = OFFLINE_PER_S[name]
    return settings


def _arrivals(seconds: float) -> list[int]:
    """When LoadGen's server issues to somebody who answers at once: its schedule, to a few microseconds."""
    seen: list[int] = []
    answer = answering(lambda _: seen.append(perf_counter_ns()))
    with Driven(answer, SAMPLES) as driven:
        driven.summary(server_settings(seconds, RATE_PER_S, 1_000_000_000, 0.99))
    return [one - seen[0] for one in seen]


def main() -> None:
    """One process of the contest."""
    with tempfile.TemporaryDirectory() as folder:
        found = measure(sys.argv[1], float(sys.argv[2]), Path(folder))
    Path(sys.argv[3]).write_text(json.dumps(found), encoding="utf-8")


if __name__ == "__main__":
    main()
