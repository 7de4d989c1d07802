"""The stated rule of the warm-up, on series of block medians (ns)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.device.warmup import RULE, TOLERANCE, WINDOW, is_steady

# Recorded on the demo model in fresh processes, one thread of a server of two noisy cores.
TORCHSCRIPT = [2_068_849, 117_756, 86_993, 85_931, 86_171, 85_731, 85_705, 85_581]  # it compiles at its first calls
ONNX_RUNTIME = [14_482, 13_425, 13_396, 13_405, 13_295, 13_305, 13_395]
# Made up: what must not count as steady, and what must although the clock is coarse.
STILL_COMPILING = [2_310_000, 1_890_000, 1_420_000, 1_050_000, 820_000, 610_000]
TWO_SPEEDS = [100_000, 130_000, 101_000, 131_000, 100_500, 129_000]
STEADY_AT_ONCE = [98_100, 97_900, 98_400, 98_000, 98_200]
EMPTY_CALLS = [52, 50, 61, 50, 52]


def first_steady(medians: list[int]) -> int | None:
    """After how many blocks the warm-up would have ended."""
    return next((i for i in range(len(medians) + 1) if is_steady(medians[:i])), None)


@pytest.mark.parametrize(
    ("medians", "blocks"),
    [
        (TORCHSCRIPT, 7),
        (ONNX_RUNTIME, 6),
        (STILL_COMPILING, None),
        (TWO_SPEEDS, None),
        (STEADY_AT_ONCE, 5),
        (EMPTY_CALLS, 5),
    ],
)
def test_series_end_where_they_are_steady(medians: list[int], blocks: int | None) -> None:
    assert first_steady(medians) == blocks


def test_one_slow_block_among_the_last_is_not_steady() -> None:
    assert not is_steady([*STEADY_AT_ONCE, 120_000])
    assert is_steady([*STEADY_AT_ONCE, 120_000, *STEADY_AT_ONCE])


@given(st.lists(st.floats(1e3, 1e12), max_size=WINDOW - 1))
def test_too_few_blocks_are_never_steady(medians: list[float]) -> None:
    assert not is_steady(medians)


@given(st.lists(st.floats(1, 1e12), max_size=10), st.floats(1e3, 1e12), st.floats(1.001, 10))
def test_only_the_last_blocks_count_and_their_order_does_not(before: list[float], level: float, times: float) -> None:
    inside = [level, level * (1 + TOLERANCE * 0.99), level, level * (1 - TOLERANCE * 0.99), level]
    assert is_steady([*before, *inside])
    assert is_steady([*before, *sorted(inside)])
    assert not is_steady([*before, level, level, level, level, level * (1 + TOLERANCE) * times + 20])


def test_the_rule_says_what_is_done() -> None:
    assert RULE == "the medians of the last 5 blocks lie within 5 % of their middle one"
