"""When queries arrive, decided before any is issued: a seeded schedule that owes nothing to how fast the model is."""

from __future__ import annotations

from typing import Any

import numpy as np

from .records import ARRIVALS

POISSON, CONSTANT = ARRIVALS
NS_PER_S = 1_000_000_000

Offsets = Any  # np.ndarray[Any, np.dtype[np.int64]]; spelled out it cannot be subscripted on Python 3.8


class Arrivals:
    """An endless schedule, told piece by piece: ns after its zero, in order, the first one gap after it.

    ``poisson`` has independent exponential gaps (inverse transform: Devroye, *Non-Uniform Random Variate
    Generation*, 1986, section II.2), ``constant`` equal ones. The same kind, rate (queries a second) and
    seed give the same arrivals to the nanosecond, whatever the pieces: gaps are rounded, sums are exact.
    """

    def __init__(self, kind: str, rate_per_s: float, seed: int) -> None:
        if kind not in (POISSON, CONSTANT):
            raise ValueError("arrivals are %s or %s, not %s" % (POISSON, CONSTANT, kind))
        if not rate_per_s > 0:
            raise ValueError("a rate of %r arrivals a second" % (rate_per_s,))
        self.rate_per_s = rate_per_s
        self._uniform = np.random.Generator(np.random.PCG64(seed)).random if kind == POISSON else None
        self._told = 0
        self.last_ns = 0

    def next(self, count: int) -> Offsets:
        """The next ``count`` arrivals."""
        if self._uniform is None:
            index = np.arange(self._told + 1, self._told + 1 + count)
            offsets = np.rint(index * (NS_PER_S / self.rate_per_s)).astype(np.int64)
        else:
            gaps = np.rint(-np.log1p(-self._uniform(count)) * (NS_PER_S / self.rate_per_s)).astype(np.int64)
            offsets = self.last_ns + np.cumsum(gaps)
        self._told += count
        if count:
            self.last_ns = int(offsets[-1])
        return offsets


class Schedule:
    """The arrivals before ``window_ns``, at most ``most`` of them, as a queue of those that are not taken yet."""

    def __init__(self, arrivals: Arrivals, window_ns: int, most: int) -> None:
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
        drawn = self._arrivals.next(min(max(1, count), self._left))
        self._left -= len(drawn)
        within = drawn[: np.searchsorted(drawn, self.window_ns, side="left")]
        if len(within) < len(drawn):
            self._left = 0
        self._ahead = np.concatenate([self._ahead, within])
