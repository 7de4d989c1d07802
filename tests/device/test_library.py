"""The sample library: what fits the declared inputs is taken, what does not is refused, and queries go round."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.device.draws import Draws
from bench.device.library import GENERATED_BYTES, SampleLibrary, SamplesRejected, draw, open_library
from bench.device.records import TensorJob

X = TensorJob("x", "float32", ["batch", 3])
MASK = TensorJob("mask", "bool", ["batch"])
FIXED = TensorJob("x", "float32", [4, 3])
FLAT = TensorJob("flat", "float32", [3])
RATE = TensorJob("rate", "int64", [])


def opened(
    inputs: list[TensorJob], batch_dim: str | None = "batch", folder: Path | None = None, **arrays: Any
) -> SampleLibrary:
    """The library of these inputs: generated, or from a file of these arrays."""
    samples = None
    if folder is not None:
        samples = str(folder / "samples.npz")
        np.savez(samples, **arrays)
    return open_library(inputs, {"h": "h_out"}, {"height": 5}, batch_dim, samples, seed=7)


def rows(count: int, *shape: int, dtype: str = "float32") -> Any:
    return np.arange(count * int(np.prod(shape, dtype=int))).reshape(count, *shape).astype(dtype)


DTYPES = st.sampled_from(
    ["float16", "float32", "float64", "int8", "uint8", "int16", "int32", "int64", "uint32", "uint64"]
)


@settings(deadline=None, max_examples=200)
@given(DTYPES, st.integers(-130, 300), st.integers(0, 300), st.integers(0, 3))
def test_generated_values_lie_in_their_range_and_have_their_type(dtype: str, low: int, width: int, seed: int) -> None:
    tensor = TensorJob("x", dtype, [], float(low), float(low + width))
    kind = np.dtype(dtype)
    fits = kind.kind == "f" or (np.iinfo(kind).min <= low and low + width <= np.iinfo(kind).max)
    if not fits:
        with pytest.raises(SamplesRejected, match="`x`"):
            draw(Draws(seed), tensor, (50,))
        return
    values = draw(Draws(seed), tensor, (50,))
    assert values.dtype == kind
    assert values.shape == (50,)
    assert kind.type(low) <= values.min()
    assert values.max() <= kind.type(low + width)


def test_both_ends_of_a_range_of_integers_are_drawn() -> None:
    values = draw(Draws(1), TensorJob("x", "int32", [], -1.0, 2.0), (500,))
    assert set(values.tolist()) == {-1, 0, 1, 2}


def test_the_largest_integers_can_be_drawn() -> None:
    values = draw(Draws(1), TensorJob("x", "uint64", [], 0.0, float(1 << 63)), (500,))
    assert values.max() > 1 << 62


def test_booleans_are_both() -> None:
    values = draw(Draws(1), TensorJob("x", "bool", [], 0.0, 1.0), (100,))
    assert values.dtype == np.bool_
    assert set(values.tolist()) == {False, True}


@pytest.mark.parametrize(
    ("dtype", "low", "high"),
    [("int8", 0.2, 0.8), ("uint8", -1, 5), ("int8", 0, 128), ("float16", 0, 1e6), ("float32", 2, 1)],
)
def test_a_range_without_a_value_of_the_type_is_refused(dtype: str, low: float, high: float) -> None:
    with pytest.raises(SamplesRejected, match=f"no {dtype} can be drawn for `x` between"):
        draw(Draws(1), TensorJob("x", dtype, [], low, high), ())


def test_generated_samples_are_the_same_for_the_same_seed_and_differ_among_themselves() -> None:
    first, second = (open_library([X], {}, {}, "batch", None, seed).query(0, 64).arrays["x"] for seed in (3, 3))
    np.testing.assert_array_equal(first, second)
    assert len(np.unique(first, axis=0)) == 64
    assert not np.array_equal(first, open_library([X], {}, {}, "batch", None, 4).query(0, 64).arrays["x"])


def test_generated_samples_of_a_large_model_stay_bounded() -> None:
    large = opened([TensorJob("x", "float32", ["batch", 3 << 20])])
    assert 1 <= large.count <= GENERATED_BYTES // (12 << 20)
    assert opened([TensorJob("x", "float32", ["batch", 20 << 20])]).count == 1


@pytest.mark.parametrize(
    ("inputs", "batch_dim", "shapes"),
    [
        ([X, MASK], "batch", {"x": (2, 3), "mask": (2,)}),
        ([TensorJob("x", "float32", ["batch", "height", 2])], "batch", {"x": (2, 5, 2)}),
        ([X, RATE], "batch", {"x": (2, 3), "rate": ()}),
        ([X, TensorJob("weights", "float32", [7])], "batch", {"x": (2, 3), "weights": (7,)}),
        ([X, TensorJob("h", "float32", ["batch", 8])], "batch", {"x": (2, 3)}),
    ],
)
def test_generated_queries_have_the_declared_shapes(
    inputs: list[TensorJob], batch_dim: str | None, shapes: dict[str, tuple[int, ...]]
) -> None:
    """Every symbolic dimension has its value; what the state feeds is left to the session."""
    library = opened(inputs, batch_dim)
    query = library.query(0, 2)
    assert {name: array.shape for name, array in query.arrays.items()} == shapes
    assert {name: str(array.dtype) for name, array in query.arrays.items()} == {
        one.name: one.dtype for one in inputs if one.name in shapes
    }
    assert (query.samples, library.source, library.group) == (2, "generated", 1)


def test_a_model_without_a_batch_dimension_gets_one_sample_a_query() -> None:
    library = opened([FIXED, RATE], batch_dim=None)
    assert (library.count, library.group) == (64, 1)
    assert library.query(3, 1).arrays["x"].shape == (4, 3)
    assert library.query(3, 1).arrays["rate"].shape == ()
    with pytest.raises(SamplesRejected, match="a query is one sample, not 2"):
        library.query(0, 2)


def test_a_model_of_scalars_only_has_one_sample() -> None:
    assert opened([RATE]).query(5, 1).arrays["rate"].shape == ()


@settings(deadline=None, max_examples=100)
@given(st.integers(1, 9), st.integers(0, 30), st.integers(1, 30))
def test_queries_go_round_at_the_end(count: int, first: int, samples: int) -> None:
    library = SampleLibrary(count, 1, {"x": np.arange(count)}, {}, "file")
    array = library.query(first, samples).arrays["x"]
    assert array.tolist() == [(first + i) % count for i in range(samples)]
    assert array.flags.c_contiguous


def test_samples_of_a_file_come_in_order(tmp_path: Path) -> None:
    library = opened([X, MASK, RATE], folder=tmp_path, x=rows(5, 3), mask=rows(5, dtype="bool"), rate=np.int64(16000))
    assert (library.count, library.group, library.source) == (5, 1, "file")
    query = library.query(3, 3)
    np.testing.assert_array_equal(query.arrays["x"], rows(5, 3)[[3, 4, 0]])
    assert query.arrays["rate"] == 16000
    assert library.query_bytes() == 3 * 4 + 1 + 8


def test_arrays_of_state_and_of_nothing_are_not_taken(tmp_path: Path) -> None:
    library = opened([X, TensorJob("h", "float32", [1, 8])], folder=tmp_path, x=rows(2, 3), more=rows(9, 9))
    assert set(library.query(0, 1).arrays) == {"x"}


def test_a_fixed_batch_takes_samples_in_groups(tmp_path: Path) -> None:
    library = opened([FIXED], batch_dim=None, folder=tmp_path, x=rows(12, 3))
    assert (library.count, library.group) == (12, 4)
    np.testing.assert_array_equal(library.query(8, 4).arrays["x"], rows(12, 3)[8:])
    with pytest.raises(SamplesRejected, match="the model takes 4 samples a query, not 3"):
        library.query(0, 3)


def test_samples_may_be_stacked_on_an_axis_that_the_model_does_not_have(tmp_path: Path) -> None:
    library = opened([FIXED, RATE], batch_dim=None, folder=tmp_path, x=rows(6, 4, 3), rate=rows(6, dtype="int64"))
    assert (library.count, library.group) == (6, 1)
    query = library.query(7, 1)
    np.testing.assert_array_equal(query.arrays["x"], rows(6, 4, 3)[1])
    assert query.arrays["rate"].shape == ()
    assert query.arrays["rate"] == 1


@pytest.mark.parametrize(
    ("inputs", "batch_dim", "arrays", "message"),
    [
        ([X], "batch", {"y": rows(2, 3)}, "has no array `x`; it has y"),
        ([X], "batch", {"x": rows(2, 3, dtype="float64")}, "samples of `x` are float64, not float32"),
        ([X], "batch", {"x": rows(2, 4)}, r"samples of `x` have shape \(2, 4\)"),
        ([X], "batch", {"x": rows(3)}, r"samples of `x` have shape \(3,\)"),
        ([X], "batch", {"x": np.float32(1)}, r"samples of `x` have shape \(\)"),
        ([X], "batch", {"x": rows(0, 3)}, "there is no sample: the arrays have length 0"),
        (
            [X, MASK],
            "batch",
            {"x": rows(2, 3), "mask": rows(3, dtype="bool")},
            "the inputs have unequal numbers of samples: `x` has 2, `mask` has 3: write one row a sample for each",
        ),
        (
            [X, MASK],
            "batch",
            {"x": rows(2, 3), "mask": rows(1, dtype="bool")},
            "`x` has 2, `mask` has 1: write one row a sample for each",
        ),
        (
            [X, RATE],
            "batch",
            {"x": rows(300, 3), "rate": rows(1, dtype="int64")},
            "`x` has 300, `rate` has 1: if that one is for all samples, write `rate` as a scalar",
        ),
        (
            [X, FLAT],
            "batch",
            {"x": rows(2, 3), "flat": rows(1, 3)},
            "`flat` has 1: if that one is for all samples, write `flat` without its first axis",
        ),
        ([X, RATE], "batch", {"x": rows(2, 3), "rate": rows(2, dtype="int64")}, "`rate` does not vary with the batch"),
        ([FIXED], None, {"x": rows(7, 3)}, r"samples of `x` have shape \(7, 3\)"),
        (
            [TensorJob("x", "float32", ["width"])],
            None,
            {"x": rows(3)},
            "a dimension `width`: give its value under `dims`",
        ),
    ],
)
def test_samples_that_do_not_fit_are_refused_with_what_is_wrong(
    inputs: list[TensorJob], batch_dim: str | None, arrays: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(SamplesRejected, match=message):
        opened(inputs, batch_dim, tmp_path, **arrays)


@pytest.mark.parametrize("content", [b"", b"not a zip", b"PK\x03\x04"])
def test_a_file_that_is_no_npz_is_refused_by_its_name(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "samples.npz").write_bytes(content)
    with pytest.raises(SamplesRejected, match=r"samples\.npz: "):
        open_library([X], {}, {}, "batch", str(tmp_path / "samples.npz"), 0)
