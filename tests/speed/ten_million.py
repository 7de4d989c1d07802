"""A case with ten million timings, really measured on the null backend: memory, and time to judge and report.

The null backend's latencies take few values, which would make judging easy, so they are judged once more
as a model's: spread over a wide range, and drifting.
"""

from __future__ import annotations

import contextlib
import io
import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter_ns

import numpy as np

from bench.device import memory
from bench.store import load_timings
from tests.speed import contracts
from tests.speed.subjects import subject

QUERIES = 10_000_000


@dataclass(frozen=True)
class Large:
    """What the large case cost: highest resident memory of the run and of judging it again, and seconds."""

    run_bytes: int
    judge_bytes: int
    summary_s: float
    report_s: float


def measure(queries: int = QUERIES) -> Large:
    """Measure the case by ``benchpact run``, then judge and report it again in a fresh process."""
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        budget = f"processes: 1, min time: 60 s, time: 60 s, queries: {queries}, calls per timing: 1"
        limits = "latency mean: 1 us, latency p50: 1 us, latency p99: 1 us, latency p99.9: 1 ms, throughput: 1/s"
        contract = contracts.write(folder, subject("tiny", folder), {"harness": "null"}, f"{limits}, {budget}")
        run = contracts.run(contract)
        spread_out(run)
        into = folder / "again.json"
        command = [sys.executable, "-m", "tests.speed.ten_million", str(contract), str(run.folder), str(into)]
        subprocess.run(command, check=True)
        again = json.loads(into.read_text(encoding="utf-8"))
        if again["count"] != queries:
            raise RuntimeError(f"the run has {again['count']} timings, not {queries}")
        return Large(run.peak_rss_bytes, again["peak_bytes"], again["summary_s"], again["report_s"])


def spread_out(run: contracts.Finished) -> None:
    """Put a model's latencies, about 1 ms each, in the place of the run's own."""
    name = run.stored.cases[0].process_runs[0].timings
    assert name is not None
    count, drift = len(load_timings(run.folder, name)), 1000
    rng = np.random.default_rng(0)
    steps = np.repeat(rng.normal(0, 0.1, -(-count // drift)), drift)[:count]
    latencies = 1e6 * np.exp(steps + rng.normal(0, 0.3, count))
    np.save(run.folder / "cases" / name, latencies.astype("<u8"))


def main() -> None:
    """Judge and report a stored run: ``python -m tests.speed.ten_million CONTRACT RUN FILE``."""
    from bench.commands.report import report_run
    from bench.contract.load import load
    from bench.judge.case import judge_case
    from bench.plan import plan
    from bench.store import open_run

    contract, folder = load(Path(sys.argv[1])), Path(sys.argv[2])
    stored = open_run(folder, folder.parent)
    case, process_runs = plan(contract).cases[0], stored.cases[0].process_runs
    begin = perf_counter_ns()
    judge_case(case, contract, process_runs, lambda one: load_timings(folder, str(one.timings)), None)
    judged = perf_counter_ns()
    with contextlib.redirect_stdout(io.StringIO()):
        report_run(str(folder), folder.parent, "console", None, True)
    reported = perf_counter_ns()
    found = {
        "count": sum(one.timings_count for one in process_runs),
        "summary_s": (judged - begin) / 1e9,
        "report_s": (reported - judged) / 1e9,
        "peak_bytes": memory.resident().peak_bytes,
    }
    Path(sys.argv[3]).write_text(json.dumps(found), encoding="utf-8")


if __name__ == "__main__":
    main()
