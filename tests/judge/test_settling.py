"""Whether measured timings are of one level; series by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from bench.judge.settling import FEWEST, notes
from bench.results import Block, ProcessRun, Serving
from tests.judge.cases import CRASH, process

MS = 1_000_000
BLOCKS, PER_BLOCK = 80, 50
HALF_MS = 0.5 * MS


def of(levels: NDArray[Any], seed: int = 0) -> tuple[ProcessRun, NDArray[np.uint64]]:
    """A process whose blocks of 25 ms have these levels, of half a millisecond, and 3 % noise from query to query."""
    blocks = tuple(Block(PER_BLOCK, PER_BLOCK, at * 25 * MS, 25 * MS, 0) for at in range(len(levels)))
    noise = 1 + 0.03 * np.random.default_rng(seed).standard_normal(len(levels) * PER_BLOCK)
    timings = HALF_MS * np.repeat(np.asarray(levels, dtype=float), PER_BLOCK) * noise
    return replace(process(seed), blocks=blocks), timings.astype(np.uint64)


def said(*processes: tuple[ProcessRun, NDArray[np.uint64]]) -> tuple[str, ...]:
    timings = {run.index: array for run, array in processes}
    return notes([run for run, _ in processes], lambda run: timings[run.index])


def level(seed: int = 0) -> tuple[ProcessRun, NDArray[np.uint64]]:
    return of(np.ones(BLOCKS), seed)


@pytest.mark.parametrize("seed", range(10))
def test_timings_of_one_level_are_no_note(seed: int) -> None:
    assert said(level(seed)) == ()


def test_a_start_that_is_slower_is_a_warm_up_that_was_not_over() -> None:
    slow = of(np.where(np.arange(BLOCKS) < 10, 1.3, 1.0), 1)
    (note,) = said(slow, level(2), level(3))
    assert note == (
        "the measured timings change in 1 of 3 processes: in the first 250 ms they were 30 % slower than later: "
        "the warm-up was not over"
    )


def test_a_start_that_is_faster_is_something_that_slows_it_down() -> None:
    (note,) = said(of(np.where(np.arange(BLOCKS) < 20, 0.8, 1.0)))
    assert "in the first 500 ms they were 20 % faster than later: something slows it down" in note


def test_a_drift_never_settles_and_the_note_says_so() -> None:
    (note,) = said(of(1 + 0.005 * np.arange(BLOCKS)))
    assert note.startswith("the timings never settled in 1 of 1 processes: their level last changed after 1.")


def test_two_states_that_take_turns_never_settle() -> None:
    (note,) = said(of(np.where(np.arange(BLOCKS) // 10 % 2, 1.3, 1.0)))
    assert "never settled" in note
    assert "after 1.75 s of measuring" in note


def test_a_level_that_only_noise_moves_is_no_note() -> None:
    for seed in range(20):
        assert said(of(1 + 0.1 * np.random.default_rng(100 + seed).standard_normal(BLOCKS))) == ()


@pytest.mark.parametrize("ratio", [0.97, 1.03])
def test_a_change_too_small_to_matter_is_no_note(ratio: float) -> None:
    assert said(of(np.where(np.arange(BLOCKS) < 20, ratio, 1.0))) == ()


def test_a_single_slow_block_at_either_end_is_no_note() -> None:
    for slow in (0, BLOCKS - 1):
        levels = np.ones(BLOCKS)
        levels[slow] = 3
        assert said(of(levels)) == ()


def test_too_few_blocks_say_nothing() -> None:
    assert said(of(np.where(np.arange(FEWEST - 1) < 5, 2.0, 1.0))) == ()


def test_an_open_loop_whose_queue_wanders_and_a_process_that_failed_are_not_looked_at() -> None:
    run, timings = of(np.where(np.arange(BLOCKS) < 10, 1.3, 1.0))
    served = replace(run, serving=Serving(9.0, "poisson", 1, 0, 9, 1, 1))
    assert said((served, timings)) == said((replace(run, failure=CRASH), timings)) == ()


def test_many_blocks_are_put_together() -> None:
    (note,) = said(of(np.where(np.arange(5000) < 1000, 1.3, 1.0)))
    assert "in the first 25 s they were 30 % slower" in note
