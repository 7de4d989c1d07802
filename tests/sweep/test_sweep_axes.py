"""What is written after ``--over``."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.errors import ContractError
from bench.sweep.axes import KINDS, MOST_VALUES, Axis, is_axis, parse


@pytest.mark.parametrize(
    ("word", "values"),
    [
        ("threads=1,2,4", (1, 2, 4)),
        ("batch=1..64", (1, 2, 4, 8, 16, 32, 64)),
        ("batch=3..20", (3, 6, 12)),
        ("batch=5..5", (5,)),
        ("batch=1,4..16,4", (1, 4, 8, 16)),
        ("threads=4, 1", (1, 4)),
        ("rate=100..400", (100.0, 200.0, 400.0)),
        ("rate=0.5,1k/s,20/s", (0.5, 20.0, 1000.0)),
        ("streams=2", (2,)),
    ],
)
def test_values_are_listed_or_doubled_and_stand_once_in_order(word: str, values: tuple[float, ...]) -> None:
    (axis,) = parse([word])
    assert axis == Axis(word.partition("=")[0], values)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], "--over threads=1,2,4"),
        (["bacth=1"], "did you mean `batch`?"),
        (["qps=1"], "did you mean `rate`?"),
        (["threads"], "write them after `=`, such as `threads=1,2,4`"),
        (["threads="], "`threads` has no value"),
        (["threads=1,,2"], "`threads` has no value"),
        (["threads=two"], "`two` is not a number of threads, like `1`"),
        (["threads=0"], "0 is not a number of threads: it is from 1 to 4096"),
        (["threads=1.5"], "`1.5` is not a number of threads"),
        (["batch=64..1"], "`64..1` goes down: write the lower end first"),
        (["batch=1.."], "`batch` has no value"),
        (["batch=1..8..64"], "`8..64` is not a batch size"),
        (["rate=0"], "is out of bounds"),
        (["rate=fast"], "`fast` is not a rate"),
        (["rate=5 ms"], "`ms` is a unit of time"),
        (["batch=1", "batch=2"], "`batch` stands twice"),
        (["threads=" + ",".join(map(str, range(1, 200)))], f"{MOST_VALUES} are the most"),
    ],
)
def test_what_is_wrong_is_one_line_with_what_would_be_right(words: list[str], told: str) -> None:
    with pytest.raises(ContractError) as raised:
        parse(words)
    assert told in str(raised.value)
    assert "\n" not in str(raised.value)


def test_axes_come_in_one_order_however_they_were_written() -> None:
    assert [axis.name for axis in parse(["rate=1", "batch=1", "threads=1", "streams=1"])] == list(KINDS)


def test_an_axis_is_told_from_a_file() -> None:
    assert is_axis("batch=1..64") and is_axis("bacth=1")
    assert not is_axis("contract.yaml") and not is_axis("runs/a=b.yaml")


@given(st.lists(st.integers(1, 4096), min_size=1, max_size=9), st.lists(st.floats(0.1, 1e5), min_size=1, max_size=9))
def test_what_an_axis_says_of_itself_reads_back_the_same(threads: list[int], rates: list[float]) -> None:
    written = [f"threads={','.join(map(str, threads))}", "rate=" + ",".join(f"{rate:.6g}" for rate in rates)]
    axes = parse(written)
    assert parse([axis.text for axis in axes]) == axes


@given(st.text(max_size=40))
def test_no_word_does_worse_than_being_refused(word: str) -> None:
    try:
        axes = parse([word])
    except ContractError as error:
        assert "\n" not in str(error)  # noqa: PT017
    else:
        assert all(axis.values for axis in axes)
