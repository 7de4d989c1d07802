"""``init`` and sizes of outputs that follow from an input's free size: they stay open, so that another one runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.propose import onnx_models as models
from tests.propose.onnx_models import FLOAT
from tests.propose.test_propose import proposed


def cache(path: Path, output: list[Any] | None) -> Path:
    """A cache that grows by one, and its mean."""
    nodes: list[Any] = [("Concat", ["past", "x"], ["grown"], {"axis": 1})]
    nodes.append(("ReduceMean", ["grown"], ["y"], {"axes": [1]}))
    inputs = {"x": (FLOAT, ["batch", 1, 8]), "past": (FLOAT, ["batch", "past_len", 8])}
    return models.save(path, nodes, inputs, {"grown": (FLOAT, output), "y": (FLOAT, None)})


@pytest.mark.parametrize(
    ("told", "stays"),
    [(["batch", "past_len + 1", 8], "past_len + 1"), (["batch", None, 8], "grown:1"), (None, "grown:1")],
    ids=["expression", "unnamed", "untold"],
)
@pytest.mark.parametrize("samples", [False, True], ids=["ranges", "samples"])
def test_a_size_that_follows_from_an_inputs_stays_open(
    tmp_path: Path, told: list[Any] | None, stays: str, samples: bool
) -> None:
    more: dict[str, Any] = {}
    if samples:
        more["samples"] = tmp_path / "s.npz"
        np.savez(more["samples"], x=np.zeros((3, 1, 8), np.float32), past=np.zeros((3, 5, 8), np.float32))
    contract = proposed(cache(tmp_path / "m.onnx", told), **more)
    outputs = {spec.name: spec.shape for spec in contract.outputs}
    assert outputs == {"grown": ("batch", stays, 8), "y": ("batch", 1, 8)}


def test_a_named_size_that_moves_with_nothing_is_written_down(tmp_path: Path) -> None:
    nodes: list[Any] = [("ReduceMean", ["x"], ["y"], {"axes": [1]})]
    inputs = {"x": (FLOAT, ["batch", "width"])}
    contract = proposed(models.save(tmp_path / "m.onnx", nodes, inputs, {"y": (FLOAT, ["batch", "one"])}))
    assert contract.outputs[0].shape == ("batch", 1)


def test_sizes_that_go_together_are_tried_together(tmp_path: Path) -> None:
    nodes: list[Any] = [("Concat", ["a", "a"], ["twice"], {"axis": 1}), ("Add", ["a", "b"], ["sum"], {})]
    inputs = {"a": (FLOAT, ["batch", "left"]), "b": (FLOAT, ["batch", "right"])}
    outputs: dict[str, Any] = {"twice": (FLOAT, ["batch", None]), "sum": (FLOAT, ["batch", "left"])}
    contract = proposed(models.save(tmp_path / "m.onnx", nodes, inputs, outputs))
    assert contract.outputs[0].shape == ("batch", "twice:1")


def test_a_named_size_stays_open_where_the_model_takes_no_other_size(tmp_path: Path) -> None:
    nodes: list[Any] = [("MatMul", ["x", "w"], ["y"], {})]
    inputs = {"x": (FLOAT, ["batch", "features"])}
    outputs: dict[str, Any] = {"y": (FLOAT, ["batch", "classes"])}
    stored = {"w": np.ones((7, 3), np.float32)}
    contract = proposed(models.save(tmp_path / "m.onnx", nodes, inputs, outputs, stored))
    assert (contract.outputs[0].shape, dict(contract.dims)) == (("batch", "classes"), {"features": 7})
