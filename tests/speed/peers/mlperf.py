"""MLPerf LoadGen from Python, single-stream, on the same bound session as the hand-written loop."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from tests.speed.peers.by_hand import ort_bindings, ort_session
from tests.speed.rounds import Side
from tests.speed.subjects import Subject

MEDIAN = "50.00 percentile latency (ns)"


def loadgen(subject: Subject) -> Side:
    """The median of LoadGen's own summary, in ns."""
    import mlperf_loadgen as lg  # type: ignore[import-not-found]

    session = ort_session(subject)
    bindings = ort_bindings(session, subject)
    run, complete, response = session.run_with_iobinding, lg.QuerySamplesComplete, lg.QuerySampleResponse

    def issue(samples: Any) -> None:
        for sample in samples:
            run(bindings[sample.index])
            complete([response(sample.id, 0, 0)])

    sut = lg.ConstructSUT(issue, lambda: None)
    library = lg.ConstructQSL(subject.samples, subject.samples, lambda _: None, lambda _: None)

    def side(seconds: float) -> float:
        settings = lg.TestSettings()
        settings.scenario, settings.mode = lg.TestScenario.SingleStream, lg.TestMode.PerformanceOnly
        settings.single_stream_expected_latency_ns = 10_000
        settings.min_duration_ms, settings.min_query_count = int(seconds * 1000), 100
        with tempfile.TemporaryDirectory() as folder:
            log = lg.LogSettings()
            log.enable_trace = False
            log.log_output.outdir = folder
            log.log_output.copy_summary_to_stdout = False
            lg.StartTestWithLogSettings(sut, library, settings, log)
            return _median_ns(Path(folder, "mlperf_log_summary.txt").read_text(encoding="utf-8"))

    return side


def _median_ns(summary: str) -> float:
    for line in summary.splitlines():
        name, _, value = line.partition(":")
        if name.strip() == MEDIAN:
            return float(value)
    raise ValueError(f"LoadGen's summary has no `{MEDIAN}`:\n{summary}")
