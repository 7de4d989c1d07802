"""Does the pool of all calls keep a percentile? Bets on whole processes; the answer may be taken at any of them.

Each fresh process shows which share of its calls was over the limit: a number between 0 and 1, however its calls depend
on each other. The pool keeps the percentile q where the mean of that share, over all fresh processes, is at most
``1 - q``. Each process counts alike.

Two bets run side by side, one against "the mean is at least 1 - q", one against "at most". The wealth of a bet is
multiplied, process by process, by ``1 + λ·(m - share)`` (or ``1 + λ·(share - m)``): by 1 on average, or less, where
what it bets against is true. Several λ are mixed. By Ville's inequality a wrong bet ever reaches ``1/error_rate``
with at most the chance ``error_rate``: Waudby-Smith & Ramdas, "Estimating means of bounded random variables by
betting", *J. R. Stat. Soc. B* 86 (2024), p. 1, section 4.

Nothing is assumed of the shares but their bounds. The price: a process whose every call is slow cannot be excluded but
by having seen many that were not. If no call of any is over, a p50 is found kept after 9 processes, a p90 after 56, a
p99 after 587.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from bench.stats.sequential import ERROR_RATE

FRACTIONS = (0.05, 0.2, 0.5, 0.8, 1.0)
"""Of the largest λ that leaves no wealth below 0."""
_ROUNDING = 1e-12
"""Relative: of a wealth that is multiplied up process by process."""


Shares = Sequence[float | None]
Wealth = TypeVar("Wealth", float, NDArray[np.float64])
"""Of one run, or of many at once."""


@dataclass(frozen=True)
class Bets:
    """The answer so far, and what it rests on."""

    keeps: bool | None
    """Whether the pool keeps the percentile; None while that is open."""
    processes: int
    share: float | None
    """Mean share of calls over the limit, of the processes that told; None where none did."""
    after: int | None
    """Processes at which it was decided."""
    kept: tuple[float, ...]
    """What the bets on kept have grown to, one of each of the ``FRACTIONS``, from 1."""
    lost: tuple[float, ...]
    """What the bets on not kept have grown to."""
    stricter_share: float | None = None
    """Mean share over the stricter edge of a zone of indifference; ``share`` is then that over the looser one."""

    @property
    def wealth(self) -> tuple[float, float]:
        """All that was bet on kept, and on not kept: what must reach one over the error rate."""
        return _mean(self.kept), _mean(self.lost)


def decide(shares: Shares, most: float, error_rate: float = ERROR_RATE, stricter: Shares | None = None) -> Bets:
    """The answer after these processes, in order; it stands from the first moment it was reached.

    ``most`` is ``1 - q``. A process that told nothing (None) counts against both bets. With a zone of indifference,
    ``shares`` are those of calls over its looser edge, ``stricter`` over its stricter one: kept is an answer about the
    first, not kept about the second.
    """
    kept, lost = [1.0] * len(FRACTIONS), [1.0] * len(FRACTIONS)
    keeps, after = None, None
    for number, (loose, strict) in enumerate(zip(shares, stricter or shares, strict=True), start=1):
        kept = grown(kept, most, 1.0 if loose is None else loose)
        lost = grown(lost, 1 - most, 1.0 if strict is None else 1 - strict)
        if after is None and max(_mean(kept), _mean(lost)) * error_rate >= 1:
            keeps, after = _mean(kept) >= _mean(lost), number
    seen = _mean_told(shares), None if stricter is None else _mean_told(stricter)
    return Bets(keeps, len(shares), seen[0], after, tuple(kept), tuple(lost), seen[1])


def more_alike(found: Bets, most: float, keeps: bool, error_rate: float = ERROR_RATE) -> int:
    """The fewest further processes that would decide so: all without, or with nothing but, calls over the limit."""
    if found.keeps is not None:
        return 0
    margin = most if keeps else 1 - most
    bets = found.kept if keeps else found.lost
    enough = len(bets) / error_rate * (1 - _ROUNDING)
    growths = [math.log1p(fraction * margin / (1 - margin)) for fraction in FRACTIONS]
    alone = [(math.log(enough) - math.log(one)) / growth for one, growth in zip(bets, growths, strict=True) if one]
    low, high = 0, max(1, math.ceil(min(alone)))  # one bet alone would do it by then
    while high - low > 1:
        middle = (low + high) // 2
        grown = math.fsum(one * math.exp(middle * growth) for one, growth in zip(bets, growths, strict=True))
        low, high = (low, middle) if grown >= enough else (middle, high)
    return high


def fewest(q: float, error_rate: float = ERROR_RATE) -> int:
    """Processes that show the percentile ``q`` kept if not one of their calls is over the limit."""
    most = round(1 - q, 9)
    return more_alike(decide((), most), most, True, error_rate)


def grown(wealth: Sequence[Wealth], most: float, share: Wealth) -> list[Wealth]:
    """Each bet's wealth after one process: a bet that the mean of ``share`` is below ``most``."""
    return [one * (1 + fraction * (most - share) / (1 - most)) for one, fraction in zip(wealth, FRACTIONS, strict=True)]


def _mean_told(shares: Shares) -> float | None:
    told = [one for one in shares if one is not None]
    return math.fsum(told) / len(told) if told else None


def _mean(wealth: Sequence[float]) -> float:
    return math.fsum(wealth) / len(wealth)
