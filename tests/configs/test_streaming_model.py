"""The streaming example: its scores are only right when the state is carried from query to query."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import numpy_helper

STREAMING = Path(__file__).resolve().parents[2] / "configs" / "streaming"
Array = npt.NDArray[Any]

with np.load(STREAMING / "frames.npz") as frames, np.load(STREAMING / "reference.npz") as reference:
    FRAMES, SCORES = frames["x"], reference["score"]


def score(carry: bool) -> Array:
    import onnxruntime  # type: ignore[import-untyped]

    session = onnxruntime.InferenceSession(STREAMING / "cell.onnx", providers=["CPUExecutionProvider"])
    state: Any = np.zeros((1, 32), np.float32)
    scores = []
    for frame in FRAMES:
        out, after = session.run(["score", "h_out"], {"x": frame[None], "h": state})
        scores.append(out)
        state = after if carry else state
    return np.concatenate(scores)


def test_the_reference_is_what_the_model_gives_with_its_state_carried_along() -> None:
    np.testing.assert_allclose(score(carry=True), SCORES, atol=1e-6)


def test_without_the_state_the_scores_are_plainly_wrong() -> None:
    assert np.abs(score(carry=False) - SCORES).max() > 0.05


def test_the_script_makes_the_committed_model() -> None:
    made = runpy.run_path(str(STREAMING / "make.py"))["draw_weights"]()
    stored = {one.name: numpy_helper.to_array(one) for one in onnx.load(STREAMING / "cell.onnx").graph.initializer}
    assert made.keys() == stored.keys()
    for name, weights in made.items():
        np.testing.assert_array_equal(stored[name], weights)
    assert sum(weights.size for weights in stored.values()) == 4736
