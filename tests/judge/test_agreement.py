"""Agreement with the reference predictions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.spatial.distance import cosine

from bench.quality import agreement as module
from bench.quality.agreement import NEAR_ZERO, agreement

METRICS = ("label agreement", "max abs difference", "max rel difference", "cosine")
BEST = {"label agreement": 1.0, "max abs difference": 0.0, "max rel difference": 0.0, "cosine": 1.0}


def pair(seed: int, shape: tuple[int, ...] = (50, 7)) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    rng = np.random.default_rng(seed)
    reference = rng.normal(size=shape)
    return reference + 0.1 * rng.normal(size=shape), reference


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 1000))
def test_each_figure_is_what_its_formula_says(seed: int) -> None:
    output, reference = pair(seed)
    difference = np.abs(output - reference)
    floor = NEAR_ZERO * np.abs(reference).max()
    assert agreement("max abs difference", output, reference) == difference.max()
    expected = (difference / np.maximum(np.abs(reference), floor)).max()
    assert agreement("max rel difference", output, reference) == pytest.approx(expected)
    lowest = min(1 - cosine(a, b) for a, b in zip(output, reference, strict=True))
    assert agreement("cosine", output, reference) == pytest.approx(lowest)
    same = np.mean(output.argmax(axis=1) == reference.argmax(axis=1))
    assert agreement("label agreement", output, reference) == same


@pytest.mark.parametrize("metric", METRICS)
def test_a_model_agrees_wholly_with_itself(metric: str) -> None:
    for dtype in ("float16", "float32", "int64"):
        output = (pair(1)[0] * 10).astype(dtype)
        assert agreement(metric, output, output) == pytest.approx(BEST[metric])


@pytest.mark.parametrize("metric", METRICS)
def test_figures_do_not_depend_on_how_samples_are_cut(metric: str, monkeypatch: pytest.MonkeyPatch) -> None:
    output, reference = pair(4)
    whole = agreement(metric, output, reference)
    monkeypatch.setattr(module, "_ROWS_BYTES", 1)
    assert agreement(metric, output, reference) == pytest.approx(whole)


def test_more_dimensions_are_flattened_by_sample() -> None:
    output, reference = pair(2, (6, 3, 4))
    flat = agreement("cosine", output.reshape(6, -1), reference.reshape(6, -1))
    assert agreement("cosine", output, reference) == pytest.approx(flat)


def test_noise_on_a_value_near_zero_is_no_large_relative_difference() -> None:
    reference = np.array([[1000.0, 1e-9]])
    assert agreement("max rel difference", reference + 1e-6, reference) == pytest.approx(1e-6, rel=0.1)


def test_cosine_of_zeros_and_of_huge_values_is_defined() -> None:
    zeros, ones = np.zeros((2, 3)), np.ones((2, 3))
    assert agreement("cosine", zeros, zeros) == 1.0
    assert agreement("cosine", zeros, ones) == 0.0
    assert agreement("cosine", ones * 1e200, ones * 1e-200) == pytest.approx(1.0)
    assert agreement("cosine", -ones, ones) == pytest.approx(-1.0)


def test_a_lone_score_is_read_as_its_reference_is() -> None:
    reference = np.array([0.1, 0.6, 0.9])
    assert agreement("label agreement", np.array([-0.01, 0.4, 1.01]), reference) == pytest.approx(2 / 3)


def test_a_reference_of_zeros_gives_nothing_to_be_relative_to() -> None:
    assert agreement("max rel difference", np.zeros((2, 2)), np.zeros((2, 2))) == 0.0
    with pytest.raises(ValueError, match="zero everywhere"):
        agreement("max rel difference", np.ones((2, 2)), np.zeros((2, 2)))


@pytest.mark.parametrize("metric", METRICS)
def test_nan_on_either_side_is_no_figure(metric: str) -> None:
    output, reference = pair(3)
    bad = output.copy()
    bad[3, 2] = np.nan
    with pytest.raises(ValueError, match="the output holds 1 NaN"):
        agreement(metric, bad, reference)
    with pytest.raises(ValueError, match="the reference holds 1 NaN"):
        agreement(metric, output, bad)


@pytest.mark.parametrize("metric", METRICS)
def test_unequal_shapes_are_no_figure(metric: str) -> None:
    output, reference = pair(3)
    with pytest.raises(ValueError, match="50 outputs and 49 reference"):
        agreement(metric, output, reference[:-1])
    with pytest.raises(ValueError, match=r"the output is \[50, 7\], the reference \[50, 6\]"):
        agreement(metric, output, reference[:, :-1])
