"""What the two gamblers own after each vote, at limits below, at and above the truth: many runs each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import accumulate, pairwise

from bench.contract.scenario_words import ADAPTIVE
from bench.stats.sequential import ERROR_RATE, decide, evidence
from tests.docs.plots.canvas import BLUE, GREY, INK, ORANGE, WIDTH, Axis, Panel, Parts, Point, sheet, text
from tests.docs.plots.simulation import METRICS, runs, votes

RUNS, METRIC = 40, METRICS[0]
LIMITS = ((0.96, "4 % below the truth"), (1.0, "at the truth"), (1.1, "10 % above the truth"))
POOREST, RICHEST = 1e-3, 400
STAKES = [(1e-3, "1/1000"), (1e-2, "1/100"), (0.1, "1/10"), (1, "1"), (10, "10"), (100, "100")]
BETS = ((True, BLUE), (False, ORANGE))
SHADES = ((1, 0.3), (2, 0.6), (5, 1.0))
"""From so many runs on a step is drawn so dark."""
Step = tuple[Point, Point]


def draw() -> str:
    """Three panels; in each, every step that the stakes of any run took."""
    left, gap = 84, 28
    width = (WIDTH - left - 22 - 2 * gap) / 3
    found: Parts = [
        text((left, 24), "blue bets on met", BLUE, size=13),
        text((left + 150, 24), "orange bets on missed", ORANGE, size=13),
        text((left + 336, 24), f"dashed: at {1 / ERROR_RATE:.0f} it is decided", INK, size=13),
    ]
    for index, (factor, name) in enumerate(LIMITS):
        first = index == 0
        x = Axis(0, ADAPTIVE.high, [(at, str(at)) for at in range(0, ADAPTIVE.high + 1, 10)], "processes so far")
        y = Axis(POOREST, RICHEST, [(one, said if first else "") for one, said in STAKES], "stake" * first, log=True)
        panel = Panel(left + index * (width + gap), 88, width, 212, x, y)
        found += [*panel.axes(), text((panel.left, 58), f"limit {name}", bold=True, size=13)]
        found += [text((panel.left, 76), _told(ends(factor)), GREY), *_stakes(panel, factor)]
    return sheet(352, "Stakes of two gamblers, process by process, in 40 simulated runs at each of three limits", found)


def ends(factor: float) -> dict[str, int]:
    """How many of the runs at a limit end how."""
    answers = [decide(one).keeps for one in _runs(factor)]
    return {"met": answers.count(True), "missed": answers.count(False), "open": answers.count(None)}


def _runs(factor: float) -> list[list[bool | None]]:
    voted = votes(METRIC, factor)
    return [[voted[one] for one in row] for row in runs(RUNS, ADAPTIVE.high)]


def _stakes(panel: Panel, factor: float) -> Parts:
    """Runs share most of their steps: each is drawn once, the darker the more of them took it."""
    found, dots = [], []
    for answer, colour in BETS:
        taken: Counter[Step] = Counter()
        for said in _runs(factor):
            path = _stake(said[: decide(said).after], answer)
            taken.update(pairwise(path))
            if path[-1][1] >= 1 / ERROR_RATE:
                dots.append(panel.dots([path[-1]], colour, 6))
        for (least, opacity), most in zip(SHADES, (*(one for one, _ in SHADES[1:]), RUNS + 1), strict=True):
            steps = [step for step, many in taken.items() if least <= many < most]
            found.append(panel.steps(sorted(steps), colour, 1.2, opacity))
    return [*found, panel.level(1 / ERROR_RATE), *sorted(set(dots))]


def _told(ended: dict[str, int]) -> str:
    return f"{RUNS} runs: " + ", ".join(f"{many} {name}" for name, many in ended.items() if many)


def _stake(said: Sequence[bool | None], answer: bool) -> list[Point]:
    agreeing = [0, *accumulate(int(one is answer) for one in said)]
    return [(number, float(evidence(agree, number - agree))) for number, agree in enumerate(agreeing)]
