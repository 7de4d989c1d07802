"""What is computed of the process runs: a figure with its interval, and what it says of a requirement."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import ClassVar


class Outcome(str, Enum):
    """A verdict's answer."""

    MET = "met"
    MISSED = "missed"
    UNDECIDED = "undecided"
    NOT_MEASURED = "not measured"


@dataclass(frozen=True)
class Undisturbed:
    """What a figure is without the disturbed blocks: the fields of a ``Figure``."""

    value: float | None
    low: float | None = None
    high: float | None = None
    processes: tuple[float | None, ...] = ()
    count: int = 0
    why_not: str = ""


@dataclass(frozen=True)
class Figure:
    """One value of one metric with its interval, in base units; each None where it is not measured."""

    metric: str
    unit: str
    value: float | None
    low: float | None = None
    high: float | None = None
    processes: tuple[float | None, ...] = ()
    """The value in each process run: how far they differ."""
    count: int = 0
    """Timings, samples or processes behind it."""
    why_not: str = ""
    """Where value is None: why, and what it would take."""
    undisturbed: Undisturbed | None = None
    """The same without the disturbed blocks; None where none was disturbed, or the metric is made of no blocks."""


@dataclass(frozen=True)
class Verdict:
    """One requirement on one target: what was asked, what was found, and the answer with its reason."""

    SPARSE: ClassVar[bool] = True
    requirement: str
    block: str
    metric: str
    unit: str
    direction: str
    limit: float
    limit_text: str
    outcome: Outcome
    figure: Figure
    reason: str
    caveat: str | None = None
    """A word that the outcome is not to be read without: ``throttled``."""
    indifference: float = 0.0
    """The zone to either side of the limit in which either answer is right, as a share of it; 0: none."""
