"""Time to a verdict: whole runs of the demo model, each with one limit 20 % off what was measured before.

What counts is measuring, the timed loop of all processes; what the processes need to get there stands beside it.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from bench.device import records
from bench.results import StoredRun
from bench.units import show
from tests.speed import contracts
from tests.speed.lines import Line, bounded
from tests.speed.outside import phases_ns
from tests.speed.subjects import subject

FIXED_NS, SHARE = 10_000_000_000, 5
PERCENTILES, FACTORS, ROUNDS = ("p50", "p99"), (0.8, 1.2), 3
START = (records.START, records.IMPORT, records.LOAD, records.FIRST_QUERY)
CHECKED = (records.WARM_UP, records.AUDIT)
BEFORE = "latency p50: 1 s, latency p99: 1 s, processes: 5, min time: 1 s, time: 1 s"


@dataclass(frozen=True)
class Verdict:
    """What one run took to its verdict."""

    measured_ns: int
    start_ns: int
    checked_ns: int
    processes: int
    outcome: str


def measure(rounds: int = ROUNDS, before: str = BEFORE) -> dict[tuple[str, float], list[Verdict]]:
    """The runs of each percentile and limit, in turns."""
    found: dict[tuple[str, float], list[Verdict]] = {}
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        figures = {one.metric: one for one in _run(folder, before).cases[0].figures}
        for _ in range(rounds):
            for name in PERCENTILES:
                own = [one for one in figures[f"latency {name}"].processes if one is not None]
                for factor in FACTORS:
                    limit = f"latency {name}: {factor * median(own) / 1000:.3f} us, processes: adaptive"
                    found.setdefault((name, factor), []).append(told(_run(folder, limit)))
    return found


def told(stored: StoredRun) -> Verdict:
    """What the run's processes took, phase by phase."""
    case = stored.cases[0]
    times = [phases_ns(stored, names) for names in ((records.MEASURE,), START, CHECKED)]
    return Verdict(times[0], times[1], times[2], len(case.process_runs), case.verdicts[0].outcome.value)


def lines(found: dict[tuple[str, float], list[Verdict]]) -> list[Line]:
    """One a percentile and limit: the median run."""
    most = FIXED_NS // SHARE
    made = []
    for (name, factor), runs in found.items():
        value = median(one.measured_ns for one in runs)
        outcomes = ", ".join(sorted({one.outcome for one in runs}))
        text = (
            f"{show(value, 'ns')} ({outcomes}, {median(one.processes for one in runs):g} processes; their start "
            f"{show(median(one.start_ns for one in runs), 'ns')}, warm-up and audit "
            f"{show(median(one.checked_ns for one in runs), 'ns')})"
        )
        decided = all(one.outcome in ("met", "missed") for one in runs)
        what = f"digits, {name}, a limit of {factor:g} × what was measured before"
        made.append(bounded(what, text, f"≤ {show(most, 'ns')}, decided", decided and value <= most))
    return made


def _run(folder: Path, scenario: str) -> StoredRun:
    contract = contracts.write(folder, subject("digits", folder), {"ort": "onnxruntime"}, scenario)
    return contracts.run(contract).stored
