"""Time to a verdict: whole runs of the demo model and of a device that takes 1 ms, each with one limit 20 % off.

What counts is measuring, the timed loop of all processes; what the processes need to get there stands beside it. The
limit is so far off what was measured right before, in each round anew: a machine is not as quick all the time.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from bench.device import records
from bench.judge.stop import FIRST_VOTE_NS, FOUNDED
from bench.results import StoredRun
from bench.stats.pool import needed
from bench.stats.sequential import fewest
from bench.units import show
from tests.speed import contracts
from tests.speed.lines import Line, bounded
from tests.speed.outside import phases_ns
from tests.speed.subjects import subject
from tests.speed.under_load import runs
from tests.speed.under_load.runs import SERVICE_NS

FIXED_NS, SHARE = 10_000_000_000, 5
DIGITS, DEVICE = "digits", f"a device of {show(SERVICE_NS, 'ns')}"
SUBJECTS = (DIGITS, DEVICE)
PERCENTILES, FACTORS, ROUNDS = {"p50": 0.5, "p99": 0.99}, (0.8, 1.2), 3
START = (records.START, records.IMPORT, records.LOAD, records.FIRST_QUERY)
CHECKED = (records.WARM_UP, records.AUDIT)
BEFORE = "latency p50: 1 s, latency p99: 1 s, processes: 5, min time: 1 s, time: 1 s"


@dataclass(frozen=True)
class Asked:
    """A limit ``factor`` times what was measured before, of one percentile of one subject."""

    subject: str
    percentile: str
    factor: float

    @property
    def calls(self) -> int:
        """The fewest of one process; 0 where any number will do."""
        q = PERCENTILES[self.percentile]
        return FOUNDED * needed(q) if q > 0.5 and self.factor > 1 else 0

    @property
    def least_ns(self) -> int:
        """The least time that as many processes take as decide, of a subject whose calls take a known time."""
        service_ns = SERVICE_NS if self.subject == DEVICE else 0
        return fewest() * max(FIRST_VOTE_NS, self.calls * service_ns)


@dataclass(frozen=True)
class Verdict:
    """What one run took to its verdict."""

    measured_ns: int
    start_ns: int
    checked_ns: int
    processes: int
    outcome: str


def measure(rounds: int = ROUNDS, before: str = BEFORE) -> dict[Asked, list[Verdict]]:
    """The runs of each subject, percentile and limit, in turns."""
    found: dict[Asked, list[Verdict]] = {}
    for name in SUBJECTS:
        for _ in range(rounds):
            figures = {one.metric: one for one in _run(name, before).cases[0].figures}
            for percentile in PERCENTILES:
                own = [one for one in figures[f"latency {percentile}"].processes if one is not None]
                for factor in FACTORS:
                    limit = f"latency {percentile}: {factor * median(own) / 1000:.3f} us, processes: adaptive"
                    found.setdefault(Asked(name, percentile, factor), []).append(told(_run(name, limit)))
    return found


def told(stored: StoredRun) -> Verdict:
    """What the run's processes took, phase by phase."""
    case = stored.cases[0]
    times = [phases_ns(stored, names) for names in ((records.MEASURE,), START, CHECKED)]
    return Verdict(times[0], times[1], times[2], len(case.process_runs), case.verdicts[0].outcome.value)


def lines(found: dict[Asked, list[Verdict]]) -> list[Line]:
    """One a limit: the median run. What cannot be as soon as the target, however it is decided, has none."""
    return [line_of(asked, verdicts) for asked, verdicts in found.items()]


def line_of(asked: Asked, verdicts: list[Verdict]) -> Line:
    """The line of one limit."""
    most, value = FIXED_NS // SHARE, median(one.measured_ns for one in verdicts)
    outcomes = ", ".join(sorted({one.outcome for one in verdicts}))
    text = (
        f"{show(value, 'ns')} ({outcomes}, {median(one.processes for one in verdicts):g} processes; their start "
        f"{show(median(one.start_ns for one in verdicts), 'ns')}, warm-up and audit "
        f"{show(median(one.checked_ns for one in verdicts), 'ns')})"
    )
    what = f"{asked.subject}, {asked.percentile}, a limit of {asked.factor:g} × what was measured before"
    if asked.least_ns > most:
        why = f"no sooner than {show(asked.least_ns, 'ns')}: {fewest()} × {asked.calls:,} calls"
        return Line(what, f"{text}; {why}", "", None, "none", None)
    decided = all(one.outcome in ("met", "missed") for one in verdicts)
    return bounded(what, text, f"≤ {show(most, 'ns')}, decided", decided and value <= most)


def _run(name: str, scenario: str) -> StoredRun:
    if name == DEVICE:
        with runs.ran({"device": runs.target(runs.SPINNING, f"single-stream: {{{scenario}}}")}) as run:
            return run.stored
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        contract = contracts.write(folder, subject(name, folder), {"ort": "onnxruntime"}, scenario)
        return contracts.run(contract).stored
