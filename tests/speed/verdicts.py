"""How often *met* and *missed* are wrong, on simulated and on recorded processes: lines, and the tables behind."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from bench.units import show
from tests.judge.populations import KINDS, Population, simulated
from tests.judge.wrong import FACTORS, Answers, Judged, Tally, bound, drawn, in_order, worst
from tests.speed import counting_calls, recording
from tests.speed.lines import Line, Table

SEED, RUNS, PROCESSES, CALLS = 20260101, 2000, 2000, 2000
AT_MOST, BOUND = 0.01, 0.025
TARGET = "each ≤ 1 %, bound ≤ 2.5 %"
BY_LIMIT = "Wrong answers by limit, recorded processes"
DECIDED = "How many of the runs were decided, after how many processes, and of how many calls each (medians)"
RULES = ("votes", "calls counted", "early stopping")


@dataclass(frozen=True)
class Found:
    """One population: its tallies, and whether its runs are held to a target."""

    tallies: Sequence[Tally]
    held: bool
    at: str = ""
    """When it was recorded; empty for a simulated one."""

    @property
    def counts(self) -> bool:
        """Whether it is part of the table by limit: recorded, and drawn."""
        return self.held and bool(self.at)


def measure() -> list[Line | Table]:
    """Every population's lines, those of the promise that counts calls, then the tables."""
    recorded = recording.recordings()
    found = list(populations(recorded))
    lines = [line_of(tally, one.held) for one in found for tally in one.tallies]
    counted = counting_calls.lines([one for one, _ in recorded])
    return [*lines, *counted, by_limit(found), decided(found)]


def populations(recordings: Iterable[tuple[Population, str]]) -> Iterator[Found]:
    """The simulated kinds, then each recording: its processes drawn, and in the order in which they ran."""
    for name in KINDS:
        judged = Judged(simulated(name, PROCESSES, CALLS, SEED))
        yield Found(judged.tallies(drawn(PROCESSES, RUNS, SEED)), held=True)
    for recorded, at in recordings:
        judged, many = Judged(recorded), len(recorded.runs)
        yield Found(judged.tallies(drawn(many, RUNS, SEED)), held=True, at=at)
        yield Found(judged.tallies(in_order(many), f"{recorded.name}, in order"), held=False, at=at)


def line_of(tally: Tally, held: bool) -> Line:
    """The most wrong answers at any one limit, beside the rules that count.

    Ours with the bound that they leave, where runs are independent: those in order share their processes.
    """
    ours = worst(tally.votes)
    shares = {answer: (wrong / runs, bound(wrong, runs)) for answer, (wrong, runs) in ours.items()}
    bounds = {answer: f" (bound {told(most)})" if held else "" for answer, (_, most) in shares.items()}
    text = ", ".join(f"{answer} {told(share)}{bounds[answer]}" for answer, (share, _) in shares.items())
    calls = ", ".join(f"{answer} {told(wrong / runs)}" for answer, (wrong, runs) in worst(tally.calls).items())
    wrong, runs = worst(tally.early)["met"]
    theirs = f"calls counted: {calls}; early stopping: met {told(wrong / runs)}"
    kept = all(share <= AT_MOST and most <= BOUND for share, most in shares.values())
    return Line(_name(tally), text, theirs, None, TARGET if held else "none", kept if held else None)


def by_limit(found: Sequence[Found]) -> Table:
    """The share of wrong answers at each limit, both models and all percentiles together."""
    kept = [tally for one in found if one.counts for tally in one.tallies]
    rows = []
    for index, factor in enumerate(FACTORS):
        ways = [[getattr(tally, way)[index] for tally in kept] for way in ("votes", "calls", "early")]
        rows.append((f"{factor:g} ×", *(told(_share(way)) for way in ways)))
    return Table(BY_LIMIT, ("limit", *RULES), tuple(rows))


def decided(found: Sequence[Found]) -> Table:
    """For each line: what was true, and how far the votes got at each limit."""
    rows = []
    for one in found:
        when = f" ({one.at.replace('T', ' ').replace('+00:00', ' UTC')})" if one.at else ""
        for tally in one.tallies:
            truth = f"{show(tally.typical_ns, 'ns')} (pool {show(tally.pool_ns, 'ns')})"
            rows.append((f"{_name(tally)}{when}", truth, *(_reached(answers) for answers in tally.votes)))
    return Table(DECIDED, ("of", "typical process (pool)", *(f"{factor:g} ×" for factor in FACTORS)), tuple(rows))


def told(share: float) -> str:
    """A share as the page writes it: ``0.45 %``, ``41.2 %``."""
    return f"{share * 100:.2f} %" if share < AT_MOST else f"{share * 100:.1f} %"


def _name(tally: Tally) -> str:
    return f"{tally.population}: {tally.metric.removeprefix('latency ')}"


def _share(answers: Sequence[Answers]) -> float:
    return sum(one.wrong_met + one.wrong_missed for one in answers) / sum(one.runs for one in answers)


def _reached(answers: Answers) -> str:
    if answers.processes is None:
        return "0 %"
    return f"{answers.decided * 100:.0f} %, {answers.processes:.0f} × {answers.calls:,.0f}"
