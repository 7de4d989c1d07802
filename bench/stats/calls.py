"""Is a call over a limit with at most the chance 1 - q? Calls are counted; right only where they are independent.

Two bets run side by side, as in ``sequential``: one against "the chance is at least 1 - q", one against "at most". Each
bet's wealth is a mixture of likelihood ratios against 1 - q (Robbins, *Ann. Math. Stat.* 41 (1970), p. 1397), with
Jeffreys' Beta(1/2, 1/2) of the chance, truncated to the side that it bets on. Where what it bets against is true, and
calls are independent, its wealth does not grow on average, so it ever reaches ``1/error_rate`` with at most the chance
``error_rate``, however often one looks: Howard, Ramdas, McAuliffe & Sekhon, *Ann. Stat.* 49 (2021), p. 1055.

**Each call counts as ``COUNTED_AS`` of one.** That is right for independent calls too, only slower (a power below 1 of
a likelihood ratio is on average at most the ratio's own power: Jensen), and it stays right where calls depend on each
other a little: ``1 / COUNTED_AS`` times the variance of independent ones. More than that ``independence`` must find.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from bench.stats.sequential import ERROR_RATE

COUNTED_AS = 0.72
"""Of a call; a verdict takes 1/0.72 times the calls that the test of independent ones takes."""
_TINY = 1e-300
_PRECISION = 1e-13


@dataclass(frozen=True)
class Count:
    """Calls of some processes, and how many of them were over the limit."""

    calls: int = 0
    looser: int = 0
    """Over the limit; with a zone of indifference over its looser edge."""
    stricter: int = 0
    """Over the zone's stricter edge; the same without a zone."""

    def __add__(self, other: Count) -> Count:
        return Count(self.calls + other.calls, self.looser + other.looser, self.stricter + other.stricter)

    def times(self, factor: float) -> tuple[float, float, float]:
        """The same, so many times over: calls, over the looser edge, over the stricter one."""
        return self.calls * factor, self.looser * factor, self.stricter * factor


def decide(
    count: Count, most: float, error_rate: float = ERROR_RATE, *, times: float = 1.0, counted_as: float = COUNTED_AS
) -> bool | None:
    """Whether a call is over the limit with at most the chance ``most`` (1 - q); None while that is open.

    ``times``: as if there were so many times as many calls like these.
    """
    calls, looser, stricter = count.times(times * counted_as)
    if max(_likelihood(looser, calls, most), _likelihood(stricter, calls, most)) < -math.log(error_rate):
        return None  # a mixture of ratios is at most the largest one, which is sooner computed
    kept, lost = log_wealth(looser, calls - looser, most)[0], log_wealth(stricter, calls - stricter, most)[1]
    if max(kept, lost) < -math.log(error_rate):
        return None
    return kept >= lost


def wrong_at_most(error_rate: float = ERROR_RATE) -> float:
    """The chance of a wrong answer about independent calls, each way: less than stated, as each counts for less.

    A mixture of powers w of likelihood ratios is at most the power w of their mixture (Jensen), which reaches ``1 /
    error_rate`` only where the mixture itself reaches that to the power ``1 / w``.
    """
    return float(error_rate ** (1 / COUNTED_AS))


def log_wealth(over: float, within: float, most: float) -> tuple[float, float]:
    """The logarithms of what the bets on *kept* and on *not kept* have grown to; counts may be fractions."""
    return _below(over, within, most), _below(within, over, 1 - most)


def _likelihood(over: float, calls: float, most: float) -> float:
    """The logarithm of the largest likelihood ratio against ``most``: at the share of calls that were over."""
    within = calls - over
    ratio = over * math.log(over / calls / most) if over else 0.0
    return ratio + (within * math.log(within / calls / (1 - most)) if within else 0.0)


def _below(few: float, many: float, bound: float) -> float:
    """``log ∫ p^few (1-p)^many dBeta(1/2, 1/2)`` over p < bound, by the mixture's weight there and the ratio at bound.

    The weight of Beta(1/2, 1/2) below x is ``2 asin √x`` (without the common factor 1/π, which cancels).
    """
    a, b = few + 0.5, many + 0.5
    at_bound = few * math.log(bound) + many * math.log1p(-bound)
    return _log_incomplete_beta(a, b, bound) - at_bound - math.log(2 * math.asin(math.sqrt(bound)))


def _log_incomplete_beta(a: float, b: float, x: float) -> float:
    """``log ∫ t^(a-1) (1-t)^(b-1) dt`` from 0 to x: DLMF 8.17.22, from the side on which it converges quickly."""
    edge = a * math.log(x) + b * math.log1p(-x)
    if x <= (a + 1) / (a + b + 2):
        return edge - math.log(a) + math.log(_continued_fraction(a, b, x))
    whole = math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)
    rest = edge - math.log(b) + math.log(_continued_fraction(b, a, 1 - x))
    return whole + math.log1p(-math.exp(rest - whole))


def _continued_fraction(a: float, b: float, x: float) -> float:
    """By Lentz's method: Thompson & Barnett, *J. Comput. Phys.* 64 (1986), p. 490."""
    c, d = 1.0, 1 / _clear(1 - (a + b) * x / (a + 1))
    found = d
    for m in range(1, 100_000):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for term in (even, odd):
            d, c = 1 / _clear(1 + term * d), _clear(1 + term / c)
            found *= c * d
        if abs(c * d - 1) < _PRECISION:
            return found
    raise ArithmeticError(f"the incomplete beta function of {a}, {b}, {x} did not converge")


def _clear(value: float) -> float:
    return value if abs(value) > _TINY else _TINY
