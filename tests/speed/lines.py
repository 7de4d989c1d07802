"""What a line of the result is, and how figures become lines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bench.units import show
from tests.speed.rounds import Ratio, nearest_rank, ratio


@dataclass(frozen=True)
class Line:
    """One comparison. ``kept`` is None for a line that has no target and only informs."""

    what: str
    ours: str
    theirs: str
    ratio: Ratio | None
    target: str
    kept: bool | None


@dataclass(frozen=True)
class Table:
    """What stands behind a section's lines, below them: text, no targets."""

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


Section = Sequence[Line | Table]


def lines_of(section: Section) -> list[Line]:
    """The lines alone."""
    return [one for one in section if isinstance(one, Line)]


def compared(
    what: str, ours: Sequence[float], theirs: Sequence[float], most: float | None, plus_ns: float = 0.0
) -> Line:
    """Ours beside theirs (ns, one figure a round); kept if the middle ratio is at most ``most``.

    With ``plus_ns`` ours may be so much above ``most`` times theirs.
    """
    found = ratio(ours, theirs)
    target, kept = "none", None
    if most is not None:
        target = f"≤ {most:g} ×" if not plus_ns else f"≤ {most:g} × + {show(plus_ns, 'ns')}"
        kept = found.value <= most if not plus_ns else middle(ours) <= most * middle(theirs) + plus_ns
    return Line(what, show(middle(ours), "ns"), show(middle(theirs), "ns"), found, target, kept)


def bounded_ns(what: str, ours: Sequence[float], most_ns: float) -> Line:
    """A cost (ns, one figure a round) under a bound: the quietest round, since what disturbs a cost only adds.

    The median over the rounds stands beside it, and the target says which of the two it is about.
    """
    value = min(ours)
    text = f"quietest {value:.1f} ns, median {middle(ours):.1f} ns"
    return Line(what, text, "", None, f"quietest ≤ {most_ns:g} ns", value <= most_ns)


def bounded(what: str, text: str, target: str, kept: bool) -> Line:
    """A single figure under a bound."""
    return Line(what, text, "", None, target, kept)


def middle(values: Sequence[float]) -> float:
    """The median by nearest rank."""
    return nearest_rank(values, 0.5)
