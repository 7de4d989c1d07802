"""Named sets of a scenario's words: MLPerf Inference's own rules, for who compares with its figures.

Sources: *MLPerf Inference Rules*, section "Scenarios" and appendix "Early Stopping Criterion", as of 2026-07-23
(mlcommons/inference_policies, commit ac93e89); LoadGen 6.0.17's ``mlperf.conf`` (mlcommons/inference, commit b66003e).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from bench import units
from bench.contract.model import ScenarioSettings
from bench.stats.early_stopping import fewest_single_stream, needed_within

MLPERF = "mlperf"
LONG_NS = 600_000_000_000
"""The least duration of every scenario."""
PERCENTILES: Mapping[str, float] = {"single-stream": 0.9, "multi-stream": 0.99, "server": 0.99}
"""Of the early-stopping estimate, or of the queries that must be within the latency."""
STREAMS = 8
SAMPLES: Mapping[str, int] = {
    "single-stream": fewest_single_stream(0.9),
    "multi-stream": STREAMS * fewest_single_stream(0.99),
    "server": needed_within(0, 0.99),
    "offline": 24_576,
}
"""The fewest: what early stopping needs (64 queries, 662 queries of 8, 459 queries); offline the rules' own number."""
SOURCE = "MLPerf Inference Rules of 2026-07-23, LoadGen 6.0.17"
NOT_MLPERF = "benchpact issues the queries, not LoadGen; no accuracy run by LoadGen, no compliance tests"
SET = ("processes", "time", "min time", "queries", "calls per timing")
"""The words that a preset says: a target's preset goes before a common one of these."""


def with_preset(usual: ScenarioSettings, preset: str | None, rate_per_s: float = 0.0) -> ScenarioSettings:
    """What holds where the contract says nothing else: ``usual``, or what the preset has instead."""
    if preset is None:
        return usual
    scenario = usual.scenario
    long_ns = LONG_NS if not rate_per_s else max(LONG_NS, int(SAMPLES["server"] * 1e9 / rate_per_s))
    return replace(
        usual, processes=1, min_ns=LONG_NS, max_ns=long_ns, preset=preset, calls_per_timing=1,
        must_samples=0 if scenario == "server" else SAMPLES[scenario],
    )  # fmt: skip


def rules(scenario: str) -> str:
    """One line: which rules the preset stands for."""
    least = SAMPLES[scenario]
    words = {
        "single-stream": f"at least {least} queries, early-stopping estimate of p90",
        "multi-stream": f"at least {least // STREAMS} queries of {STREAMS} samples, early-stopping estimate of p99",
        "server": f"Poisson arrivals, p99 within its limit by early stopping, which takes at least {least} queries",
        "offline": f"at least {least:,} samples, throughput",
    }
    return f"one process, at least {LONG_NS // 10**9} s, {words[scenario]} ({SOURCE}); {NOT_MLPERF}"


def departures(settings: ScenarioSettings) -> str:
    """What the contract says otherwise than the rules; "" where it says nothing."""
    found = []
    if settings.min_ns < LONG_NS:
        found.append(f"at least {units.show(settings.min_ns, 'ns')}, not {units.show(LONG_NS, 'ns')}")
    if settings.processes != 1:
        found.append(f"{settings.processes} processes, not 1")
    samples = {"single-stream": 1, "multi-stream": STREAMS, "server": 1}.get(settings.scenario, settings.batch)
    if settings.batch != samples:
        found.append(f"{settings.batch} samples a query, not {samples}")
    if settings.calls_per_timing != 1:
        found.append("calls timed in groups, not one by one")
    if settings.scenario == "server" and settings.arrivals != "poisson":
        found.append(f"arrivals: {settings.arrivals}, not poisson")
    return ", ".join(found)
