"""A recorded trace is what it was when it was written, or is refused in a sentence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bench.device import trace
from bench.device.trace import rate_of, read_trace

DAY_NS = 86_400 * 10**9


@settings(deadline=None, max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(offsets=st.lists(st.integers(0, DAY_NS), min_size=2, max_size=50).map(sorted).filter(lambda one: one[-1] > 0))
def test_the_same_arrivals_come_back_to_the_nanosecond_from_every_form(offsets: list[int], tmp_path: Path) -> None:
    np.save(tmp_path / "ns.npy", np.array(offsets, np.int64))
    np.save(tmp_path / "u.npy", np.array(offsets, np.uint64))
    (tmp_path / "ns.csv").write_text("nanoseconds\n" + "\n".join(map(str, offsets)))
    lines = [f"{one // 10**9}.{one % 10**9:09d}" for one in offsets]
    (tmp_path / "s.csv").write_bytes(("\ufeffSeconds\r\n" + "\r\n".join(lines) + "\r\n").encode())
    for name in ("ns.npy", "u.npy", "ns.csv", "s.csv"):
        found = read_trace(tmp_path / name)
        assert found.dtype == np.int64 and found.tolist() == offsets, name


def test_numbers_that_are_not_whole_are_seconds(tmp_path: Path) -> None:
    np.save(tmp_path / "s.npy", np.array([0.0, 0.001, 2.5]))
    assert read_trace(tmp_path / "s.npy").tolist() == [0, 10**6, 25 * 10**8]


def test_seconds_are_read_as_programs_write_them(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("seconds\n0.0\n1e-05\n0.15000000000000002\n1.5E+00\n")
    assert read_trace(tmp_path / "t.csv").tolist() == [0, 10_000, 150_000_000, 1_500_000_000]


@pytest.mark.parametrize(
    ("array", "said"),
    [
        (np.zeros((2, 2), np.int64), r"one row of numbers; this is int64 \[2, 2\]"),
        (np.array([True, True]), "one row of numbers; this is bool"),
        (np.array([0.0, np.nan]), "finite numbers only"),
        (np.array([0.0, 1e300]), "longer than a day"),
        (np.array([5]), "from 2 to 10000000 arrivals; there are 1"),
        (np.array([-1, 5]), "begins at 0 or later"),
        (np.array([0, 7, 6, 9]), "arrival 3 comes before the one before it: sort them"),
        (np.array([1732450000000000000, 1732450001000000000]), "longer than a day: write offsets from its beginning"),
        (np.array([0, 0, 0]), "all its arrivals come at once"),
    ],
)
def test_an_array_that_is_no_trace_is_refused(array: Any, said: str, tmp_path: Path) -> None:
    np.save(tmp_path / "t.npy", array)
    with pytest.raises(ValueError, match=said):
        read_trace(tmp_path / "t.npy")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "its first line is ``: write `seconds` or `nanoseconds`"),
        ("0\n1\n", "its first line is `0`"),
        ("seconds\n0\n-1\n", "line 3: `-1` is no offset in seconds"),
        ("seconds\n0\n\n1\n", "line 3: `` is no offset"),
        ("seconds\n0,5\n1\n", "line 2: `0,5` is no offset"),
        ("seconds\n1e\n", "line 2: `1e` is no offset"),
        ("seconds\n0\n1e99\n", "longer than a day"),
        ("seconds\nnan\n", "line 2: `nan` is no offset"),
        ("nanoseconds\n0\n1.5\n", "line 3: `1.5` is no offset in nanoseconds"),
        ("seconds\n0\n", "there are 1"),
        ("seconds\n", "there are 0"),
    ],
)
def test_text_that_is_no_trace_is_refused(text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(ValueError, match=said):
        read_trace(tmp_path / "t.csv")


def test_other_files_are_refused_and_nothing_is_unpickled(tmp_path: Path) -> None:
    (tmp_path / "t.txt").write_text("seconds\n0\n1\n")
    with pytest.raises(ValueError, match=r"an \.npy or a \.csv file"):
        read_trace(tmp_path / "t.txt")
    np.save(tmp_path / "t.npy", np.array([object(), object()]), allow_pickle=True)
    with pytest.raises(ValueError, match="plain numbers"):
        read_trace(tmp_path / "t.npy")
    (tmp_path / "t.csv").write_bytes(b"seconds\n\xff\xfe")
    with pytest.raises(ValueError, match="not text"):
        read_trace(tmp_path / "t.csv")


def test_a_text_without_end_is_not_read_to_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trace, "MAX_CSV_BYTES", 1 << 20)
    (tmp_path / "t.csv").write_text("seconds\n" + "0\n" * (1 << 19))
    with pytest.raises(ValueError, match=r"at most 1 MiB: write it as \.npy"):
        read_trace(tmp_path / "t.csv")


def test_the_rate_is_that_of_what_is_played() -> None:
    offsets = np.array([0, 10**8, 2 * 10**8, 10**9 - 1])
    assert rate_of(None, 7.0, 5, 10) == (7.0, 5)
    assert rate_of(offsets, 0.0, DAY_NS, 100) == (4.0, 10**9)
    for bounds in ((10**8 + 1, 100), (DAY_NS, 2)):
        rate, window_ns = rate_of(offsets, 0.0, *bounds)
        assert rate == pytest.approx(20.0) and window_ns == 10**8 + 1
    assert rate_of(offsets + 10**9, 0.0, 10**8, 100) == (10.0, 10**8), "nothing comes: one at most"
