"""The GPU suite's kernels do what its checks take them to do: run here an instruction at a time."""

from __future__ import annotations

from itertools import count

import numpy as np
import pytest

from tests.backends.ptx import Thread
from tests.gpu.kernels import PTX, mixed

BLOCK = 256


def test_what_the_gpu_must_compute_is_what_numpy_does() -> None:
    numbers = np.random.default_rng(3).integers(0, 1 << 32, 700, np.uint32)
    right = mixed(numbers)
    for at in (0, 1, 255, 256, 699):
        special = {"%ctaid.x": at // BLOCK, "%ntid.x": BLOCK, "%tid.x": at % BLOCK}
        thread = Thread(special, {4096 + 4 * at: int(numbers[at])})
        thread.run(PTX, "mix", 4096)
        assert thread.memory == {4096 + 4 * at: int(right[at])}


def test_each_thread_has_a_result_of_its_own_and_none_is_what_was_there() -> None:
    same = np.full(512, 7, np.uint32)
    assert len(set(mixed(same))) == 512
    assert not (mixed(same) == same).any()


@pytest.mark.parametrize(("ns", "took"), [(0, 32), (1000, 1024), (992, 992)])
def test_the_kernel_of_known_length_ends_with_the_clock_and_tells_what_it_took(ns: int, took: int) -> None:
    """By a clock that goes on by 32 ns each time that it is read."""
    thread = Thread({"%globaltimer": count(5000, 32)}, {})
    thread.run(PTX, "spin", ns, 64)
    assert thread.memory == {64: took}
