"""MLPerf LoadGen from Python: on the hand-written loop's bound session, and on our adapter's.

The first is the peer as its users write it. The second differs from benchpact in nothing but the driver: what lies
between the two is the model's call, what lies between it and benchpact is the loop.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench import registry
from bench.device.adapter import Settings
from tests.speed.peers.by_hand import ort_bindings, ort_session
from tests.speed.rounds import Side
from tests.speed.subjects import Subject

MEDIAN = "50.00 percentile latency (ns)"


class Driven:
    """LoadGen with a system under test; a context manager. ``issue`` is called with a query's samples."""

    def __init__(self, issue: Callable[[Any], None], count: int) -> None:
        import mlperf_loadgen as lg  # type: ignore[import-not-found]

        self._lg = lg
        self._sut = lg.ConstructSUT(issue, lambda: None)
        self._library = lg.ConstructQSL(count, count, lambda _: None, lambda _: None)

    def summary(self, settings: Any) -> str:
        """One test, and what LoadGen says of it."""
        with tempfile.TemporaryDirectory() as folder:
            log = self._lg.LogSettings()
            log.enable_trace = False
            log.log_output.outdir = folder
            log.log_output.copy_summary_to_stdout = False
            self._lg.StartTestWithLogSettings(self._sut, self._library, settings, log)
            return Path(folder, "mlperf_log_summary.txt").read_text(encoding="utf-8")

    def __enter__(self) -> Driven:
        return self

    def __exit__(self, *_: object) -> None:
        self._lg.DestroySUT(self._sut)
        self._lg.DestroyQSL(self._library)


def settings_for(scenario: str, seconds: float, queries: int = 1) -> Any:
    """LoadGen's settings for a performance run of at least so long and so many queries."""
    import mlperf_loadgen as lg

    settings = lg.TestSettings()
    settings.scenario, settings.mode = getattr(lg.TestScenario, scenario), lg.TestMode.PerformanceOnly
    settings.min_duration_ms, settings.min_query_count = int(seconds * 1000), queries
    return settings


def server_settings(seconds: float, rate_per_s: float, limit_ns: int, q: float, queries: int = 1) -> Any:
    """… for a server run at a rate, with a percentile that must be within a limit."""
    settings = settings_for("Server", seconds, queries)
    settings.server_target_qps, settings.schedule_rng_seed = rate_per_s, 20260101
    settings.server_target_latency_ns, settings.server_target_latency_percentile = limit_ns, q
    return settings


def answering(run: Callable[[list[int]], Any]) -> Callable[[Any], None]:
    """What LoadGen calls to have a query answered as a whole; ``run`` gets the indices of its samples."""
    import mlperf_loadgen as lg

    complete, response = lg.QuerySamplesComplete, lg.QuerySampleResponse

    def issue(samples: Any) -> None:
        run([sample.index for sample in samples])
        complete([response(sample.id, 0, 0) for sample in samples])

    return issue


def loadgen(subject: Subject) -> Side:
    """LoadGen driving the framework's public call."""
    session = ort_session(subject)
    return _driven(session.run_with_iobinding, ort_bindings(session, subject))


def loadgen_on_ours(subject: Subject) -> Side:
    """LoadGen driving our adapter's ``run``, on queries that it staged."""
    session = registry.load("onnxruntime").open(subject.files(), Settings(threads=1))
    library = subject.library()
    return _driven(session.run, [session.stage(library.query(first, 1)) for first in range(subject.samples)])


def _driven(run: Callable[[Any], Any], queries: list[Any]) -> Side:
    """The median of LoadGen's own summary, in ns."""
    import mlperf_loadgen as lg

    complete, response = lg.QuerySamplesComplete, lg.QuerySampleResponse

    def issue(samples: Any) -> None:
        for sample in samples:
            run(queries[sample.index])
            complete([response(sample.id, 0, 0)])

    driven = Driven(issue, len(queries))

    def side(seconds: float) -> float:
        settings = settings_for("SingleStream", seconds, 100)
        settings.single_stream_expected_latency_ns = 10_000
        return told(driven.summary(settings), MEDIAN)

    return side


def told(summary: str, wanted: str) -> float:
    """The number that the summary has under this name."""
    for line in summary.splitlines():
        name, _, value = line.partition(":")
        if name.strip() == wanted:
            return float(value)
    raise ValueError(f"LoadGen's summary has no `{wanted}`:\n{summary}")
