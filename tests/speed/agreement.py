"""Lines that are kept where two figures agree, and how their targets are read back from the page."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean, stdev

from bench.metrics import Unit
from bench.stats import CONFIDENCE
from bench.stats.distributions import student_t
from bench.units import parse, show
from tests.speed.lines import Line, middle
from tests.speed.rounds import ratio

WITHIN = 0.05
NOT_MEASURED = "not measured"
NEAR = re.compile(r"± ([0-9.]+) %(?:, (.+) in \[ \])?")
ABOVE = re.compile(r"≤ (.+) above theirs")
MEET = re.compile(r"\[ \] meet, (.+) off theirs")
TIME_OR_RATE = re.compile(r"([0-9][0-9.]*|[0-9]{1,3}(?: [0-9]{3})+)( (?:ns|µs|ms|s)\b| ?[kMG]?/s\b)")
ROUNDED = 0.006
"""A quantity on the page has three digits: it may stand for one that is so much more or less."""
HALF_A_DIGIT = 0.0005


@dataclass(frozen=True)
class Told:
    """A figure (ns, or a rate) with its interval, and what each process gave."""

    value: float
    low: float
    high: float
    processes: tuple[float, ...]

    def text(self, unit: Unit = "ns") -> str:
        """As the page has it."""
        return f"{show(self.value, unit)} [{show(max(0.0, self.low), unit)}, {show(self.high, unit)}]"

    def less(self, constant: float) -> Told:
        """The same with a constant taken off."""
        rest = tuple(one - constant for one in self.processes)
        return Told(self.value - constant, self.low - constant, self.high - constant, rest)


def of_processes(values: Sequence[float]) -> Told:
    """The middle process, and Student's interval over the processes, widened to hold each of them."""
    half = student_t(len(values) - 1, CONFIDENCE) * stdev(values) / math.sqrt(len(values)) if len(values) > 1 else 0.0
    low, high = min(mean(values) - half, *values), max(mean(values) + half, *values)
    return Told(middle(values), low, high, tuple(values))


def near(
    what: str,
    ours: Told | None,
    theirs: Told,
    expected: float | None = None,
    *,
    unit: Unit = "ns",
    within: float | None = WITHIN,
) -> Line:
    """Kept if the middle process's ratio to theirs is within 5 %, and ``expected`` lies in our interval."""
    target = "none" if within is None else f"± {within * 100:g} %"
    if expected is not None:
        target = f"{target}, {show(expected, unit)} in [ ]"
    if ours is None:
        return Line(what, NOT_MEASURED, "", None, target, None if within is None else False)
    found = ratio(ours.processes, theirs.processes)
    kept = None
    if within is not None:
        kept = abs(found.value - 1) <= within and (expected is None or ours.low <= expected <= ours.high)
    return Line(what, ours.text(unit), show(theirs.value, unit), found, target, kept)


def above(what: str, ours: Told | None, theirs_ns: float, most_ns: float) -> Line:
    """Where theirs is next to nothing, and a ratio would say nothing: kept if ours is not much above it."""
    target = f"≤ {show(most_ns, 'ns')} above theirs"
    if ours is None:
        return Line(what, NOT_MEASURED, "", None, target, False)
    return Line(what, ours.text(), show(theirs_ns, "ns"), None, target, ours.value - theirs_ns <= most_ns)


def meet(what: str, ours: Told, theirs: Told, off_ns: float) -> Line:
    """Kept if the two intervals have something in common once ``off_ns`` is taken off theirs."""
    kept = ours.low <= theirs.high - off_ns and theirs.low - off_ns <= ours.high
    found = ratio(ours.processes, theirs.processes)
    return Line(what, ours.text(), theirs.text(), found, f"[ ] meet, {show(off_ns, 'ns')} off theirs", kept)


def quantities(text: str) -> list[float]:
    """Every time (ns) and rate (1/s) in the text, in order."""
    matches = TIME_OR_RATE.finditer(text)
    return [parse(one[0].strip(), "per_s" if one[2].endswith("/s") else "ns") for one in matches]


def answers(ours: str, theirs: str, middle_ratio: float | None, target: str) -> set[bool] | None:
    """Whether the target is kept by what is printed: both where rounding hides it; None for another kind of target."""
    if ours == NOT_MEASURED:
        return {False} if target != "none" else None
    told, other = quantities(ours), quantities(theirs)
    if (match := NEAR.fullmatch(target)) and middle_ratio is not None:
        off, most = abs(middle_ratio - 1), float(match[1]) / 100
        inside = _holds(told, quantities(match[2])[0]) if match[2] else {True}
        return {(off <= most + slack) and one for slack in (-HALF_A_DIGIT, HALF_A_DIGIT) for one in inside}
    if match := ABOVE.fullmatch(target):
        most, slack = quantities(match[1])[0], ROUNDED * (told[0] + other[0])
        return {told[0] - other[0] <= most + one for one in (-slack, slack)}
    if match := MEET.fullmatch(target):
        off, slack = quantities(match[1])[0], ROUNDED * (told[2] + other[2])
        return {told[1] <= other[2] - off + one and other[1] - off <= told[2] + one for one in (-slack, slack)}
    return None


def _holds(told: Sequence[float], expected: float) -> set[bool]:
    low, high = told[1:3]
    slack = ROUNDED * (expected + high)
    return {low <= expected + one and expected <= high + one for one in (-slack, slack)}
