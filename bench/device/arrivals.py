"""When queries arrive, decided before any is issued: a seeded schedule that owes nothing to how fast the model is."""

from __future__ import annotations

import re
from typing import Any, Optional, Union

import numpy as np

from .records import ARRIVALS

POISSON, CONSTANT, TRACE = ARRIVALS
BURSTS = re.compile(r"bursts of ([2-9]|[1-9][0-9]{1,3})")
NS_PER_S = 1_000_000_000

Offsets = Any  # np.ndarray[Any, np.dtype[np.int64]]; spelled out it cannot be subscripted on Python 3.8


def burst_of(kind: str) -> int:
    """How many queries come at once: 8 for ``bursts of 8``, 1 for the other kinds; ValueError for what is none."""
    match = BURSTS.fullmatch(kind)
    if match:
        return int(match.group(1))
    if kind not in ARRIVALS:
        raise ValueError("arrivals are %s or bursts of 8, not %s" % (", ".join(ARRIVALS), kind))
    return 1


class Arrivals:
    """An endless schedule, told piece by piece: ns after its zero, in order, the first one gap after it.

    ``poisson`` has independent exponential gaps (inverse transform: Devroye, *Non-Uniform Random Variate
    Generation*, 1986, section II.2), ``constant`` equal ones. ``bursts of 8`` is a Poisson process of an
    eighth of the rate, at each of whose points 8 queries arrive at once (bulk arrivals: Kleinrock, *Queueing
    Systems* I, 1975, section 4.7), so that the mean rate stays. The same kind, rate (queries a second) and
    seed give the same arrivals to the nanosecond, whatever the pieces: gaps are rounded, sums are exact.
    """

    def __init__(self, kind: str, rate_per_s: float, seed: int) -> None:
        self._burst = burst_of(kind)
        if kind == TRACE:
            raise ValueError("arrivals of a trace come from its file")
        if not rate_per_s > 0:
            raise ValueError("a rate of %r arrivals a second" % (rate_per_s,))
        self.rate_per_s = rate_per_s
        self._gap_ns = NS_PER_S / rate_per_s * self._burst
        self._uniform = None if kind == CONSTANT else np.random.Generator(np.random.PCG64(seed)).random
        self._told = 0
        self.last_ns = 0

    def next(self, count: int) -> Offsets:
        """The next ``count`` arrivals."""
        begun = -(-self._told // self._burst)
        self._told += count
        points = -(-self._told // self._burst) - begun
        if self._uniform is None:
            offsets = np.rint(np.arange(begun + 1, begun + 1 + points) * self._gap_ns).astype(np.int64)
        else:
            gaps = np.rint(-np.log1p(-self._uniform(points)) * self._gap_ns).astype(np.int64)
            offsets = self.last_ns + np.cumsum(gaps)
        if self._burst > 1:
            left = np.full(begun * self._burst - (self._told - count), self.last_ns, np.int64)
            offsets = np.concatenate([left, np.repeat(offsets, self._burst)])[:count]
        if count:
            self.last_ns = int(offsets[-1])
        return offsets


class Recorded:
    """A recorded schedule, told in the same way; it ends."""

    def __init__(self, offsets: Offsets, rate_per_s: float) -> None:
        self.rate_per_s = rate_per_s
        self.last_ns = 0
        self._ahead = offsets

    def next(self, count: int) -> Offsets:
        """The next ``count`` arrivals, or as many as there still are."""
        offsets, self._ahead = self._ahead[:count], self._ahead[count:]
        if len(offsets):
            self.last_ns = int(offsets[-1])
        return offsets


def open_arrivals(
    kind: str, rate_per_s: float, seed: int, trace: Optional[Offsets] = None
) -> Union[Arrivals, Recorded]:
    """A schedule from its beginning; of the recorded one where there is a ``trace``."""
    return Arrivals(kind, rate_per_s, seed) if trace is None else Recorded(trace, rate_per_s)


class Schedule:
    """The arrivals before ``window_ns``, at most ``most`` of them, as a queue of those that are not taken yet."""

    def __init__(self, arrivals: Union[Arrivals, Recorded], window_ns: int, most: int) -> None:
        self.window_ns = window_ns
        self._arrivals = arrivals
        self._left = most
        self._ahead: Offsets = np.empty(0, np.int64)

    def peek(self, count: int) -> Offsets:
        """The next arrivals, ``count`` or as many as there still are."""
        if len(self._ahead) < count and self._left:
            self._draw(count - len(self._ahead))
        return self._ahead[:count]

    def take(self, count: int) -> None:
        """Leave out the next ``count``, which were peeked at."""
        self._ahead = self._ahead[count:]

    def until(self, offset_ns: int) -> Offsets:
        """Take all that arrive up to and at ``offset_ns``."""
        while self._left and (not len(self._ahead) or self._ahead[-1] <= offset_ns):
            known = int(self._ahead[-1]) if len(self._ahead) else self._arrivals.last_ns
            self._draw(1024 + int((min(offset_ns, self.window_ns) - known) * self._arrivals.rate_per_s / NS_PER_S))
        found = self._ahead[: np.searchsorted(self._ahead, offset_ns, side="right")]
        self.take(len(found))
        return found

    def _draw(self, count: int) -> None:
        asked = min(max(1, count), self._left)
        drawn = self._arrivals.next(asked)
        self._left = self._left - asked if len(drawn) == asked else 0
        within = drawn[: np.searchsorted(drawn, self.window_ns, side="left")]
        if len(within) < len(drawn):
            self._left = 0
        self._ahead = np.concatenate([self._ahead, within])
