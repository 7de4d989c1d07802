"""Values for samples that nobody gave: drawn from a range, the same for the same seed wherever they are drawn.

By SplitMix64 (Steele, Lea & Flood, "Fast splittable pseudorandom number generators", *OOPSLA* 2014, figure 17), a few
operations on arrays: to import ``numpy.random`` for them takes a start 20 ms, and a small board a second.
"""

from __future__ import annotations

from typing import Any, Tuple

import numpy as np

Array = Any  # np.ndarray[Any, np.dtype[Any]]; spelled out it cannot be subscripted on Python 3.8
ALL = (1 << 64) - 1
GAMMA = 0x9E3779B97F4A7C15
MIXES = ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB))
LAST_SHIFT = 31
MANTISSA_BITS = 53
CHUNK = 1 << 16
"""So many are drawn at once: more at a time would show in the peak memory."""


class Draws:
    """One stream of numbers; each call takes the next ones."""

    def __init__(self, seed: int) -> None:
        self._state = seed & ALL

    def bits(self, count: int) -> Array:
        """The next ``count`` numbers of 64 random bits each."""
        values = np.arange(1, count + 1, dtype=np.uint64)
        values *= np.uint64(GAMMA)
        values += np.uint64(self._state)
        self._state = (self._state + count * GAMMA) & ALL
        for shift, factor in MIXES:
            values ^= values >> np.uint64(shift)
            values *= np.uint64(factor)
        return values ^ (values >> np.uint64(LAST_SHIFT))

    def integers(self, dtype: "np.dtype[Any]", low: int, high: int, shape: Tuple[int, ...]) -> Array:
        """Whole numbers from ``low`` to ``high``, both included. Some are likelier by the range's share of 2^64."""
        span = high - low + 1

        def part(count: int) -> Array:
            values = self.bits(count)
            if span <= ALL:
                values %= np.uint64(span)
            values += np.uint64(low & ALL)  # in two's complement, as which the dtype then takes them
            return values

        return self._filled(dtype, shape, part)

    def uniform(self, dtype: "np.dtype[Any]", low: float, high: float, shape: Tuple[int, ...]) -> Array:
        """Numbers between ``low`` and ``high``, in steps of 2^-53 of the range, rounded to the dtype."""

        def part(count: int) -> Array:
            unit = (self.bits(count) >> np.uint64(64 - MANTISSA_BITS)) * 2.0**-MANTISSA_BITS
            return np.clip(low * (1 - unit) + high * unit, low, high)  # `high - low` may be more than a float holds

        return self._filled(dtype, shape, part)

    def _filled(self, dtype: "np.dtype[Any]", shape: Tuple[int, ...], part: Any) -> Array:
        values = np.empty(shape, dtype)
        flat = values.reshape(-1)
        for first in range(0, flat.size, CHUNK):
            some = flat[first : first + CHUNK]
            some[...] = part(some.size).astype(dtype)
        return values
