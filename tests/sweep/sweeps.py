"""Sweeps written by hand, as a run would have stored them; nothing measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from bench.results import Block, CaseResult, Figure, Outcome, ProcessRun, Serving, StoredRun, Verdict
from bench.sweep.axes import parse
from bench.sweep.configurations import Configuration, named, written
from tests.report.example import case, run, verdict

MS, MIB = 1e6, 1 << 20
UNITS = {"throughput": "per_s", "peak memory": "bytes"}
Values = Mapping[str, float | None]


def figure(metric: str, value: float | None, why: str = "the process crashed") -> Figure:
    return Figure(metric, UNITS.get(metric, "ns"), value, count=100, why_not="" if value is not None else why)


def judged(scenario: str, metric: str, value: float | None, limit: float, outcome: Outcome | None = None) -> Verdict:
    """Met or missed by the value, unless an outcome is given."""
    direction = "at least" if metric == "throughput" else "at most"
    if outcome is None:
        kept = value is not None and (value <= limit if direction == "at most" else value >= limit)
        outcome = Outcome.NOT_MEASURED if value is None else Outcome.MET if kept else Outcome.MISSED
    return verdict(scenario, figure(metric, value), direction, limit, str(limit), outcome, f"because {outcome.value}")


def measured(name: str, scenario: str, values: Values, verdicts: Sequence[Verdict], threads: int) -> CaseResult:
    """A case of the configuration called ``name`` with these figures."""
    slug = name.replace(" ", "-").replace("=", "-")
    figures = tuple(figure(metric, value) for metric, value in values.items())
    fields = {"case": f"{slug}.{scenario}", "figures": figures, "settings": {"threads": threads, "batch": 1}}
    return case(name, "onnxruntime", scenario, tuple(verdicts), **fields)


def overloaded(rate: float) -> tuple[ProcessRun, ...]:
    """A process whose every query took twice the time that the rate left."""
    busy = int(2e9 / rate)
    blocks = tuple(Block(10, 10, at, busy * 10, 0, busy * 10, 40) for at in range(4))
    serving = Serving(rate, "poisson", 1, 7, 3, 100, 200)
    return (ProcessRun(0, blocks=blocks, serving=serving, timings_count=40),)


def sweep(words: Sequence[str], *cases: CaseResult, target: str = "ort-1", missing: Sequence[str] = ()) -> StoredRun:
    """The run of these cases, its configurations all combinations of the axes; parts are found by name."""
    axes = parse(words)
    combined: list[dict[str, int | float]] = [{}]
    for axis in axes:
        combined = [{**one, axis.name: value} for one in combined for value in axis.values]
    names = {one.target for one in cases}
    configurations = []
    for values in combined:
        setup = {name: value for name, value in values.items() if name in ("threads", "streams")}
        possible = [named(target, setup), named(target, values)]
        parts = tuple(name for name in dict.fromkeys(possible) if name in names)
        configurations.append(Configuration(target, values, parts))
    stored = run(*cases, missing=tuple(missing))
    return replace(stored, info=replace(stored.info, options={"sweep": written(axes, configurations)}))


def batches(*, p99_limit: float = 5 * MS) -> StoredRun:
    """Two thread counts and three batch sizes: one configuration is beaten, and the largest batch is too slow."""
    cases = []
    for threads in (1, 2):
        for batch in (1, 8, 64):
            p99, rate, memory = batch * MS / threads, 1000.0 * batch**0.5, (60 + batch) * MIB
            if (threads, batch) == (2, 1):
                p99, rate = 3 * MS, 900.0
            values = {"latency p50": p99 / 2, "latency p99": p99, "throughput": rate, "peak memory": memory}
            asked = [judged("offline", "latency p99", p99, p99_limit), judged("offline", "throughput", rate, 500)]
            cases.append(measured(f"ort-1 threads={threads} batch={batch}", "offline", values, asked, threads))
    return sweep(["threads=1,2", "batch=1,8,64"], *cases)


def rates(limit: float = 20 * MS) -> StoredRun:
    """Four rates, the last of which cannot be kept."""
    cases = []
    for rate, p50 in ((100, 1 * MS), (200, 1.2 * MS), (400, 4 * MS), (800, 900 * MS)):
        values = {"latency p50": p50, "latency p90": 2 * p50, "latency p99": 4 * p50, "throughput": min(rate, 500.0)}
        asked = [judged("server", "latency p99", 4 * p50, limit)]
        one = measured(f"ort-1 rate={rate}", "server", {**values, "peak memory": 60 * MIB}, asked, 1)
        cases.append(replace(one, process_runs=overloaded(rate)) if rate == 800 else one)
    return sweep(["rate=100..800"], *cases)
