"""Does the typical fresh process keep a limit? Votes come one at a time; the answer may be taken at any of them.

Each fresh process votes: its own figure is within the limit (True), outside (False), or it cannot tell (None). The
question is whether more than half of all fresh processes would vote within. It is asked of whole processes, so
nothing is assumed of the timings inside one: they may be as dependent as they like.

Two bets run side by side, one against "at most half are within", one against "at least half are". Each bet's wealth
is a mixture of likelihood ratios against 1/2 (Robbins, *Ann. Math. Stat.* 41 (1970), p. 1397), truncated to the other
side of 1/2, so that it can only grow, on average, where the answer it bets on is true. The first whose wealth reaches
``1/error_rate`` wins. By Ville's inequality (1939) a bet that is wrong ever gets there with at most the chance
``error_rate``, however often one looks and whenever one stops: Howard, Ramdas, McAuliffe & Sekhon, "Time-uniform,
nonparametric, nonasymptotic confidence sequences", *Ann. Stat.* 49 (2021), p. 1055.

With a zone of indifference around the limit the first bet is about the zone's looser edge and the second about its
stricter one. Each is still wrong with at most the chance ``error_rate`` about its own edge, so an answer is wrong so
rarely outside the zone; inside it either answer is right, and processes there speak for both.

A vote that cannot be told counts against both bets. That can only slow them down: it is never wrong.

Votes are enough: a test of a median that uses how far the values lie from the limit, too, must assume something of
their shape, because a rare process can be arbitrarily slow.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

ERROR_RATE = 0.01
"""Of each wrong answer, where nothing else is said."""
PRIOR = 8
"""Of the mixture Beta(1, 8) of the share of dissenting votes: most of its weight lies below one in eight."""


Votes = Sequence[bool | None]


@dataclass(frozen=True)
class Decision:
    """The answer so far, and the votes behind it."""

    keeps: bool | None
    """Whether the typical process keeps the limit; None while that is open."""
    within: int
    """Votes for *keeps*."""
    outside: int
    """Votes for *misses*."""
    unclear: int
    """Votes for neither."""
    after: int | None
    """Votes at which it was decided."""
    either: int = 0
    """Votes for both: what lies in the zone of indifference; they are among ``within`` and ``outside`` too."""

    @property
    def votes(self) -> int:
        """Votes so far, those that could not be told included."""
        return self.within + self.outside + self.unclear - self.either


@lru_cache(maxsize=4096)
def evidence(agreeing: int, dissenting: int) -> Fraction:
    """The wealth of a bet that most agree, after so many votes; 1 before the first.

    With p the share that dissents, n votes, b = ``PRIOR``:  ``∫ pᵈ(1-p)ᵃ dBeta(1, b) · 2ⁿ`` over 0 < p < 1/2, divided
    by the mixture's own weight there. The incomplete beta function of whole numbers is a binomial tail (DLMF 8.17.5),
    so this is exact:  ``b · Σ_{j > d} C(n+b, j) / ((n+b) · C(n+b-1, d) · (2ᵇ - 1))``.
    """
    size = agreeing + dissenting + PRIOR
    tail = sum(math.comb(size, j) for j in range(dissenting + 1, size + 1))
    return Fraction(PRIOR * tail, size * math.comb(size - 1, dissenting) * (2**PRIOR - 1))


def decide(
    votes: Votes, error_rate: float = ERROR_RATE, looser: Votes | None = None, stricter: Votes | None = None
) -> Decision:
    """The answer after these votes, in the order they came: it stands from the first moment it was reached.

    With a zone of indifference, ``looser`` and ``stricter`` are the same processes' votes about its two edges: *keeps*
    is an answer about the one, *misses* about the other. Where one vote brings both, most ``votes``, those about the
    limit itself, say which it is.
    """
    keeps, after = None, None
    kept = missed = neither = balance = 0
    looser, stricter = votes if looser is None else looser, votes if stricter is None else stricter
    for number, (vote, loose, strict) in enumerate(zip(votes, looser, stricter, strict=True), start=1):
        kept, missed = kept + (loose is True), missed + (strict is False)
        neither += loose is not True and strict is not False
        balance += (vote is True) - (vote is False)
        if after is None:
            keeps = _winner(kept, missed, number, balance >= 0, error_rate)
            after = None if keeps is None else number
    return Decision(keeps, kept, missed, neither, after, kept + missed + neither - len(votes))


def more_alike(decision: Decision, keeps: bool, error_rate: float = ERROR_RATE) -> int:
    """The fewest further votes, all alike, that would decide for ``keeps``; 0 where it is decided."""
    if decision.keeps is not None:
        return 0
    agreeing = decision.within if keeps else decision.outside
    against = decision.votes - agreeing
    more = 1
    while not _wins(agreeing + more, against, error_rate):
        more *= 2
    low, high = more // 2, more
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if _wins(agreeing + middle, against, error_rate) else (middle, high)
    return high


def can_be_decided(decision: Decision, left: int, error_rate: float = ERROR_RATE) -> bool:
    """Whether ``left`` further votes could still decide either way. Giving up early makes no answer wrong."""
    return min(more_alike(decision, keeps, error_rate) for keeps in (True, False)) <= left


def fewest(error_rate: float = ERROR_RATE) -> int:
    """Votes, all alike, that decide."""
    return more_alike(decide(()), True, error_rate)


def interval(
    lows: Sequence[float | None], highs: Sequence[float | None], error_rate: float = ERROR_RATE
) -> tuple[float | None, float | None]:
    """The limits on which these processes leave the answer open; None where no limit is decided on that side.

    Process i is above every limit below ``lows[i]`` and within every one from ``highs[i]`` on; None: it cannot tell.
    Below the interval the typical process misses the limit ("at most"), above it keeps it: a confidence sequence for
    the median, the test turned round. So an answer of ``decide`` is where the limit lies to this interval.
    """
    low = _edge([None if one is None else -one for one in lows], error_rate)
    return None if low is None else -low, _edge(highs, error_rate)


def _edge(values: Sequence[float | None], error_rate: float) -> float | None:
    """The least limit that enough of the values keep; more of them keep a larger one."""
    limits = sorted({one for one in values if one is not None})
    first, last = 0, len(limits)
    while first < last:
        middle = (first + last) // 2
        if _ever_wins([one is not None and one <= limits[middle] for one in values], error_rate):
            last = middle
        else:
            first = middle + 1
    return limits[first] if first < len(limits) else None


def _ever_wins(agreeing: Sequence[bool], error_rate: float) -> bool:
    so_far = 0
    for number, agrees in enumerate(agreeing, start=1):
        so_far += agrees
        if agrees and _wins(so_far, number - so_far, error_rate):
            return True
    return False


def _winner(within: int, outside: int, votes: int, rather: bool, error_rate: float) -> bool | None:
    kept, missed = _wins(within, votes - within, error_rate), _wins(outside, votes - outside, error_rate)
    if kept and missed:
        return rather
    return True if kept else False if missed else None


@lru_cache(maxsize=4096)
def _wins(agreeing: int, dissenting: int, error_rate: float) -> bool:
    return agreeing > dissenting and evidence(agreeing, dissenting) * Fraction(error_rate) >= 1
