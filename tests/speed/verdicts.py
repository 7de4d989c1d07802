"""How often *met* and *missed* are wrong, on simulated and on recorded processes: lines, and the tables behind."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from bench.units import show
from tests.judge import by_pool
from tests.judge.populations import HARSH, KINDS, Population, memories, simulated
from tests.judge.wrong import (
    AVERAGES,
    FACTORS,
    METRICS,
    Answers,
    Judged,
    Tally,
    at_the_truth,
    bound,
    drawn,
    in_order,
    worst,
)
from tests.speed import counting_calls, recording
from tests.speed.lines import Line, Table

SEED, RUNS, PROCESSES, CALLS = 20260101, 2000, 2000, 2000
FEWER = 1000
"""Simulated processes of each kind for all but the default's percentiles: as many runs, in half the time."""
AT_MOST, BOUND = 0.01, 0.025
TARGET = "each ≤ 1 %, bound ≤ 2.5 %"
BY_LIMIT = "Wrong answers by limit, recorded processes"
DECIDED = "How many of the runs were decided, after how many processes, and of how many calls each (medians)"
SIDES = "How the processes vote at the truth"
MEMORY = "peak memory"
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
    """Every population's lines, those of what is no percentile, of the other two promises, then the tables."""
    recorded = recording.recordings()
    made = {name: simulated(name, PROCESSES, CALLS, SEED) for name in (*KINDS, *HARSH)}
    found = list(populations([made[name] for name in KINDS], recorded))
    lines = [line_of(tally, one.held) for one in found for tally in one.tallies]
    every = [*(fewer(one) for one in made.values()), *(one for one, _ in recorded)]
    others = [(name, answers) for one in every for name, answers in beside(one)] + [held_memory()]
    lines += [held_line(name, answers) for name, answers in others]
    lines += [held_line(f"pool of calls, {name}", answers) for one in every for name, answers in pooled(one)]
    counted = counting_calls.lines([one for one, _ in recorded])
    return [*lines, *counted, by_limit(found), decided(found), sides(found, others)]


def populations(made: Iterable[Population], recordings: Iterable[tuple[Population, str]]) -> Iterator[Found]:
    """The simulated kinds, then each recording: its processes drawn, and in the order in which they ran."""
    for population in made:
        yield Found(Judged(population).tallies(drawn(PROCESSES, RUNS, SEED)), held=True)
    for recorded, at in recordings:
        judged, many = Judged(recorded), len(recorded.runs)
        yield Found(judged.tallies(drawn(many, RUNS, SEED)), held=True, at=at)
        yield Found(judged.tallies(in_order(many), f"{recorded.name}, in order"), held=False, at=at)


def fewer(population: Population) -> Population:
    """Its first processes."""
    return Population(population.name, population.runs[:FEWER], population.timings[:FEWER])


def beside(population: Population) -> Iterator[tuple[str, Answers]]:
    """Votes on what is no percentile, with the limit at the truth; of harsh bursts on percentiles as well."""
    metrics = (*METRICS, *AVERAGES) if population.name in HARSH else AVERAGES
    draws = drawn(len(population.runs), RUNS, SEED)
    for metric, answers in at_the_truth(population, metrics, draws).items():
        yield named(population.name, metric), answers


def held_memory() -> tuple[str, Answers]:
    """Votes on what each process holds, with the limit at the truth."""
    held = memories(PROCESSES, SEED)
    (answers,) = at_the_truth(held, [MEMORY], drawn(PROCESSES, RUNS, SEED)).values()
    return named(held.name, MEMORY), answers


def pooled(population: Population) -> Iterator[tuple[str, Answers]]:
    """Bets on the pool of all calls, with the limit at the pool's own percentile."""
    for metric in METRICS:
        draws = drawn(len(population.runs), RUNS, SEED, by_pool.MOST[metric])
        yield named(population.name, metric), by_pool.at_the_truth(population, metric, draws)


def line_of(tally: Tally, held: bool) -> Line:
    """The most wrong answers at any one limit, beside the rules that count.

    Ours with the bound that they leave, where runs are independent: those in order share their processes.
    """
    text, kept = wrong_of(tally.votes, held)
    calls = ", ".join(f"{answer} {told(wrong / runs)}" for answer, (wrong, runs) in worst(tally.calls).items())
    wrong, runs = worst(tally.early)["met"]
    theirs = f"calls counted: {calls}; early stopping: met {told(wrong / runs)}"
    return Line(_name(tally), text, theirs, None, TARGET if held else "none", kept if held else None)


def held_line(name: str, answers: Answers) -> Line:
    """One line without another rule beside it."""
    text, kept = wrong_of([answers], held=True)
    return Line(name, text, "", None, TARGET, kept)


def wrong_of(answers: Sequence[Answers], held: bool) -> tuple[str, bool]:
    """The most wrong answers of each kind, with their bounds where runs are held to a target; whether they keep it."""
    shares = {answer: (wrong / runs, bound(wrong, runs)) for answer, (wrong, runs) in worst(answers).items()}
    bounds = {answer: f" (bound {told(most)})" if held else "" for answer, (_, most) in shares.items()}
    text = ", ".join(f"{answer} {told(share)}{bounds[answer]}" for answer, (share, _) in shares.items())
    return text, all(share <= AT_MOST and most <= BOUND for share, most in shares.values())


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


def sides(found: Sequence[Found], others: Sequence[tuple[str, Answers]]) -> Table:
    """Which share of all processes votes within the limit, and outside, where the limit is the truth."""
    at = FACTORS.index(1.0)
    votes = [(_name(tally), tally.votes[at]) for one in found if one.held for tally in one.tallies]
    rows = [
        (name, *(f"{share * 100:.1f} %" for share in (one.within, one.outside, 1 - one.within - one.outside)))
        for name, one in (*votes, *others)
    ]
    return Table(SIDES, ("of", "within", "outside", "cannot tell"), tuple(rows))


def told(share: float) -> str:
    """A share as the page writes it: ``0.45 %``, ``41.2 %``."""
    return f"{share * 100:.2f} %" if share < AT_MOST else f"{share * 100:.1f} %"


def _name(tally: Tally) -> str:
    return named(tally.population, tally.metric)


def named(population: str, metric: str) -> str:
    """What a line is called."""
    return f"{population}: {metric.removeprefix('latency ')}"


def _share(answers: Sequence[Answers]) -> float:
    return sum(one.wrong_met + one.wrong_missed for one in answers) / sum(one.runs for one in answers)


def _reached(answers: Answers) -> str:
    if answers.processes is None:
        return "0 %"
    return f"{answers.decided * 100:.0f} %, {answers.processes:.0f} × {answers.calls:,.0f}"
