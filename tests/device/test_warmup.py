"""Where a warm-up ends: on series recorded in real processes, and on made-up ones whose truth is known (ns)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from bench.device.warmup import (
    LEAST,
    LEVEL,
    RULE,
    STEADY_NS,
    TOLERANCE,
    Settling,
    running_median,
    steady_from,
    truncation,
)

SERIES = Path(__file__).parent / "series"
BLOCK_NS = 2_500_000
MOST_BLOCKS = 3_000_000_000 // BLOCK_NS
TRIES = 20
"""Of each made-up series, each with its own seed."""


def recorded(name: str) -> tuple[NDArray[Any], NDArray[Any]]:
    """Medians and wall times of the blocks of a fresh process, on a server of two noisy cores."""
    medians, walls = np.load(SERIES / f"{name}.npy")
    return medians, walls


def warmed_up(medians: NDArray[Any], walls: NDArray[Any] | None = None) -> tuple[int, int] | None:
    """After how many blocks the warm-up would have ended, and where the rule puts its end; None if never."""
    settling = Settling()
    for at, median in enumerate(medians):
        settling.add(float(median), BLOCK_NS if walls is None else int(walls[at]), 1)
        unsteady = settling.unsteady_queries()
        if unsteady is not None:
            return at + 1, unsteady
    return None


def noise(seed: int, level: float = 0.01, count: int = 300) -> NDArray[np.float64]:
    return np.asarray(1e5 * (1 + level * np.random.default_rng(seed).standard_normal(count)))


def correlated(seed: int, count: int = 400) -> NDArray[np.float64]:
    """An AR(1) series: correlation 0.9 from block to block, 1 % standard deviation."""
    steps, found = np.random.default_rng(seed).standard_normal(count) * 0.01 * np.sqrt(1 - 0.9**2), [0.0]
    for step in steps[1:]:
        found.append(0.9 * found[-1] + step)
    return 1e5 * (1 + np.array(found))


@pytest.mark.parametrize(
    ("name", "first", "last"),
    [("ort", 2, 6), ("torchscript", 2, 12), ("compile", 4, 20), ("ort-later", 0, 6)],
)
def test_recorded_warm_ups_end_where_an_eye_sees_it(name: str, first: int, last: int) -> None:
    """ONNX Runtime's first call takes 17 times as long as later ones, TorchScript's second compiles."""
    found = warmed_up(*recorded(name))
    assert found is not None
    blocks, unsteady = found
    assert first <= unsteady <= last
    assert blocks <= 2 * last + STEADY_NS // BLOCK_NS


@pytest.mark.parametrize("name", ["ort", "torchscript", "compile"])
def test_no_block_far_off_the_later_level_is_counted_as_steady(name: str) -> None:
    medians, walls = recorded(name)
    found = warmed_up(medians, walls)
    assert found is not None
    blocks, unsteady = found
    assert np.median(medians[:unsteady]) > 1.1 * np.median(medians[unsteady:blocks])


@pytest.mark.parametrize("make", [noise, correlated], ids=["independent", "correlated"])
def test_a_series_without_warm_up_ends_after_little_more_than_the_least_time(make: Any) -> None:
    ends = [warmed_up(make(seed)) for seed in range(TRIES)]
    blocks = sorted(one[0] for one in ends if one is not None)
    assert len(blocks) == TRIES
    assert blocks[TRIES // 2] <= 1.25 * STEADY_NS / BLOCK_NS
    assert blocks[-1] <= 4 * STEADY_NS / BLOCK_NS


def test_disturbed_blocks_now_and_then_do_not_delay_it_much() -> None:
    for seed in range(TRIES):
        chance = np.random.default_rng(1000 + seed)
        found = warmed_up(noise(seed) * np.where(chance.random(300) < 0.03, 3, 1))
        assert found is not None
        assert found[0] < 6 * STEADY_NS / BLOCK_NS


def test_a_step_ends_at_the_step() -> None:
    ends = [warmed_up(noise(seed) * np.where(np.arange(300) < 12, 1.5, 1)) for seed in range(TRIES)]
    assert all(one is not None for one in ends)
    assert all(one is not None and one[1] >= 12 for one in ends)
    assert sorted(one[1] for one in ends if one is not None)[TRIES // 2] <= 20


def test_what_decays_is_waited_for_until_it_is_small() -> None:
    """Twice as slow in the beginning, falling to 1/e in 20 blocks: after 60 blocks 5 % are left."""
    decay = 1 + np.exp(-np.arange(MOST_BLOCKS) / 20)
    for seed in range(TRIES):
        found = warmed_up(noise(seed, count=MOST_BLOCKS) * decay)
        assert found is not None
        assert found[1] > 45


@pytest.mark.parametrize("slope", [0.002, 0.005, -0.002], ids=["slower", "much slower", "faster"])
def test_a_drift_never_settles(slope: float) -> None:
    drift = 1 + slope * np.arange(300)
    assert [warmed_up(noise(seed, 0.002, 300) * drift) for seed in range(TRIES)] == [None] * TRIES


def test_a_series_of_two_states_never_settles() -> None:
    for seed in range(TRIES):
        states = np.random.default_rng(2000 + seed).random(300) < 0.5
        assert warmed_up(noise(seed) * np.where(states, 1.3, 1)) is None


def test_still_compiling_is_not_steady() -> None:
    assert steady_from([2_310_000, 1_890_000, 1_420_000, 1_050_000, 820_000, 610_000]) is None


def test_slow_queries_take_five_blocks_of_one() -> None:
    assert warmed_up(np.array([98.1, 97.9, 98.4, 98.0, 98.2]) * 1e6, np.full(5, 98_000_000)) == (5, 0)


def test_a_coarse_clock_is_no_unrest() -> None:
    assert steady_from([52, 50, 61, 50, 52, 41, 50, 52, 61, 50]) == 0


@given(st.lists(st.floats(1e3, 1e12), max_size=LEAST - 1))
def test_too_few_blocks_are_never_steady(medians: list[float]) -> None:
    assert steady_from(medians) is None


@given(st.lists(st.integers(1, 10**6), min_size=LEAST, max_size=40))
def test_the_truncation_is_the_least_standard_error_by_its_definition(series: list[int]) -> None:
    def error(first: int) -> float:
        rest = np.array(series[first:], dtype=float)
        return float(((rest - rest.mean()) ** 2).sum() / len(rest) ** 2)

    found = truncation(series)
    assert 0 <= found <= len(series) - LEAST
    assert error(found) == pytest.approx(min(error(at) for at in range(len(series) - LEAST + 1)), rel=1e-6, abs=1e-3)


def test_a_running_median_keeps_steps_and_drops_a_lone_value() -> None:
    assert running_median([9, 9, 1, 9, 9, 5, 5]).tolist() == [9, 9, 9, 9, 9, 5, 5]
    assert running_median([9, 1]).tolist() == [9, 1]


def test_the_rule_says_what_is_done() -> None:
    assert f"{LEVEL:.0%} of the medians".replace("%", " %") in RULE
    assert f"within {TOLERANCE * 100:.0f} % of their middle one" in RULE
    assert f"at least {LEAST}, of {STEADY_NS // 1_000_000} ms" in RULE
