"""Drawn values: the published generator's, spread evenly over their range, whole ranges of a type included."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from bench.device.draws import CHUNK, GAMMA, Draws

MANY = 3 * CHUNK + 5
DRAWN = 100_000


def test_the_bits_are_those_of_the_reference_implementation() -> None:
    """The first five of splitmix64.c (Vigna, public domain) for the seed 1234567."""
    wanted = [6457827717110365317, 3203168211198807973, 9817491932198370423, 4593380528125082431, 16408922859458223821]
    assert Draws(1234567).bits(5).tolist() == wanted


def test_a_stream_goes_on_wherever_it_is_cut() -> None:
    one, other = Draws(5), Draws(5)
    assert [*one.bits(3), *one.bits(1), *one.bits(4)] == other.bits(8).tolist()


def test_many_values_are_as_unlike_as_few() -> None:
    values = Draws(1).uniform(np.dtype("float64"), 0.0, 1.0, (5, MANY // 5))
    assert values.shape == (5, MANY // 5)
    assert len(np.unique(values)) == values.size


@pytest.mark.parametrize(("dtype", "low", "high"), [("float32", -3.0, 5.0), ("float64", -1e308, 1.7e308)])
def test_uniform_values_are_spread_evenly_over_their_range(dtype: str, low: float, high: float) -> None:
    values = Draws(2).uniform(np.dtype(dtype), low, high, (DRAWN,)).astype(float)
    tenths = np.histogram(values / high, 10, (low / high, 1.0))[0]
    assert tenths.sum() == DRAWN
    assert np.abs(tenths / DRAWN - 0.1).max() < 0.01


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int64", "uint64"])
def test_a_whole_type_is_a_range(dtype: str) -> None:
    kind: Any = np.iinfo(dtype)
    values = Draws(3).integers(np.dtype(dtype), int(kind.min), int(kind.max), (DRAWN,))
    above = float((values > (int(kind.min) + int(kind.max)) // 2).mean())
    assert abs(above - 0.5) < 0.01


def test_streams_of_neighbouring_seeds_share_nothing() -> None:
    assert not set(Draws(0).bits(1000).tolist()) & set(Draws(1).bits(1000).tolist())
    assert Draws(GAMMA).bits(4).tolist() == Draws(0).bits(5).tolist()[1:]  # the only way in which they may
