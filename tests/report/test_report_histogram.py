"""The histogram: every latency counted once, none invisible, ten millions without holding them in memory."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.device.records import NEVER_NS
from bench.report import histogram
from bench.units import show

LATENCIES = st.lists(st.integers(0, 2**62), min_size=1, max_size=60)


@settings(deadline=None, max_examples=100)
@given(LATENCIES, st.integers(8, 48))
def test_every_latency_is_counted_once(latencies: list[int], count: int) -> None:
    found = histogram.bins(latencies, count)
    assert sum(found) == len(latencies)
    assert len(found) in (1, count)


@settings(deadline=None, max_examples=100)
@given(LATENCIES, st.integers(0, 200))
def test_the_line_names_its_ends_and_is_as_wide_as_asked(latencies: list[int], width: int) -> None:
    line = histogram.line(latencies, width)
    first, last = f"{show(min(latencies), 'ns')} ", f" {show(max(latencies), 'ns')} (log scale)"
    assert line.startswith(first)
    assert line.endswith(last)
    bars = line[len(first) : len(line) - len(last)]
    assert set(bars) <= set(histogram.BARS)
    assert len(bars) in (1, max(8, min(width, histogram.MAX_BINS)))


def test_one_slow_query_of_a_million_is_still_seen() -> None:
    line = histogram.line(np.append(np.full(1_000_000, 1000, np.uint64), np.uint64(9_000_000)).tolist(), 20)
    assert line == "1 µs █" + " " * 18 + "▁ 9 ms (log scale)"


def test_the_bins_are_those_of_numpy_on_the_logarithms() -> None:
    latencies = np.random.default_rng(3).lognormal(13, 0.7, 5000).astype(np.uint64)
    logs = np.log(latencies.astype(float))
    expected, _ = np.histogram(logs, bins=30, range=(logs.min(), logs.max()))
    assert np.abs(np.array(histogram.bins(latencies.tolist(), 30)) - expected).sum() <= 2, "but for rounding at an edge"


@pytest.mark.parametrize("latencies", [[5], [0], [0, 0], [7, 7, 7]])
def test_latencies_that_are_all_alike_are_one_bar(latencies: list[int]) -> None:
    assert histogram.bins(latencies, 16) == (len(latencies),)
    assert "█" in histogram.line(latencies, 16)


def test_queries_that_were_never_answered_are_in_no_bin() -> None:
    latencies = [1000] * 50 + [NEVER_NS] * 50 + [9_000_000]
    assert histogram.line(latencies, 20) == "1 µs █" + " " * 18 + "▁ 9 ms (log scale)"
    assert sum(histogram.bins(latencies, 20)) == 51


def test_ten_million_timings_are_read_from_their_file_in_small_pieces(tmp_path: Path) -> None:
    file = tmp_path / "timings.npy"
    stored = np.lib.format.open_memmap(file, "w+", np.uint64, (10_000_000,))
    stored[:] = 1_000_000
    stored[::1000] = 5_000_000
    stored.flush()
    mapped = np.load(file, mmap_mode="r", allow_pickle=False)
    tracemalloc.start()
    line = histogram.line(mapped, 40)
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert line == "1 ms █" + " " * 38 + "▁ 5 ms (log scale)"
    assert peak_bytes < 32 << 20
